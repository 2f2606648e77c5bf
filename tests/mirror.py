"""What tests of Mirror-BERT share: a small encoder's flags, strings, scored pairs."""

import json
import random
import re

from tests import tiny

ENCODER = (
    "--arch text_encoder_tiny --encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 16 "
    "--encoder-attention-heads 2 --max-positions 64 --optimizer adam --lr 0.003 --num-workers 0 "
    "--log-format json --log-interval 1"
).split()
MIRROR = ["--task", "mirror_bert", "--criterion", "mirror_bert", "--language", "en", *ENCODER]
STRINGS = tiny.sentences(64, ["en"], "mirror strings")["en"]


def get_encoder(once, tiny_data_bin, run_fairseq):
    """A folder with ``checkpoint_last.pt`` of an encoder after an update of MLM, and with its text pipeline."""

    def make(folder):
        run_fairseq(
            "train", tiny_data_bin, "--task", "mlm_pretraining", "--criterion", "masked_tokens", *ENCODER,
            "--max-tokens", 500, "--max-update", 1, "--disable-validation", "--save-dir", folder,
        )  # fmt: skip

    return once("mirror-encoder", make)


def write_strings(path):
    """All strings, one of them twice, and empty lines."""
    path.write_text("\n".join([*STRINGS, STRINGS[3], "", "  "]) + "\n")
    return path


def write_pairs(path, seed):
    """Pairs of neighbours, scored at random."""
    draw = random.Random(seed)
    path.write_text("".join(f"{draw.random() * 5:.2f}\t{a}\t{b}\n" for a, b in zip(STRINGS, STRINGS[1:])))
    return path


def flags(encoder, strings):
    """Words of a training: task, model, start and strings."""
    return [encoder, *MIRROR, "--strings", strings, "--pretrained-checkpoint", encoder / "checkpoint_last.pt"]


def logged(output, tag):
    """fairseq-train's JSON lines of one kind: ``train_inner``, ``train`` or ``valid``."""
    return [json.loads(line) for line in re.findall(rf"\| {tag} \| (\{{.*\}})", output)]
