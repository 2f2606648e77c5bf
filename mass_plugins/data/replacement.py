"""What stands at a masked slot: ``[MASK]``, a random token, or the token itself."""

from typing import NamedTuple

import numpy as np

from mass_plugins.data.random_state import Draw, derive_keys, integers_at, uniform_at
from mass_plugins.data.span_masking import Slots
from mass_plugins.errors import InputError

_ACTION, _TOKEN = Draw.REPLACEMENT, Draw.RANDOM_TOKEN


class Replacement(NamedTuple):
    """Shares of masked slots that become ``[MASK]``, stay, or become a random ordinary token."""

    mask: float
    keep: float
    random: float

    @classmethod
    def parse(cls, text: str) -> "Replacement":
        """``"0.8,0.1,0.1"`` (the order of ``--mask-keep-rand``); the three must sum to 1."""
        try:
            shares = [float(part) for part in text.split(",")]
        except ValueError:
            shares = []
        if len(shares) != 3 or not all(share >= 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
            raise InputError(f"--mask-keep-rand {text!r} is not three shares that sum to 1; set it like 0.8,0.1,0.1")
        return cls(*shares)


def replace_tokens(
    tokens: np.ndarray,
    masked: Slots,
    replacement: Replacement,
    mask_index: int,
    ordinary_tokens: np.ndarray,
    keys: np.ndarray,
) -> np.ndarray:
    """Copy of ``tokens`` with the masked slots replaced; every other slot is untouched.

    Args:
        tokens: (B, S) int64, right-padded.
        masked: the slots to replace.
        replacement: shares of the three actions, drawn for each slot by itself.
        mask_index: id of ``[MASK]``.
        ordinary_tokens: (V',) int64, the ids that may stand in as random tokens.
        keys: (B,) uint64.
    """
    rows, columns = np.nonzero(masked.valid())
    slots = masked.slots[rows, columns]
    action = uniform_at(derive_keys(keys, _ACTION)[rows], slots)
    source = tokens.copy()
    hidden = action < replacement.mask
    source[rows[hidden], slots[hidden]] = mask_index
    changed = action >= replacement.mask + replacement.keep
    rows, slots = rows[changed], slots[changed]
    drawn = integers_at(derive_keys(keys, _TOKEN)[rows], slots, len(ordinary_tokens))
    source[rows, slots] = ordinary_tokens[drawn]
    return source


def mask_independently(
    tokens: np.ndarray, lengths: np.ndarray, ratio: float, mask_index: int, keys: np.ndarray
) -> np.ndarray:
    """Each token but the closing ``</s>`` becomes ``[MASK]`` with probability ``ratio``.

    The source side of supervised pre-training (Song et al. 2019, the release's supervised fork).
    """
    columns = np.arange(tokens.shape[1])
    chance = uniform_at(derive_keys(keys, Draw.INDEPENDENT)[:, None], columns[None, :])
    return np.where((chance < ratio) & (columns < lengths[:, None] - 1), mask_index, tokens)
