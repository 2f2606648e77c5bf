"""Vectors of a language's tokens from the company that they keep.

Positive pointwise mutual information with the tokens around, contexts smoothed by an exponent of 0.75, and its
truncated singular value decomposition, the singular values shared by both sides (Levy et al. 2015, sections 3 and 5).
"""

from typing import Iterator, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mass_plugins.errors import InputError

_CHUNK = 1 << 20  # tokens counted at a time
_SMOOTHING = 0.75


class TokenVectors(NamedTuple):
    """Tokens of one language, the most frequent first.

    Attributes:
        tokens: (N,) int64, their ids.
        vectors: (N, D) float32 of unit length.
        shares: (N,) float64, of the language's text.
    """

    tokens: np.ndarray
    vectors: Tensor
    shares: np.ndarray


def token_vectors(
    text: np.ndarray, ordinary: np.ndarray, dim: int = 256, window: int = 10, min_count: int = 10
) -> TokenVectors:
    """Vectors of the tokens of a text.

    Args:
        text: (T,) sentences one after another, each ended by ``</s>``.
        ordinary: (V,) bool, of the vocabulary; the others are special, and no window reaches over one, like ``</s>``.
        window: tokens to either side; one at distance d counts 1 / d.
        min_count: rarer tokens have no vector, nor have those without any company that stands out.

    Raises:
        InputError: fewer tokens than dimensions are left.
    """
    counts = np.bincount(text, minlength=len(ordinary)) * ordinary
    tokens = np.flatnonzero(counts >= min_count)
    tokens = tokens[np.argsort(-counts[tokens], kind="stable")]
    rows = np.full(len(ordinary), -1)
    rows[tokens] = np.arange(len(tokens))
    information = positive_information(count_neighbours(text, rows, ordinary, window, len(tokens)))
    known = np.unique(information.indices()[0].numpy())
    if len(known) < dim:
        raise InputError(
            f"{len(known)} tokens occur {min_count} times or more beside others, too few for {dim} dimensions; give "
            "more text, or a smaller --min-count or --dim"
        )
    vectors = unit(decompose(information, dim)[known])
    return TokenVectors(tokens[known], vectors, counts[tokens[known]] / counts.sum())


def count_neighbours(text: np.ndarray, rows: np.ndarray, ordinary: np.ndarray, window: int, size: int) -> Tensor:
    """(size, size) sparse: how often two tokens are neighbours, 1 / distance each time.

    Args:
        rows: (V,) row of each id, -1 of those that don't count but take their place.
        ordinary: (V,) bool; any other id ends what is before it.
    """
    keys, weights = np.empty(0, dtype=np.int64), np.empty(0)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    for found in _neighbours(text, rows, ordinary, window, size):
        waiting.append(_added_up(*found))
        if sum(len(some) for some, _ in waiting) > len(keys):  # so that all is sorted few times
            keys, weights = _joined([(keys, weights), *waiting])
            waiting = []
    keys, weights = _joined([(keys, weights), *waiting])
    places = torch.from_numpy(np.stack([keys // size, keys % size]) if len(keys) else np.empty((2, 0), dtype=np.int64))
    one_way = torch.sparse_coo_tensor(places, torch.from_numpy(weights), (size, size), check_invariants=True)
    return (one_way + one_way.t()).coalesce()


def _neighbours(text, rows, ordinary, window, size) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Keys ``row * size + row of a later token`` with their weights, a chunk of the text at a time."""
    for start in range(0, len(text), _CHUNK):
        piece = text[start : start + _CHUNK + window]
        row, sentence = rows[piece], np.cumsum(~ordinary[piece])
        keys, weights = [], []
        for distance in range(1, min(window, len(piece) - 1) + 1):
            left = slice(0, min(_CHUNK, len(piece) - distance))
            right = slice(distance, left.stop + distance)
            both = (row[left] >= 0) & (row[right] >= 0) & (sentence[left] == sentence[right])
            keys.append(row[left][both] * size + row[right][both])
            weights.append(np.full(len(keys[-1]), 1 / distance))
        if keys:
            yield np.concatenate(keys), np.concatenate(weights)


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return _added_up(np.concatenate([keys for keys, _ in parts]), np.concatenate([weights for _, weights in parts]))


def _added_up(keys: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each key once, ascending, with the sum of its weights."""
    order = np.argsort(keys, kind="stable")
    keys, weights = keys[order], weights[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts], np.add.reduceat(weights, starts) if len(starts) else weights


def positive_information(counts: Tensor) -> Tensor:
    """max(0, PMI) of counted neighbours, sparse."""
    totals = counts.sum(1).to_dense()
    contexts = totals**_SMOOTHING
    rows, columns = counts.indices()
    values = torch.log(counts.values() * contexts.sum() / (totals[rows] * contexts[columns])).clamp(min=0)
    kept = values > 0
    places = torch.stack([rows[kept], columns[kept]])
    return torch.sparse_coo_tensor(places, values[kept].float(), counts.shape, check_invariants=True).coalesce()


def decompose(matrix: Tensor, dim: int) -> Tensor:
    """(N, dim): left singular vectors times the square root of their values; the same at each call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        left, values, _ = torch.svd_lowrank(matrix, q=min(dim + dim // 4, *matrix.shape), niter=6)
    return left[:, :dim] * values[:dim].sqrt()


def unit(vectors: Tensor) -> Tensor:
    """Unit length, mean 0, and unit length again (Artetxe et al. 2018, section 3.1)."""
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    return torch.nn.functional.normalize(vectors - vectors.mean(0), dim=1)
