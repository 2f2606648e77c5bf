"""Mirror-BERT through fairseq's own commands: from an encoder and strings to vectors; two processes; bad input."""

import json
import random
import re
import shutil

import pytest
import torch

from mass_plugins.errors import InputError
from mass_plugins.objectives.pretrained import PretrainedModel
from tests import tiny
from tests.conftest import run, torchrun

ENCODER = (
    "--arch text_encoder_tiny --encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 16 "
    "--encoder-attention-heads 2 --max-positions 64 --optimizer adam --lr 0.003 --num-workers 0 "
    "--log-format json --log-interval 1"
).split()
MIRROR = ["--task", "mirror_bert", "--criterion", "mirror_bert", "--language", "en", *ENCODER]
STRINGS = tiny.sentences(64, ["en"], "mirror strings")["en"]


@pytest.fixture(scope="session")
def encoder(once, tiny_data_bin, run_fairseq):
    """A folder with ``checkpoint_last.pt`` of an encoder after an update of MLM, and with its text pipeline."""

    def make(folder):
        run_fairseq(
            "train", tiny_data_bin, "--task", "mlm_pretraining", "--criterion", "masked_tokens", *ENCODER,
            "--max-tokens", 500, "--max-update", 1, "--disable-validation", "--save-dir", folder,
        )  # fmt: skip

    return once("mirror-encoder", make)


@pytest.fixture
def strings(tmp_path):
    path = tmp_path / "strings.txt"
    path.write_text("\n".join([*STRINGS, STRINGS[3], "", "  "]) + "\n")
    return path


def train(run_fairseq, encoder, strings, *flags, **options):
    start = ["--pretrained-checkpoint", encoder / "checkpoint_last.pt"]
    return run_fairseq("train", encoder, *MIRROR, "--strings", strings, *start, *flags, **options)


def logged(output, tag):
    return [json.loads(line) for line in re.findall(rf"\| {tag} \| (\{{.*\}})", output)]


def pairs(path, seed):
    draw = random.Random(seed)
    path.write_text("".join(f"{draw.random() * 5:.2f}\t{a}\t{b}\n" for a, b in zip(STRINGS, STRINGS[1:])))
    return path


def test_training_validation_and_checkpoint(run_fairseq, encoder, strings, tmp_path):
    """It learns to tell the strings from each other, and leaves what encoding needs beside its checkpoints."""
    files = f"{pairs(tmp_path / 'one.tsv', 1)},{pairs(tmp_path / 'two.tsv', 2)}"
    done = train(
        run_fairseq, encoder, strings, "--batch-size", 16, "--max-epoch", 4, "--weight-decay", 0.01, "--valid-pairs",
        files, "--best-checkpoint-metric", "spearman", "--maximize-best-checkpoint-metric",
        "--save-dir", tmp_path / "mirror", "--no-epoch-checkpoints",
    )  # fmt: skip
    assert "64 strings" in done.output and "1 empty ones and equals" in done.output
    epochs, validations = logged(done.output, "train"), logged(done.output, "valid")
    assert float(epochs[-1]["train_loss"]) < 0.8 * float(epochs[0]["train_loss"])
    assert float(epochs[-1]["train_accuracy"]) > float(epochs[0]["train_accuracy"])
    assert len(validations) == 4 and all(-100 <= float(log["valid_spearman"]) <= 100 for log in validations)
    best = max(float(log["valid_spearman"]) for log in validations)
    assert float(validations[-1]["valid_best_spearman"]) == best

    before, after = (PretrainedModel.read(str(f / "checkpoint_last.pt")) for f in (encoder, tmp_path / "mirror"))
    moved = {name for name in before.weights if not torch.equal(before.weights[name], after.weights[name])}
    assert "layers.0.fc1.weight" in moved and not [name for name in moved if name.startswith("lm_head")]
    assert after.task_state["vectors"] == {"pooling": "mean", "normalize": False, "max_tokens": None}
    assert {path.name for path in (tmp_path / "mirror").iterdir()} >= {"text.json", "bpe.codes", "dict.en.txt"}

    other = train(
        run_fairseq, encoder, strings, "--batch-size", 16, "--max-epoch", 4, "--weight-decay", 0.01,
        "--disable-validation", "--save-dir", tmp_path / "again", "--no-epoch-checkpoints", "--num-workers", 1,
    )  # fmt: skip
    assert logged(other.output, "train")[-1]["train_loss"] == epochs[-1]["train_loss"]  # whatever the workers


