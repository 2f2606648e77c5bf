"""Fully-explored masking (Zheng et al. 2020): the masks of one text share no token, and together they are all of it."""

from dataclasses import dataclass

import numpy as np

from mass_plugins.data.random_state import Draw, derive_keys, uniform
from mass_plugins.data.replacement import replace_tokens
from mass_plugins.data.word_masking import BertMasker, MaskedText, as_slots
from mass_plugins.errors import InputError


def disjoint_masks(maskable: np.ndarray, sets: int, keys: np.ndarray) -> np.ndarray:
    """One random permutation of each row's maskable slots, cut into ``sets`` parts whose sizes differ by 1 at most.

    Args:
        maskable: (B, S) bool.
        sets: K, at least 1.
        keys: (B,) uint64.

    Returns:
        (B, K, S) bool; every maskable slot is in just one of the K masks. A row with fewer slots than K has empty ones.
    """
    chance = uniform(derive_keys(keys, Draw.MASK_SETS), maskable.shape[1])
    order = np.argsort(np.where(maskable, chance, np.inf), axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(maskable.shape[1])[None, :], axis=1)  # of a slot in the permutation
    count = np.maximum(maskable.sum(axis=1), 1)[:, None]
    part = np.where(maskable, place * sets // np.maximum(count, sets), -1)  # (B, S)
    return part[:, None, :] == np.arange(sets)[None, :, None]


@dataclass(frozen=True)
class FullyExploredMasker(BertMasker):
    """Each text ``sets`` times, every maskable token masked in just one of them.

    Attributes:
        sets: K; ``ratio`` is 1 / K, as nearly as the text's length allows, and ``whole_words`` has no meaning.
    """

    sets: int = 2

    def __post_init__(self):
        super().__post_init__()
        if self.sets < 1:
            raise InputError(f"--mask-sets {self.sets} is not 1 or more")
        if self.whole_words:
            raise InputError("--mask-sets cuts single tokens into sets; leave out --whole-words")

    def __call__(self, tokens: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> MaskedText:
        """(B, S) texts -> (R, S), the K rows of a text one after the other; rows that would have no mask are left out.

        Of what stands at masked slots, every row draws anew.
        """
        voc = self.vocabulary
        masks = disjoint_masks(self.ordinary[tokens], self.sets, keys)  # (B, K, S)
        row, number = np.nonzero(masks.any(axis=2))
        if not len(row):  # nothing to mask at all: texts of special tokens alone
            return MaskedText(tokens, lengths, np.full_like(tokens, voc.pad))
        masked, text = masks[row, number], tokens[row]
        own_keys = derive_keys(keys[row], Draw.MASK_SET_REPLACEMENT)
        own_keys = np.array(own_keys + number.astype(np.uint64), dtype=np.uint64)
        source = replace_tokens(text, as_slots(masked), self.replacement, voc.mask, voc.ordinary, own_keys)
        return MaskedText(source, lengths[row], np.where(masked, text, voc.pad))
