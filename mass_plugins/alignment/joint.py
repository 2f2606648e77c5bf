"""From the vectors of several languages to one vector for each token of their joint vocabulary."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mass_plugins.alignment.mapping import find_rotation
from mass_plugins.alignment.neighbours import TokenVectors
from mass_plugins.errors import InputError

_SEEDS_DIFFER = 5  # times; a seed is not rarer or more frequent than that in the other language
_LEAST_AGREEMENT = 0.1


class Alignment(NamedTuple):
    """How one language was brought to the pivot.

    Attributes:
        tokens: that have a vector.
        seeds: tokens that both have, about as frequent.
        agreement: share of the pairs of nearest tokens that are found by another course of chance, too: over 0.9 where
            vectors are good, a third in the recipes on captions, below 0.05 where languages have nothing in common.
        translations: (token, token of the pivot) that both found and that are not the same, the frequent first.
    """

    tokens: int
    seeds: int
    agreement: float
    translations: list[tuple[int, int]]


class Joint(NamedTuple):
    """Attributes:
    tokens: (N,) int64, ascending ids.
    vectors: (N, D) float32 of unit length.
    """

    tokens: np.ndarray
    vectors: Tensor


class JointSpace:
    """The space of one language, the pivot, that others are rotated into.

    Args:
        pivot: of the language with the best vectors.
    """

    def __init__(self, pivot: TokenVectors):
        self.pivot = pivot
        self._spaces = [pivot]

    def add(self, found: TokenVectors) -> Alignment:
        """Rotate another language into the space.

        Raises:
            InputError: it has hardly a token in common with the pivot, or is not to be aligned.
        """
        seeds = seeds_of(found, self.pivot)
        courses = [
            find_rotation(found.vectors, self.pivot.vectors, torch.from_numpy(seeds), chance) for chance in range(2)
        ]
        first, second = ([(one, other) for one, other in course.pairs.tolist()] for course in courses)
        again = set(second)
        agreed = [pair for pair in first if pair in again]
        agreement = len(agreed) / max(min(len(first), len(second)), 1)
        if agreement < _LEAST_AGREEMENT:
            raise InputError(
                f"can't be aligned with the pivot: two random starts agree on only {agreement:.0%} of the "
                "translations; give more text, of the same kinds in both languages"
            )
        self._spaces.append(found._replace(vectors=found.vectors @ courses[0].rotation))
        named = [(int(found.tokens[row]), int(self.pivot.tokens[column])) for row, column in agreed]
        return Alignment(
            len(found.tokens), len(seeds), agreement, [(token, other) for token, other in named if token != other]
        )

    def joint(self) -> Joint:
        """One vector a token: the mean over its languages, weighted by its share of each one's text."""
        size, dim = 1 + max(int(space.tokens.max()) for space in self._spaces), self.pivot.vectors.shape[1]
        total = torch.zeros(size, dim)
        for space in self._spaces:
            total[space.tokens] += space.vectors * torch.from_numpy(space.shares).float()[:, None]
        tokens = np.unique(np.concatenate([space.tokens for space in self._spaces]))
        return Joint(tokens, torch.nn.functional.normalize(total[tokens], dim=1))


def seeds_of(first: TokenVectors, second: TokenVectors) -> np.ndarray:
    """(K, 2) rows of the tokens that both have, neither more than five times as frequent in the other."""
    _, rows, columns = np.intersect1d(first.tokens, second.tokens, return_indices=True)
    ratio = first.shares[rows] / second.shares[columns]
    kept = (ratio < _SEEDS_DIFFER) & (ratio > 1 / _SEEDS_DIFFER)
    return np.stack([rows[kept], columns[kept]], axis=1)
