"""Vectors of a language's tokens from the company that they keep.

Positive pointwise mutual information with the tokens around, contexts smoothed by an exponent of 0.75, and its
truncated singular value decomposition, the singular values shared by both sides (Levy et al. 2015, sections 3 and 5).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mass_plugins.errors import InputError

_CHUNK = 1 << 22  # tokens counted at a time
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
    text: np.ndarray, first_ordinary: int, size: int, dim: int = 256, window: int = 10, min_count: int = 10
) -> TokenVectors:
    """Vectors of the tokens of a text.

    Args:
        text: (T,) sentences one after another, each ended by ``</s>``.
        first_ordinary: smaller ids are special; no window reaches over ``</s>``.
        size: of the vocabulary.
        window: tokens to either side; one at distance d counts 1 / d.
        min_count: rarer tokens have no vector.

    Raises:
        InputError: fewer tokens than dimensions are left.
    """
    counts = np.bincount(text, minlength=size)
    counts[:first_ordinary] = 0
    tokens = np.flatnonzero(counts >= min_count)
    tokens = tokens[np.argsort(-counts[tokens], kind="stable")]
    if len(tokens) < dim:
        raise InputError(
            f"{len(tokens)} tokens occur {min_count} times or more, too few for {dim} dimensions; give more text, or "
            "smaller --min-count or --dim"
        )
    rows = np.full(size, -1)
    rows[tokens] = np.arange(len(tokens))
    information = positive_information(count_neighbours(text, rows, first_ordinary, window, len(tokens)))
    vectors = decompose(information, dim)
    return TokenVectors(tokens, unit(vectors), counts[tokens] / max(counts.sum(), 1))


def count_neighbours(text: np.ndarray, rows: np.ndarray, first_ordinary: int, window: int, size: int) -> Tensor:
    """(size, size) sparse: how often two tokens are neighbours, 1 / distance each time.

    Args:
        rows: (V,) row of each id, -1 of those that don't count but take their place.
        first_ordinary: a smaller id ends what is before it.
    """
    found = torch.sparse_coo_tensor(size=(size, size), dtype=torch.float64, check_invariants=True)
    for start in range(0, len(text), _CHUNK):
        piece = text[start : start + _CHUNK + window]
        row, sentence = rows[piece], np.cumsum(piece < first_ordinary)
        for distance in range(1, min(window, len(piece) - 1) + 1):
            left = slice(0, min(_CHUNK, len(piece) - distance))
            right = slice(distance, left.stop + distance)
            both = (row[left] >= 0) & (row[right] >= 0) & (sentence[left] == sentence[right])
            keys, times = np.unique(row[left][both] * size + row[right][both], return_counts=True)
            places = torch.from_numpy(np.stack([keys // size, keys % size]))
            found = found + torch.sparse_coo_tensor(
                places, torch.from_numpy(times / distance), (size, size), check_invariants=True
            )
        found = found.coalesce()
    return (found + found.t()).coalesce()


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
