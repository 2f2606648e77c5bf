"""BART's text infilling, the denoising objective that MASS is compared with."""

import math

import numpy as np

from mass_plugins.data.random_state import derive_keys, uniform

_START, _LENGTH = 31, 32


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
    starts = uniform(derive_keys(keys, _START), width) < _start_probability(ratio, mean_span)
    span = _poisson(uniform(derive_keys(keys, _LENGTH), width), mean_span)
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
