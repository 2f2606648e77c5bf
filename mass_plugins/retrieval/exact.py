"""The exact score of every document, block by block: vectors, bag-of-words parts, or their sum.

    score(q, d) = h'_q . h'_d + sum over i in top-k(d) of mu_q[i] * mu_d[i]        (DupMAE, section 3.3)

The query's ``mu`` is dense and signed, so an inverted index would touch every posting; the documents' sparse matrix
times the dense queries is exact.

A score must not depend on what else is in its block: the order of the sums in a matrix product does, so documents that
are equal would be swapped. The vectors' products are summed in float64 and rounded, which leaves nothing of it unless a
sum lies within 1e-15 of the middle of two float32 values; the words' sums go entry by entry.
"""

from typing import Iterator, NamedTuple, Optional, Sequence

import numpy as np
import torch
from scipy import sparse

from mass_plugins.retrieval.representations import Parts, Representations, given
from mass_plugins.retrieval.top import RunningTop, Top

PARTS = ("cls", "ot", "both")


class Block(NamedTuple):
    """Documents that follow each other in an index."""

    first: int  # place of the first one
    parts: Parts


class Scorer:
    """The scores of some queries with any documents.

    Args:
        queries: their vectors (Q, d) and dense values (Q, V), as far as ``which`` needs them.
        which: ``cls``, ``ot`` or ``both``.
        query_top: keep this many values of a query, the largest in absolute value: an approximation. None: all.
    """

    def __init__(self, queries: Parts, which: str, query_top: Optional[int] = None):
        self._vectors = given(queries.cls) if which in ("cls", "both") else None
        self._exactly = None if self._vectors is None else self._vectors.astype(np.float64)
        self._words = given(queries.dense) if which in ("ot", "both") else None
        self._cut = None if self._words is None or query_top is None else cut_queries(self._words, query_top)
        self._transposed = (
            None if self._words is None else torch.from_numpy(np.ascontiguousarray(self._words.T))
        )  # (V, Q)

    @property
    def queries(self) -> int:
        return len(given(self._words if self._vectors is None else self._vectors))

    def scores(self, documents: Parts) -> np.ndarray:
        """(Q, n) float32."""
        found = []
        if self._exactly is not None:
            found.append((self._exactly @ given(documents.cls).astype(np.float64).T).astype(np.float32))
        if self._cut is not None:
            found.append((self._cut @ invert(documents, self._cut.shape[1])).toarray())
        elif self._transposed is not None:
            found.append(_gather(documents, self._transposed))
        return found[0] if len(found) == 1 else np.add(found[0], found[1], out=found[0])

    def pairs(self, documents: Parts) -> np.ndarray:
        """(Q, n) scores of documents that are each query's own: every array of ``documents`` is (Q, n, ..)."""
        total = np.float32(0)
        if self._vectors is not None:
            total = total + np.einsum("qd,qnd->qn", self._vectors, given(documents.cls))
        if self._words is not None:
            dense = self._words if self._cut is None else self._cut.toarray()
            index, value = given(documents.entries), given(documents.values)
            total = total + np.einsum("qnk,qnk->qn", dense[np.arange(len(dense))[:, None, None], index], value)
        return np.asarray(total, dtype=np.float32)


def _gather(documents: Parts, transposed: torch.Tensor) -> np.ndarray:
    """Sparse times dense as a weighted sum of rows: (n, k) entries and values, (V, Q) -> (Q, n).

    torch's ``embedding_bag`` is the same sums as a CSR product, five times as fast as SciPy's on a CPU.
    """
    index, value = torch.from_numpy(given(documents.entries)), torch.from_numpy(given(documents.values))
    wide = transposed.repeat(1, 2) if transposed.shape[1] == 1 else transposed  # one alone is summed otherwise
    found = torch.nn.functional.embedding_bag(index, wide, per_sample_weights=value, mode="sum")
    return found.numpy().T[: transposed.shape[1]]


def cut_queries(dense: np.ndarray, top: int) -> sparse.csr_array:
    """(Q, V) with the ``top`` largest absolute values of each row, the earlier entry first among equal ones."""
    count, width = dense.shape
    top = min(top, width)
    best = RunningTop(count, top)
    best.add(np.abs(dense), 0)
    columns = np.sort(best.result().rows, axis=1)
    values = np.take_along_axis(dense, columns, axis=1)
    return sparse.csr_array((values.ravel(), columns.ravel(), np.arange(0, count * top + 1, top)), shape=(count, width))


def invert(documents: Parts, vocabulary: int) -> sparse.csr_array:
    """(n, k) entries and values -> (V, n) by entry."""
    index, value = given(documents.entries), given(documents.values)
    count, k = index.shape
    by_document = sparse.csr_array(
        (value.ravel(), index.ravel(), np.arange(0, count * k + 1, k)), shape=(count, vocabulary)
    )
    return by_document.T.tocsr()


def search_exactly(scorer: Scorer, blocks: Iterator[Block], size: int) -> Top:
    """The best ``size`` of all documents for each query; ties as in :class:`RunningTop`."""
    top = RunningTop(scorer.queries, size)
    for block in blocks:
        top.add(scorer.scores(block.parts), block.first)
    return top.result()


def blocks_of(shards: Sequence[Representations], size: int) -> Iterator[Block]:
    """All documents of an index, ``size`` at a time: what is in memory at once."""
    first = 0
    for shard in shards:
        for begin, parts in shard.blocks(size):
            yield Block(first + begin, parts)
        first += len(shard)
