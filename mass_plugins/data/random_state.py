"""Counter-based random numbers: a sentence's draws depend on (seed, epoch, index) alone.

A draw is a hash of a key and a counter, so a whole batch is drawn with a few array operations and no
generator object exists whose state could depend on the batch, the worker or the number of processes.
The mixing function is the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
"""

import functools
from enum import IntEnum

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Draw(IntEnum):
    """What is drawn for a sentence; each has random numbers of its own.

    Every recorded result depends on the values: they stay as they are, and a new one takes a number that is free.
    ``STRING_SPAN`` and ``DECODER_PATTERNS`` have the same one, which does no harm: no text has both drawn.
    """

    SPAN_PLACEMENT = 11  # of MASS
    SCATTERED = 12
    WINDOWS = 13
    REPLACEMENT = 21  # of masked tokens
    RANDOM_TOKEN = 22
    INDEPENDENT = 23
    INFILLING_START = 31
    INFILLING_LENGTH = 32
    WORD_SHUFFLE = 33  # of denoising
    WORD_DROP = 34
    WORD_BLANK = 35
    MASKED_TOKENS = 41  # of a masked language model
    MASKED_WORDS = 42
    MASK_SETS = 43
    MASK_SET_REPLACEMENT = 44
    START_WITHIN_WORD = 45
    STRING_SPAN = 51  # of Mirror-BERT
    DECODER_PATTERNS = 51  # of DupMAE
    DECODER_ROWS = 52
    POSITIVE = 61  # of a query's group
    NEGATIVES = 62


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _as_uint64(value) -> np.ndarray:
    """Any integer(s), negative ones included, modulo 2^64, as an array (scalars would warn of overflow)."""
    if isinstance(value, np.ndarray):
        return value.astype(np.uint64, copy=False)
    return np.array([int(value) & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64)


def sentence_keys(seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
    """One key per sentence.

    Args:
        seed: the run's seed.
        epoch: 1-based; 0 is used for validation, whose masks never change.
        indices: (B,) int64, the sentences' places in the epoch.

    Returns:
        (B,) uint64.
    """
    key = _mix(_as_uint64(seed) + _GOLDEN)
    key = _mix(key ^ _as_uint64(epoch) * _GOLDEN + _GOLDEN)
    return _mix(key ^ _as_uint64(np.asarray(indices, dtype=np.int64)) * _GOLDEN + _GOLDEN)


def derive_keys(keys: np.ndarray, draw: int) -> np.ndarray:
    """Independent keys for another :class:`Draw` of the same sentences; same shape as ``keys``."""
    return _mix(keys ^ _draw_bits(draw))


@functools.cache
def _draw_bits(draw: int) -> np.ndarray:
    return _mix(_as_uint64(draw) + _GOLDEN)


def uniform(keys: np.ndarray, draws: int) -> np.ndarray:
    """``draws`` numbers in [0, 1) for each key: (B,) uint64 -> (B, draws) float64.

    The j-th number of a key doesn't depend on ``draws``, so padding a batch further changes nothing.
    """
    return uniform_at(keys[:, None], np.arange(draws, dtype=np.int64)[None, :])


def hash_at(keys: np.ndarray, counters: np.ndarray) -> np.ndarray:
    """64 random bits at each of the ``counters`` of ``keys`` (shapes broadcast), uint64."""
    return _mix(keys + (_as_uint64(counters) + np.uint64(1)) * _GOLDEN)


def uniform_at(keys: np.ndarray, counters: np.ndarray) -> np.ndarray:
    """The numbers in [0, 1) at the given ``counters`` of ``keys`` (shapes broadcast), float64."""
    return (hash_at(keys, counters) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers_at(keys: np.ndarray, counters: np.ndarray, bound: int | np.ndarray) -> np.ndarray:
    """Integers in [0, bound) at the given ``counters`` of ``keys`` (shapes broadcast), int64."""
    return np.minimum((uniform_at(keys, counters) * bound).astype(np.int64), bound - 1)
