"""Which slots of a sentence are masked and predicted: MASS's contiguous span and its relatives.

A *slot* is a zero-based position of ``x = x_0 .. x_{L-1}`` (sub-words and the closing ``</s>``). Each
function draws slots for a whole batch with array operations; randomness comes from per-sentence keys
(:mod:`mass_plugins.data.random_state`). Sources: Song et al. 2019 (MASS), section 3.2 and figure 5;
the releases lay one span length over the whole batch, here each sentence has its own.
"""

from typing import NamedTuple

import numpy as np

from mass_plugins.data.random_state import Draw, derive_keys, uniform, uniform_at

AT_BEGINNING, AT_END = 0.2, 0.2  # the remaining 60 % start anywhere


class Slots(NamedTuple):
    """``slots`` (B, K) int64, ascending in each row, valid where the column is < ``counts`` (B,) int64."""

    slots: np.ndarray
    counts: np.ndarray

    def valid(self) -> np.ndarray:
        """(B, K) bool: which columns of ``slots`` are real."""
        return np.arange(self.slots.shape[1]) < self.counts[:, None]


def span_lengths(lengths: np.ndarray, ratio: float) -> np.ndarray:
    """``k = clamp(round(ratio * L), 1, L)``, halves rounded up: (B,) int64 -> (B,) int64."""
    return np.clip(np.floor(ratio * lengths + 0.5).astype(np.int64), 1, lengths)


def sample_spans(lengths: np.ndarray, ratio: float, keys: np.ndarray) -> Slots:
    """One contiguous span per sentence: 20 % at its beginning, 20 % at its end, 60 % anywhere.

    Args:
        lengths: (B,) int64, tokens of each sentence including ``</s>``, at least 1.
        ratio: share of a sentence's tokens in its span, in (0, 1].
        keys: (B,) uint64.
    """
    k = span_lengths(lengths, ratio)
    placement = uniform(derive_keys(keys, Draw.SPAN_PLACEMENT), 2)
    last_start = lengths - k
    anywhere = np.minimum((placement[:, 1] * (last_start + 1)).astype(np.int64), last_start)
    start = np.where(
        placement[:, 0] < AT_BEGINNING,
        0,
        np.where(placement[:, 0] < AT_BEGINNING + AT_END, last_start, anywhere),
    )
    return Slots(start[:, None] + np.arange(k.max()), k)


def sample_scattered(lengths: np.ndarray, ratio: float, keys: np.ndarray) -> Slots:
    """The *Discrete* ablation: as many masked tokens as a span would have, drawn without replacement."""
    k = span_lengths(lengths, ratio)
    order = uniform(derive_keys(keys, Draw.SCATTERED), int(lengths.max()))
    order[np.arange(order.shape[1]) >= lengths[:, None]] = np.inf
    slots = np.argsort(order, axis=1, kind="stable")[:, : k.max()]
    slots = np.where(np.arange(k.max()) < k[:, None], slots, np.iinfo(np.int64).max)
    slots.sort(axis=1)  # unused columns sort to the end
    return Slots(np.where(slots == np.iinfo(np.int64).max, 0, slots), k)


def sample_windows(lengths: np.ndarray, ratio: float, keys: np.ndarray, window: int) -> Slots:
    """Block mode: one span of ``ratio * window`` tokens within each window of ``window`` tokens.

    The last window of a block may be shorter; its span is ``ratio`` of its own length. Source: the
    release's summarization fork.
    """
    rows, starts, sizes = _windows(lengths, window)
    window_keys = (uniform_at(derive_keys(keys, Draw.WINDOWS)[rows], starts // window) * 2.0**53).astype(np.uint64)
    spans = sample_spans(sizes, ratio, derive_keys(window_keys, Draw.WINDOWS))

    counts = np.bincount(rows, weights=spans.counts, minlength=len(lengths)).astype(np.int64)
    slots = np.zeros((len(lengths), counts.max()), dtype=np.int64)
    real = spans.valid()
    flat_rows = np.repeat(rows, spans.counts)
    row_starts = np.cumsum(counts) - counts
    flat_columns = np.arange(len(flat_rows)) - row_starts[flat_rows]
    slots[flat_rows, flat_columns] = (spans.slots + starts[:, None])[real]
    return Slots(slots, counts)


def _windows(lengths: np.ndarray, window: int):
    """(row, start, size) of every window of every block, in reading order, each (W,) int64."""
    per_row = -(-lengths // window)
    rows = np.repeat(np.arange(len(lengths)), per_row)
    first = np.cumsum(per_row) - per_row
    starts = (np.arange(len(rows)) - first[rows]) * window
    return rows, starts, np.minimum(window, lengths[rows] - starts)
