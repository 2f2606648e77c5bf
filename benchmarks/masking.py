"""The masker against a loop over sentences that does the same thing one token at a time.

    python benchmarks/masking.py [--output benchmarks/masking.json]

Both sides turn a batch's sentences into the padded arrays of ``Seq2SeqArrays``. Given the same draws,
the loop's arrays are equal to the masker's, which is checked before anything is timed. In the timing the
loop draws from Python's ``random``, in two ways:

    a generator a sentence    seeded by the sentence's key, so that a mask is a function of
                              (seed, epoch, index) alone, as ours is: the same function
    one generator for all     the least that a loop can do; masks depend on what was masked before
"""

import argparse
import platform
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple, Protocol, Sequence

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, installed or not

from benchmarks.harness.pairs import (  # noqa: E402
    Comparison,
    add_common_options,
    alternate,
    positive,
    processor,
    report,
)
from mass_plugins.data.collate import Seq2SeqArrays, pad_right  # noqa: E402
from mass_plugins.data.masker import Masker  # noqa: E402
from mass_plugins.data.random_state import (  # noqa: E402
    Draw,
    derive_keys,
    integers_at,
    sentence_keys,
    uniform,
    uniform_at,
)
from mass_plugins.data.replacement import Replacement  # noqa: E402
from mass_plugins.data.vocabulary import Vocabulary  # noqa: E402

PAD, EOS, MASK, FIRST_WORD, VOCABULARY_SIZE = 1, 2, 4, 5, 8000
PEERS = {
    "own generators": "a loop over sentences in Python, a generator a sentence",
    "one generator": "a loop over sentences in Python, one generator for all",
}
UNIT = "tokens per second and core"


class Setting(NamedTuple):
    name: str
    masking: str
    sentences: int
    length: int  # median; all equal in blocks
    replacement: Replacement = Replacement(0.8, 0.1, 0.1)


SETTINGS = (
    Setting("short sentences", "span", 250, 15),
    Setting("sentences", "span", 120, 25),
    Setting("long sentences", "span", 60, 64),
    Setting("blocks", "block", 8, 512),
    Setting("span mask alone", "span", 250, 15, Replacement(1, 0, 0)),
)


def make_sentences(setting: Setting, seed: int) -> list[np.ndarray]:
    """Token rows whose lengths are log-normal, spread as captions are; blocks are all full."""
    rng = np.random.default_rng(seed)
    spread = 0.0 if setting.masking == "block" else 0.35
    lengths = np.exp(rng.normal(np.log(setting.length), spread, setting.sentences)).round().astype(int)
    rows = [rng.integers(FIRST_WORD, VOCABULARY_SIZE, max(2, length)) for length in lengths]
    for row in rows:
        row[-1] = EOS
    return rows


def make_masker(setting: Setting) -> Masker:
    vocabulary = Vocabulary(MASK, PAD, EOS, ordinary=np.arange(FIRST_WORD, VOCABULARY_SIZE))
    return Masker(setting.masking, 0.5, setting.replacement, vocabulary)


# -- the peer


class Draws(Protocol):
    """Where the loop's random numbers come from, for one sentence."""

    def placement(self, window: int) -> Sequence[float]: ...

    def action(self, slot: int) -> float: ...

    def word(self, slot: int, bound: int) -> int: ...


class PythonDraws:
    """Python's generator, in the order in which the loop asks."""

    def __init__(self, key: int):
        self.random = random.Random(key).random

    def placement(self, window: int) -> Sequence[float]:
        return self.random(), self.random()

    def action(self, slot: int) -> float:
        return self.random()

    def word(self, slot: int, bound: int) -> int:
        return int(self.random() * bound)


class KeyedDraws:
    """The masker's own numbers of one sentence, for the check of equality."""

    def __init__(self, key: np.ndarray, masking: str, length: int, bound: int):
        slots = np.arange(length)
        self.placements = uniform(derive_keys(key, Draw.SPAN_PLACEMENT), 2).tolist()
        if masking == "block":  # a key for each window
            windows = uniform_at(derive_keys(key, Draw.WINDOWS), slots)
            keys = derive_keys((windows * 2.0**53).astype(np.uint64), Draw.WINDOWS)
            self.placements = uniform(derive_keys(keys, Draw.SPAN_PLACEMENT), 2).tolist()
        self.actions = uniform_at(derive_keys(key, Draw.REPLACEMENT), slots).tolist()
        self.words = integers_at(derive_keys(key, Draw.RANDOM_TOKEN), slots, bound).tolist()

    def placement(self, window: int) -> Sequence[float]:
        return self.placements[window]

    def action(self, slot: int) -> float:
        return self.actions[slot]

    def word(self, slot: int, bound: int) -> int:
        return self.words[slot]


