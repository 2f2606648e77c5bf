"""Which tokens of a text an encoder has to restore: scattered tokens or whole words, for a whole batch at once."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mass_plugins.data.random_state import Draw, derive_keys, integers_at, uniform, uniform_at
from mass_plugins.data.replacement import Replacement, replace_tokens
from mass_plugins.data.span_masking import Slots
from mass_plugins.data.vocabulary import Vocabulary, WordMarks
from mass_plugins.errors import InputError

_TOKENS, _WORDS, _WITHIN = Draw.MASKED_TOKENS, Draw.MASKED_WORDS, Draw.START_WITHIN_WORD


def budgets(lengths: np.ndarray, ratio: float) -> np.ndarray:
    """Tokens to mask, ``max(1, round(ratio * length))``, halves rounded up; 0 of nothing. (B,) int64 -> (B,) int64."""
    return np.minimum(np.maximum(np.floor(ratio * lengths + 0.5).astype(np.int64), 1), lengths)


def mask_tokens(maskable: np.ndarray, budget: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """``budget`` tokens of each row, drawn without replacement.

    Args:
        maskable: (B, S) bool.
        budget: (B,) int64, at most the maskable slots of a row.
        keys: (B,) uint64.

    Returns:
        (B, S) bool.
    """
    chance = uniform(derive_keys(keys, _TOKENS), maskable.shape[1])
    order = np.argsort(np.where(maskable, chance, np.inf), axis=1, kind="stable")
    masked = np.zeros_like(maskable)
    np.put_along_axis(masked, order, np.arange(maskable.shape[1]) < budget[:, None], axis=1)
    return masked


def mask_words(starts: np.ndarray, maskable: np.ndarray, budget: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Whole words of each row, ``budget`` tokens at most.

    The words are shuffled and taken one after the other; one that would exceed the rest of the budget is skipped. If
    every word exceeds the budget, ``budget`` tokens in a row of one word are masked, wherever in it: never nothing.
    Source: Liu et al. 2022 (DupMAE), section 3; BERT's own whole-word masking does the like.

    Args:
        starts: (B, S) bool, slots where a word begins.
        maskable: (B, S) bool; other tokens are never masked and count for nothing.
        budget: (B,) int64, as for :func:`mask_tokens`.
        keys: (B,) uint64.

    Returns:
        (B, S) bool.
    """
    rows = np.arange(len(starts))
    word = np.maximum(np.cumsum(starts, axis=1) - 1, 0)  # (B, S): number of the word that a slot belongs to
    words = int(word.max(initial=0)) + 1
    flat = (rows[:, None] * words + word)[maskable]
    sizes = np.bincount(flat, minlength=len(rows) * words).reshape(len(rows), words)
    chance = uniform_at(derive_keys(keys, _WORDS)[:, None], np.arange(words)[None, :])
    order = np.argsort(np.where(sizes > 0, chance, np.inf), axis=1, kind="stable")
    chosen = _take_in_order(np.take_along_axis(sizes, order, axis=1), budget)
    taken = np.zeros(sizes.shape, dtype=bool)
    np.put_along_axis(taken, order, chosen, axis=1)
    masked = np.take_along_axis(taken, word, axis=1) & maskable
    nothing = ~masked.any(axis=1) & (budget > 0)
    if nothing.any():
        long = (word == order[:, :1]) & maskable & nothing[:, None]
        place, left = np.cumsum(long, axis=1) - 1, np.maximum(long.sum(axis=1) - budget, 0)
        begin = integers_at(derive_keys(keys, _WITHIN), np.zeros(len(keys), dtype=np.int64), left + 1)[:, None]
        masked |= long & (place >= begin) & (place < begin + budget[:, None])
    return masked


def _take_in_order(sizes: np.ndarray, budget: np.ndarray) -> np.ndarray:
    """(B, W) sizes, each taken from left to right if it fits into what is left of the budget: (B, W) bool."""
    left, chosen = budget.copy(), np.zeros(sizes.shape, dtype=bool)
    for column, size in enumerate(sizes.T):
        take = (size > 0) & (size <= left)
        chosen[:, column] = take
        left -= np.where(take, size, 0)
        if not left.any():
            break
    return chosen


class MaskedText(NamedTuple):
    """One batch; ``source`` differs from the text at masked slots alone."""

    source: np.ndarray  # (B, S) int64
    lengths: np.ndarray  # (B,) int64
    target: np.ndarray  # (B, S) int64: the text's token at masked slots, padding elsewhere


@dataclass(frozen=True)
class BertMasker:
    """BERT's masking (Devlin et al. 2019, section 3.1).

    Attributes:
        ratio: share of the ordinary tokens that is masked, specials never are (BERT: 0.15).
        whole_words: all tokens of a word or none.
        replacement: what stands at a masked slot.
        vocabulary: special and ordinary ids.
        marks: where words begin.
    """

    ratio: float
    whole_words: bool
    replacement: Replacement
    vocabulary: Vocabulary
    marks: WordMarks
    ordinary: np.ndarray = field(init=False)  # (V,) bool

    def __post_init__(self):
        if not 0 < self.ratio <= 1:
            raise InputError(f"--mask-ratio {self.ratio} is not in (0, 1]; BERT's is 0.15")
        object.__setattr__(self, "ordinary", self.vocabulary.ordinary_table(len(self.marks.begins)))

    def __call__(self, tokens: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> MaskedText:
        """Mask a batch.

        Args:
            tokens: (B, S) int64, ``[CLS] .. [SEP]``, right-padded.
            lengths: (B,) int64.
            keys: (B,) uint64, one a text; equal keys give equal masks.
        """
        voc = self.vocabulary
        maskable = self.ordinary[tokens]
        budget = budgets(maskable.sum(axis=1), self.ratio)
        if self.whole_words:
            masked = mask_words(word_starts(self.marks, tokens, maskable), maskable, budget, keys)
        else:
            masked = mask_tokens(maskable, budget, keys)
        source = replace_tokens(tokens, as_slots(masked), self.replacement, voc.mask, voc.ordinary, keys)
        return MaskedText(source, lengths, np.where(masked, tokens, voc.pad))


def word_starts(marks: WordMarks, tokens: np.ndarray, ordinary: np.ndarray) -> np.ndarray:
    """(B, S) bool: where a word begins in texts ``[CLS] .. [SEP]``, also after a special token in the midst of one.

    Args:
        tokens: (B, S) int64.
        ordinary: (B, S) bool, slots that hold no special token.
    """
    starts = marks.word_starts(tokens)
    starts[:, :2] = True  # [CLS], and the text's first word
    starts[:, 1:] |= ~ordinary[:, :-1]
    return starts


def as_slots(masked: np.ndarray) -> Slots:
    """(B, S) bool -> the slots that are True, ascending in each row."""
    counts = masked.sum(axis=1)
    order = np.argsort(~masked, axis=1, kind="stable")
    return Slots(order[:, : int(counts.max(initial=0))], counts)
