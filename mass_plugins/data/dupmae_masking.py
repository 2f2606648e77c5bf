"""What RetroMAE and DupMAE hide: whole words from the encoder, half of the text from each row of the decoder.

Xiao et al. 2022 (RetroMAE), sections 3.1 to 3.3; Liu et al. 2022 (DupMAE). The releases build both with loops in Python
over examples, rows and tokens; here they are array operations over the batch. The decoder's visibility is shipped as
patterns, of which each row has one, and becomes rows of S x S only where the attention is computed.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mass_plugins.data.random_state import Draw, derive_keys, hash_at, integers_at
from mass_plugins.data.replacement import Replacement, replace_tokens
from mass_plugins.data.vocabulary import Vocabulary, WordMarks
from mass_plugins.data.word_masking import as_slots, budgets, mask_words, word_starts
from mass_plugins.errors import InputError

PATTERNS = 256  # of a text at most, as in the release
_PATTERNS, _ROWS = Draw.DECODER_PATTERNS, Draw.DECODER_ROWS
_STRIDE = 1 << 14  # of a pattern's draws: room for texts of 65 536 tokens


class Patterns(NamedTuple):
    """Which positions the decoder's rows see.

    Attributes:
        seen: (B, N, S) bool; slot 0 is in every pattern, padding in none.
        of_row: (B, S) int64: the pattern of each row. A row never sees itself, whatever its pattern says.
    """

    seen: np.ndarray
    of_row: np.ndarray


class DupMaeArrays(NamedTuple):
    """One batch."""

    source: np.ndarray  # (B, S) int64: what the encoder reads
    text: np.ndarray  # (B, S) int64: the tokens as they are
    lengths: np.ndarray  # (B,) int64
    masked: np.ndarray  # (B, S) bool: slots whose token the encoder restores
    ordinary: np.ndarray  # (B, S) bool: slots whose token is a word's, not a special one
    patterns: Patterns


def sample_patterns(lengths: np.ndarray, ratio: float, keys: np.ndarray) -> Patterns:
    """``min(L, 256)`` patterns for each text, in each of which ``round(ratio * (L - 1))`` of slots 1 .. L-1 are hidden.

    Args:
        lengths: (B,) int64, L of each text, at least 1.
        ratio: share of the positions that a row doesn't see.
        keys: (B,) uint64.
    """
    width = int(lengths.max())
    slots, stream = np.arange(width), derive_keys(keys, _PATTERNS)
    seen = np.zeros((len(lengths), min(width, PATTERNS), width), dtype=bool)
    hidden = np.floor(ratio * (lengths - 1) + 0.5).astype(np.int64)
    for row, length in enumerate(lengths.tolist()):  # text by text, because one's draws fit into a core's cache
        count = min(length, PATTERNS)
        seen[row, :count, :length] = _draw_patterns(stream[row : row + 1, None], count, length, int(hidden[row]))
    rows = integers_at(derive_keys(keys, _ROWS)[:, None], slots[None], 1 << 30)
    return Patterns(seen, rows % np.minimum(lengths, PATTERNS)[:, None])


def _draw_patterns(key: np.ndarray, count: int, length: int, hidden: int) -> np.ndarray:
    """``count`` patterns of one text: (count, length) bool, False at ``hidden`` slots of each."""
    if hidden == 0:
        return np.ones((count, length), dtype=bool)
    # Four draws of 16 bits come of one hash; with the slot in the lower half no two are equal.
    counters = _STRIDE * np.arange(count)[:, None] + np.arange(-(-length // 4))
    order = hash_at(key, counters).view(np.uint16)[:, :length].astype(np.uint32)
    order <<= np.uint32(16)
    order |= np.arange(length, dtype=np.uint32)
    order[:, 0] = np.iinfo(np.uint32).max  # slot 0 is never hidden
    return order > np.partition(order, hidden - 1, axis=1)[:, hidden - 1 : hidden]


@dataclass(frozen=True)
class DupMaeMasker:
    """Both masks of a batch.

    Attributes:
        ratio: share of the tokens, ``[CLS]`` and ``[SEP]`` counted, masked for the encoder (0.3); whole words.
        decoder_ratio: share of the positions hidden from a decoder's row (0.5).
        replacement: what stands at a masked slot.
        vocabulary: special and ordinary ids.
        marks: where words begin.
    """

    ratio: float
    decoder_ratio: float
    replacement: Replacement
    vocabulary: Vocabulary
    marks: WordMarks
    _ordinary: np.ndarray = field(init=False)  # (V,) bool

    def __post_init__(self):
        for flag, value in (("--mask-ratio", self.ratio), ("--decoder-mask-ratio", self.decoder_ratio)):
            if not 0 < value <= 1:
                raise InputError(f"{flag} {value} is not in (0, 1]; the papers' are 0.3 and 0.5")
        object.__setattr__(self, "_ordinary", self.vocabulary.ordinary_table(len(self.marks.begins)))

    def __call__(self, tokens: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> DupMaeArrays:
        """Mask a batch.

        Args:
            tokens: (B, S) int64, ``[CLS] .. [SEP]``, right-padded.
            lengths: (B,) int64.
            keys: (B,) uint64, one a text; equal keys give equal masks.
        """
        ordinary = self._ordinary[tokens]
        budget = np.minimum(budgets(lengths, self.ratio), ordinary.sum(axis=1))
        masked = mask_words(word_starts(self.marks, tokens, ordinary), ordinary, budget, keys)
        voc = self.vocabulary
        source = replace_tokens(tokens, as_slots(masked), self.replacement, voc.mask, voc.ordinary, keys)
        patterns = sample_patterns(lengths, self.decoder_ratio, keys)
        return DupMaeArrays(source, tokens, lengths, masked, ordinary, patterns)