def mask_sentence(tokens: list[int], masker: Masker, words: list[int], draws: Draws):
    """(source, previous, target, positions) of one sentence as lists; a span in each of its windows."""
    source, previous, target, positions = list(tokens), [], [], []
    keep_below = masker.replacement.mask + masker.replacement.keep
    window = masker.window if masker.masking == "block" else len(tokens)
    for begin in range(0, len(tokens), window):
        size = min(window, len(tokens) - begin)
        k = min(max(int(masker.ratio * size + 0.5), 1), size)
        where, place = draws.placement(begin // window)
        if where < 0.2:
            start = begin
        elif where < 0.4:
            start = begin + size - k
        else:
            start = begin + int(place * (size - k + 1))
        for slot in range(start, start + k):
            previous.append(tokens[slot - 1] if slot else EOS)
            target.append(tokens[slot])
            positions.append(slot)
            action = draws.action(slot)
            if action < masker.replacement.mask:
                source[slot] = MASK
            elif action >= keep_below:
                source[slot] = words[draws.word(slot, len(words))]
    return source, previous, target, positions


def pad_lists(rows: list[list[int]], padding: int) -> np.ndarray:
    """Lists of different lengths -> (B, width) int64."""
    padded = np.full((len(rows), max(map(len, rows))), padding, dtype=np.int64)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded


def mask_in_a_loop(rows: list[np.ndarray], masker: Masker, words: list[int], draws: Sequence[Draws]) -> Seq2SeqArrays:
    """The peer: ``draws`` holds one source of numbers a sentence."""
    masked = [mask_sentence(row.tolist(), masker, words, own) for row, own in zip(rows, draws)]
    source, previous, target, positions = zip(*masked)
    return Seq2SeqArrays(
        source=pad_lists(source, PAD),
        source_lengths=np.array([len(row) for row in rows]),
        prev_output=pad_lists(previous, PAD),
        target=pad_lists(target, PAD),
        positions=pad_lists(positions, 0),
    )


# -- ours


def mask_as_arrays(rows: list[np.ndarray], masker: Masker, keys: np.ndarray) -> Seq2SeqArrays:
    return masker(*pad_right(rows, PAD), keys)


def check_equality(rows: list[np.ndarray], masker: Masker, seed: int) -> None:
    """The loop with the masker's own draws must give the masker's arrays, in three epochs."""
    words = masker.vocabulary.ordinary.tolist()
    for epoch in range(1, 4):
        keys = sentence_keys(seed, epoch, np.arange(len(rows)))
        ours = mask_as_arrays(rows, masker, keys)
        draws = [
            KeyedDraws(keys[number : number + 1], masker.masking, len(row), len(words))
            for number, row in enumerate(rows)
        ]
        theirs = mask_in_a_loop(rows, masker, words, draws)
        for field in Seq2SeqArrays._fields:
            if not np.array_equal(getattr(ours, field), getattr(theirs, field)):
                raise AssertionError(f"{field} differs between the masker and the loop in epoch {epoch}")


def compare(setting: Setting, arguments: argparse.Namespace) -> list[Comparison]:
    """Time both loops and the masker on one batch, each call with the next epoch's draws."""
    seed = arguments.seed
    rows, masker = make_sentences(setting, seed), make_masker(setting)
    check_equality(rows, masker, seed)
    words, indices = masker.vocabulary.ordinary.tolist(), np.arange(len(rows))
    one_generator = [PythonDraws(seed)] * len(rows)

    def array_operations(epoch: int):
        mask_as_arrays(rows, masker, sentence_keys(seed, epoch, indices))

    def loop_with_own_generators(epoch: int):
        keys = sentence_keys(seed, epoch, indices).tolist()
        mask_in_a_loop(rows, masker, words, [PythonDraws(key) for key in keys])

    def loop_with_one_generator(epoch: int):
        mask_in_a_loop(rows, masker, words, one_generator)

    start = time.perf_counter()
    loop_with_one_generator(0)
    calls = max(1, round(arguments.seconds / (time.perf_counter() - start)))
    sides = {
        "ours": array_operations,
        "own generators": loop_with_own_generators,
        "one generator": loop_with_one_generator,
    }
    times = alternate(sides, arguments.pairs, calls, arguments.clock)
    name = f"masking, {setting.name} ({setting.sentences} x {setting.length})"
    work = calls * sum(map(len, rows))
    return [Comparison(name, peer, times["ours"], times[side], work, UNIT) for side, peer in PEERS.items()]


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="about how long the loop runs in one pair (default: 0.5)"
    )
    parser.add_argument("--seed", type=positive, default=1, help="of the sentences and the masks (default: 1)")
    arguments = parser.parse_args(argv)

    hardware = f"{processor()}, 1 core, Python {platform.python_version()}, NumPy {np.__version__}"
    records = []
    for setting in SETTINGS:
        settings = setting._asdict() | {"ratio": 0.5, "seed": arguments.seed, "clock": arguments.clock}
        for comparison in compare(setting, arguments):
            print(comparison.line(), flush=True)
            records.append(comparison.record(hardware, settings))
    report(records, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
