"""The best K of a stream of scores, exactly: equal scores keep the order of the documents."""

from typing import NamedTuple

import numpy as np


class Top(NamedTuple):
    """Best first; where fewer than K documents were seen, the row ends with ``row`` -1 and ``score`` -inf."""

    rows: np.ndarray  # (Q, K) int64, a document's place in the index
    scores: np.ndarray  # (Q, K) float32


class RunningTop:
    """Takes the scores of block after block of documents, in the order of their places in the index.

    The rule for ties: of two documents with the same float32 score, the one that comes first in the index is ahead.
    Later blocks must hold later documents; scores are finite, -inf leaves a document out.

    Args:
        queries: Q.
        size: K.
    """

    def __init__(self, queries: int, size: int):
        self._rows = np.full((queries, size), -1, dtype=np.int64)
        self._scores = np.full((queries, size), -np.inf, dtype=np.float32)
        self._size = size

    def add(self, scores: np.ndarray, first_row: int) -> None:
        """(Q, n) float32 scores of documents ``first_row`` .. ``first_row + n - 1``."""
        # An equal score of a later document loses, so only what is above the last of the K comes in question.
        bar = self._scores[:, -1:]
        if scores.shape[1] > 4 * self._size:
            bar = np.maximum(bar, np.nextafter(_kth_largest(scores, self._size), np.float32(-np.inf)))
        queries, columns = np.nonzero(scores > bar)
        if len(queries):
            self._merge(queries, columns + first_row, scores[queries, columns])

    def add_candidates(self, rows: np.ndarray, scores: np.ndarray) -> None:
        """(Q, n) documents in any order with their scores; -1 stands for none; scores are compared as they are."""
        queries, columns = np.nonzero((rows >= 0) & (scores > -np.inf))
        self._merge(queries, rows[queries, columns], scores[queries, columns])

    def _merge(self, queries: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> None:
        """Candidates, three (C,) arrays, into the table."""
        touched, local = np.unique(queries, return_inverse=True)
        old_queries, old_columns = np.nonzero(self._rows[touched] >= 0)
        local = np.concatenate([old_queries, local])
        rows = np.concatenate([self._rows[touched][old_queries, old_columns], rows])
        scores = np.concatenate([self._scores[touched][old_queries, old_columns], scores])
        order = np.lexsort((rows, -scores, local))
        local, rows, scores = local[order], rows[order], scores[order]
        begins = np.searchsorted(local, np.arange(len(touched)))
        place = np.arange(len(local)) - begins[local]
        kept = place < self._size
        target = touched[local[kept]], place[kept]
        self._rows[target], self._scores[target] = rows[kept], scores[kept]

    def result(self) -> Top:
        return Top(self._rows, self._scores)


def _kth_largest(scores: np.ndarray, k: int) -> np.ndarray:
    """(Q, 1) of (Q, n)."""
    return np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k][:, None]