def test_two_processes_train_as_one_on_the_joined_batch(run_fairseq, encoder, strings, tmp_path):
    """An update on all strings in one batch, or with half of them in each process; without dropout."""
    flags = [
        "--dropout",
        0,
        "--attention-dropout",
        0,
        "--disable-validation",
        "--max-update",
        1,
        "--no-epoch-checkpoints",
    ]
    one = train(run_fairseq, encoder, strings, *flags, "--batch-size", 64, "--save-dir", tmp_path / "one")
    start = ["--strings", strings, "--pretrained-checkpoint", encoder / "checkpoint_last.pt"]
    flags += ["--batch-size", 32, "--save-dir", tmp_path / "two"]
    two = run(torchrun(encoder, *MIRROR, *start, *flags, *tiny.PLUGIN_FLAGS))
    logs = [logged(done.output, "train_inner")[0] for done in (one, two)]
    assert logs[0]["loss"] == logs[1]["loss"] and logs[0]["accuracy"] == logs[1]["accuracy"]
    assert float(logs[0]["gnorm"]) == pytest.approx(float(logs[1]["gnorm"]), abs=0.002)
    states = [PretrainedModel.read(str(tmp_path / name / "checkpoint_last.pt")).weights for name in ("one", "two")]
    for name, weight in states[0].items():
        assert torch.allclose(weight, states[1][name], atol=1e-5), name


def test_a_process_without_a_batch_waits_for_the_others(encoder, strings, tmp_path):
    start = ["--strings", strings, "--pretrained-checkpoint", encoder / "checkpoint_last.pt"]
    flags = ["--batch-size", 24, "--max-epoch", 1, "--save-dir", tmp_path]
    flags += ["--valid-pairs", pairs(tmp_path / "pairs.tsv", 1)]  # one set: it goes to one process
    done = run(torchrun(encoder, *MIRROR, *start, *flags, *tiny.PLUGIN_FLAGS))
    assert logged(done.output, "train")[0]["train_num_updates"] == "2"  # batches of 24, 24 and 16 strings
    assert len(logged(done.output, "valid")) == 1


BAD = {
    "one string": (["one thight"], [], "give more, different strings"),
    "identical strings": (["one thight"] * 300, [], "give more, different strings"),
    "no string": (["", " "], [], "give more, different strings"),
    "too long for the model": (STRINGS, ["--max-string-tokens", "65"], "more than the model's 64 positions"),
    "nothing to validate on": (STRINGS, ["--validate"], "--valid-pairs FILE"),
    "temperature": (STRINGS, ["--contrast-temperature", "0"], "--contrast-temperature 0.0 is not positive"),
    "one string a batch": (STRINGS, ["--batch-size", "1"], "raise --batch-size"),
    "another shape": (STRINGS, ["--encoder-layers", "2"], "--encoder-layers 1, not 2"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_input_ends_in_one_line(case, encoder, tmp_path):
    """In this process: the same functions that fairseq-train calls, without its ten seconds a start."""
    lines, flags, message = BAD[case]
    path = tmp_path / "strings.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(InputError, match=re.escape(message)) as error:
        begin_training(encoder, path, flags, tmp_path / "out")
    assert "\n" not in str(error.value)


def begin_training(encoder, strings, flags, save_dir):
    """Task, model, data and batches as fairseq-train makes them, up to the first update."""
    from fairseq import options, tasks
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf

    start = ["--pretrained-checkpoint", encoder / "checkpoint_last.pt", "--batch-size", 16]
    words = [encoder, *MIRROR, "--strings", strings, *start, "--save-dir", save_dir, "--cpu"]
    validate = "--validate" in flags
    words += [flag for flag in flags if flag != "--validate"]
    arguments = options.parse_args_and_arch(options.get_training_parser(), list(map(str, words)))
    cfg = convert_namespace_to_omegaconf(arguments)
    task = tasks.setup_task(cfg.task)
    task.build_model(cfg.model)
    task.load_dataset("valid" if validate else "train")
    task.get_batch_iterator(task.dataset("train"), max_sentences=cfg.dataset.batch_size)


def test_what_fairseq_train_shows_of_bad_input(run_fairseq, encoder, tmp_path):
    (tmp_path / "strings.txt").write_text("one thight\n" * 9)
    done = train(
        run_fairseq, encoder, tmp_path / "strings.txt", "--batch-size", 16, "--disable-validation", "--max-epoch", 1,
        "--save-dir", tmp_path / "out", expect=1,
    )  # fmt: skip
    assert "9 strings, 1 of them different in tokens" in done.stderr and "Traceback" not in done.stderr


def test_a_dictionary_that_does_not_fit(encoder, strings, tmp_path):
    """The text pipeline of another model: refused, not trained on with the wrong embeddings."""
    other = tmp_path / "other"
    shutil.copytree(encoder, other)
    for path in other.glob("dict.*.txt"):
        first, second, *rest = path.read_text().splitlines()
        path.write_text("\n".join([first, *rest, second]) + "\n")
    with pytest.raises(InputError, match="another dictionary"):
        flags = ["--pretrained-checkpoint", str(encoder / "checkpoint_last.pt")]
        begin_training(other, strings, flags, tmp_path / "out")
