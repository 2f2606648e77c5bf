"""The sides of the masking benchmark of DupMAE: a batch by array operations, and by a loop over its examples.

Both go from token ids to what the model uses: masked tokens, their slots, and what each row of the decoder sees.
"""

import random
from typing import NamedTuple, Sequence

import numpy as np
import torch
from torch import Tensor

from mass_plugins.data import dupmae_masking, replacement, word_masking
from mass_plugins.data.collate import pad_right
from mass_plugins.data.dupmae_masking import PATTERNS, DupMaeMasker
from mass_plugins.data.random_state import derive_keys, hash_at, integers_at, sentence_keys, uniform_at
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.vocabulary import Vocabulary, WordMarks
from mass_plugins.modules.enhanced_decoder import visible_rows

PAD, CLS, SEP, MASK, FIRST = 0, 1, 2, 3, 5
CONTINUES = 0.3  # share of entries that continue a word


class Masks(NamedTuple):
    """A batch of B texts of up to S tokens."""

    source: Tensor  # (B, S) int64, right-padded: what the encoder reads
    masked: Tensor  # (B, S) bool
    visible: Tensor  # (B, S, S) bool: what each row of the decoder sees; rows of padding have no meaning


def make_masker(entries: int, seed: int = 0) -> DupMaeMasker:
    """For a vocabulary of ``entries``."""
    begins = np.random.default_rng(seed).random(entries) >= CONTINUES
    vocabulary = Vocabulary(MASK, PAD, SEP, np.arange(FIRST, entries))
    marks = WordMarks(begins, np.zeros(entries, dtype=bool))
    return DupMaeMasker(0.3, 0.5, Replacement(0.8, 0.1, 0.1), vocabulary, marks)


