"""Tatoeba's measure: how often the nearest neighbour of a sentence is its translation (Artetxe and Schwenk 2019)."""

from typing import Any, Mapping, NamedTuple

import numpy as np

from mass_plugins.scoring.unit_rows import unit_rows

HITS = ("forward_hits", "backward_hits")
_AT_ONCE = 4096  # sentences whose similarities to all others exist at once


class BitextAccuracy(NamedTuple):
    """Percent, of N pairs, each way; and which sentences are right, (N,) bool each way."""

    forward: float  # source -> target
    backward: float
    pairs: int
    forward_hits: np.ndarray
    backward_hits: np.ndarray

    @property
    def mean(self) -> float:
        return (self.forward + self.backward) / 2

    def record(self) -> dict[str, Any]:
        """As JSON takes it; the hits as a text of 0 and 1, a character per sentence."""
        hits = {name: "".join(map(str, getattr(self, name).astype(int))) for name in HITS}
        return {**self._asdict(), **hits}


def signature(sizes: Mapping[str, int]) -> str:
    """What a number depends on besides the vectors; ``sizes``: pairs of each language, by name."""
    pairs = ",".join(f"{language}:{size}" for language, size in sorted(sizes.items()))
    return f"accuracy|percent|nearest by cosine|ties: wrong|pairs: {pairs}"


def bitext_accuracy(source: np.ndarray, target: np.ndarray) -> BitextAccuracy:
    """Row i of the one is the translation of row i of the other.

    A sentence counts where its translation is nearer than every other sentence; as near as another is not right, so
    vectors that are all alike score 0.

    Args:
        source, target: (N, D), any length; a row of zeros is as far from all.
    """
    if source.shape != target.shape or not len(source):
        raise ValueError(f"vectors of {source.shape} and {target.shape}; both sides of the pairs are needed")
    source, target = (unit_rows(rows) for rows in (source, target))
    there, back = _hits(source, target), _hits(target, source)
    return BitextAccuracy(100 * float(there.mean()), 100 * float(back.mean()), len(source), there, back)


def _hits(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    right = []
    for begin in range(0, len(queries), _AT_ONCE):
        own = np.arange(begin, min(begin + _AT_ONCE, len(queries)))
        scores = queries[own] @ keys.T
        right.append((scores >= scores[np.arange(len(own)), own][:, None]).sum(axis=1) == 1)
    return np.concatenate(right)
