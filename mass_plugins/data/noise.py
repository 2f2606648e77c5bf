"""Noise for denoising auto-encoders: BART's text infilling, and the word noise of unsupervised translation."""

import math
from dataclasses import dataclass

import numpy as np

from mass_plugins.data.random_state import Draw, derive_keys, uniform, uniform_at
from mass_plugins.errors import InputError


def infill(
    tokens: np.ndarray,
    lengths: np.ndarray,
    ratio: float,
    mean_span: float,
    mask_index: int,
    pad_index: int,
    keys: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Replace spans of Poisson length by a single ``[MASK]`` each; length 0 inserts one.

    Source: Lewis et al. 2020 (BART), section 2.2, which draws spans until 30 % of the tokens are
    covered. Here a span starts before each visible token with the one probability that covers ``ratio``
    of the tokens on average, so that a batch is noised column by column with array operations.
    ``</s>`` is never noised, and an empty span is left out where it would make a row longer than it was.

    Args:
        tokens: (B, S) int64, right-padded, each row ending in ``</s>``.
        lengths: (B,) int64.
        ratio: expected share of tokens replaced, in [0, 1).
        mean_span: mean of the Poisson distribution (BART: 3).
        keys: (B,) uint64.

    Returns:
        noised tokens (B, S') and their lengths (B,).
    """
    batch, width = tokens.shape
    starts = uniform(derive_keys(keys, Draw.INFILLING_START), width) < _start_probability(ratio, mean_span)
    span = _poisson(uniform(derive_keys(keys, Draw.INFILLING_LENGTH), width), mean_span)
    insert_mask = np.zeros((batch, width), dtype=bool)
    drop = np.zeros((batch, width), dtype=bool)
    remaining, room = np.zeros((2, batch), dtype=np.int64)  # room: tokens dropped less masks put in
    last = lengths - 1  # the slot of </s>
    for column in range(width):
        noisy = column < last
        opens = noisy & (remaining == 0) & starts[:, column] & ((span[:, column] > 0) | (room > 0))
        insert_mask[:, column] = opens
        remaining = np.where(opens, span[:, column], remaining)
        drop[:, column] = noisy & (remaining > 0)
        room += drop[:, column].astype(np.int64) - opens
        remaining = np.maximum(remaining - 1, 0)
    return _assemble(tokens, lengths, insert_mask, drop, mask_index, pad_index)


def _assemble(tokens, lengths, insert_mask, drop, mask_index, pad_index):
    """Write each row's kept tokens and inserted masks from left to right."""
    batch, width = tokens.shape
    keep = ~drop & (np.arange(width) < lengths[:, None])
    pieces = np.stack([np.full_like(tokens, mask_index), tokens], axis=2).reshape(batch, -1)
    chosen = np.stack([insert_mask, keep], axis=2).reshape(batch, -1)
    noised_lengths = chosen.sum(axis=1)
    noised = np.full((batch, int(noised_lengths.max())), pad_index, dtype=tokens.dtype)
    noised[np.arange(noised.shape[1]) < noised_lengths[:, None]] = pieces[chosen]
    return noised, noised_lengths


def _start_probability(ratio: float, mean_span: float) -> float:
    """q such that, over one decision, masked / (masked + kept) = ratio.

    A decision covers Poisson(mean) tokens with probability q, and keeps one token if it starts no span
    or an empty one: ratio = q m / (q m + 1 - q + q exp(-m)).
    """
    return ratio / (mean_span * (1 - ratio) + ratio * (1 - math.exp(-mean_span)))


def _poisson(uniforms: np.ndarray, mean: float) -> np.ndarray:
    """Poisson numbers by inversion of the cumulative distribution; the tail beyond 1 - 1e-12 is cut."""
    terms = [math.exp(-mean)]
    while sum(terms) < 1 - 1e-12 and len(terms) < 1000:
        terms.append(terms[-1] * mean / len(terms))
    return np.searchsorted(np.cumsum(terms), uniforms, side="right")


@dataclass(frozen=True)
class WordNoise:
    """Lample et al. 2018 (ICLR), section 2.3: words change places, vanish and are blanked out.

    Attributes:
        shuffle: a word moves at most this many places; 0: none does (paper: 3).
        drop: chance of a word to vanish (paper: 0.1).
        blank: chance of a token to become ``[MASK]`` (XLM: 0.1; paper: none).
    """

    shuffle: int = 3
    drop: float = 0.1
    blank: float = 0.1

    def __post_init__(self):
        if self.shuffle < 0:
            raise InputError(f"--word-shuffle {self.shuffle} is negative; 0 keeps the order")
        for flag, share in (("drop", self.drop), ("blank", self.blank)):
            if not 0 <= share < 1:
                raise InputError(f"--word-{flag} {share} is not in [0, 1)")


def add_word_noise(
    tokens: np.ndarray,
    lengths: np.ndarray,
    word_starts: np.ndarray,
    noise: WordNoise,
    mask_index: int,
    pad_index: int,
    keys: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Shuffle, drop and blank; the sub-words of a word stay together, and ``</s>`` stays last.

    At least one token before ``</s>`` stays, too, where there was one.

    Args:
        tokens: (B, S) int64, right-padded, each row ending in ``</s>``.
        lengths: (B,) int64.
        word_starts: (B, S) bool: a word begins at this slot.
        keys: (B,) uint64.

    Returns:
        noised tokens (B, S') and their lengths (B,).
    """
    width = tokens.shape[1]
    slots, last = np.arange(width), lengths[:, None] - 1
    starts = word_starts.copy()
    starts[:, :1] = True
    word = np.cumsum(starts, axis=1) - 1  # (B, S): number of the word that a slot belongs to
    place = word + uniform_at(derive_keys(keys, Draw.WORD_SHUFFLE)[:, None], word) * (noise.shuffle + 1)
    dropped = uniform_at(derive_keys(keys, Draw.WORD_DROP)[:, None], word) < noise.drop
    dropped &= ~dropped.all(axis=1, where=slots < last, keepdims=True)
    place[slots == last], dropped[slots == last] = np.inf, False
    dropped |= slots > last
    order = np.argsort(np.where(dropped, np.nan, place), axis=1, kind="stable")  # NaN, the dropped ones, go last
    noised_lengths = width - dropped.sum(axis=1)
    noised = np.take_along_axis(tokens, order, axis=1)
    blank = uniform_at(derive_keys(keys, Draw.WORD_BLANK)[:, None], slots[None, :]) < noise.blank
    blank &= slots < noised_lengths[:, None] - 1
    noised[blank] = mask_index
    noised[slots >= noised_lengths[:, None]] = pad_index
    return noised[:, : int(noised_lengths.max())], noised_lengths