def make_texts(count: int, length: int, entries: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = [rng.integers(FIRST, entries, length - 2) for _ in range(count)]
    return [np.concatenate([[CLS], row, [SEP]]) for row in rows]


def mask_at_once(rows: Sequence[np.ndarray], masker: DupMaeMasker, keys: np.ndarray) -> Masks:
    """Our side: the masker's patterns, and the rows that the model makes of them."""
    found = masker(*pad_right(rows, PAD), keys)
    visible = visible_rows(*map(torch.from_numpy, found.patterns))
    return Masks(torch.from_numpy(found.source), torch.from_numpy(found.masked), visible)


# -- the peer: one example after the other


class KeyedDraws:
    """Our own numbers of one text, for the check of equality."""

    def __init__(self, key: np.ndarray, length: int, batch_words: int, entries: int):
        slots = np.arange(length)
        self.words = uniform_at(derive_keys(key, word_masking._WORDS), np.arange(batch_words)).tolist()[:length]
        self.actions = uniform_at(derive_keys(key, replacement._ACTION), slots).tolist()
        self.tokens = integers_at(derive_keys(key, replacement._TOKEN), slots, entries - FIRST).tolist()
        self.rows = integers_at(derive_keys(key, dupmae_masking._ROWS), slots, 1 << 30).tolist()
        counters = dupmae_masking._STRIDE * np.arange(min(length, PATTERNS))[:, None] + np.arange(-(-length // 4))
        bits = hash_at(derive_keys(key, dupmae_masking._PATTERNS), counters).view(np.uint16)[:, :length]
        self.positions = (bits.astype(np.int64) << 16 | slots).tolist()

    def shuffle(self, words: list[int]) -> list[int]:
        return sorted(words, key=lambda word: self.words[word])

    def action(self, slot: int) -> float:
        return self.actions[slot]

    def token(self, slot: int) -> int:
        return self.tokens[slot]

    def pattern(self, row: int, count: int) -> int:
        return self.rows[row] % count

    def hidden(self, pattern: int, length: int, count: int) -> list[int]:
        order = sorted(range(1, length), key=lambda slot: self.positions[pattern][slot])
        return order[:count]


class PythonDraws:
    """Python's generator, in the order in which the loop asks; a generator a text, as our masks are a text's own."""

    def __init__(self, key: int, entries: int):
        self.random, self.ordinary = random.Random(key), entries - FIRST

    def shuffle(self, words: list[int]) -> list[int]:
        return self.random.sample(words, len(words))

    def action(self, slot: int) -> float:
        return self.random.random()

    def token(self, slot: int) -> int:
        return int(self.random.random() * self.ordinary)

    def pattern(self, row: int, count: int) -> int:
        return int(self.random.random() * count)

    def hidden(self, pattern: int, length: int, count: int) -> list[int]:
        return self.random.sample(range(1, length), count)


def mask_text(tokens: list[int], begins: list[bool], draws) -> tuple[list[int], list[bool]]:
    """(masked tokens, which are masked): the release's whole-word masking of one text."""
    words: list[list[int]] = []
    for slot in range(1, len(tokens) - 1):
        if not words or begins[tokens[slot]]:
            words.append([slot])
        else:
            words[-1].append(slot)
    budget = min(max(1, int(0.3 * len(tokens) + 0.5)), len(tokens) - 2)
    source, masked, taken = list(tokens), [False] * len(tokens), 0
    order = draws.shuffle(list(range(1, len(words) + 1)))  # word 0 is [CLS]
    chosen = []
    for word in order:
        slots = words[word - 1]
        if taken + len(slots) <= budget:
            taken += len(slots)
            chosen.extend(slots)
    if not chosen and words:
        chosen = words[order[0] - 1][:budget]
    for slot in sorted(chosen):
        masked[slot] = True
        action = draws.action(slot)
        if action < 0.8:
            source[slot] = MASK
        elif action >= 0.9:
            source[slot] = FIRST + draws.token(slot)
    return source, masked


def visible_to(length: int, draws) -> list[list[bool]]:
    """Whether a row sees a position: patterns first, then row by row, as in the release."""
    count = min(length, PATTERNS)
    hidden = int(0.5 * (length - 1) + 0.5)
    patterns = []
    for number in range(count):
        pattern = [True] * length
        for slot in draws.hidden(number, length, hidden):
            pattern[slot] = False
        patterns.append(pattern)
    rows = []
    for row in range(length):
        seen = list(patterns[draws.pattern(row, count)])
        seen[row] = False
        seen[0] = True
        rows.append(seen)
    return rows


def mask_in_a_loop(rows: Sequence[np.ndarray], masker: DupMaeMasker, draws: Sequence) -> Masks:
    """The peer's side, text after text."""
    begins = masker.marks.begins.tolist()
    width = max(map(len, rows))
    sources, masks, visible = [], [], np.zeros((len(rows), width, width), dtype=bool)
    for number, row in enumerate(rows):
        source, masked = mask_text(row.tolist(), begins, draws[number])
        sources.append(np.array(source))
        masks.append(np.array(masked))
        visible[number, : len(row), : len(row)] = visible_to(len(row), draws[number])
    arrays = pad_right(sources, PAD)[0], pad_right(masks, 0)[0].astype(bool), visible
    return Masks(*map(torch.from_numpy, arrays))


def check_equality(rows: Sequence[np.ndarray], masker: DupMaeMasker, seed: int) -> None:
    """The loop with our draws must give our tensors, in two epochs; rows of padding are left out.

    Raises:
        AssertionError: it doesn't.
    """
    lengths = torch.tensor([len(row) for row in rows])
    width = int(lengths.max())
    real = torch.arange(width) < lengths[:, None]
    for epoch in (1, 2):
        keys = sentence_keys(seed, epoch, np.arange(len(rows)))
        draws = [KeyedDraws(keys[n : n + 1], len(row), width, len(masker.marks.begins)) for n, row in enumerate(rows)]
        ours, theirs = mask_at_once(rows, masker, keys), mask_in_a_loop(rows, masker, draws)
        ours = ours._replace(visible=ours.visible & real[:, :, None])
        for name, mine, other in zip(Masks._fields, ours, theirs):
            if mine.dtype != other.dtype or not torch.equal(mine, other):
                raise AssertionError(f"{name} differs between the arrays and the loop in epoch {epoch}")
