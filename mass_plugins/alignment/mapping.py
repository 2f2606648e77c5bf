"""The rotation of one language's vectors into another's, from a few tokens that both write alike.

Self-learning with stochastic dictionary induction (Artetxe et al. 2018, "A robust self-learning method", section 3.3):
a rotation fits the dictionary, the dictionary is made anew of nearest neighbours, and at first only a random part of
them is looked at, which leads out of poor beginnings. Other than there, the part rises in a fixed number of rounds, and
each dictionary is made of vectors whose dimensions are weighted by how far the languages agree in them, which finds
more of the pairs of toy languages; the rotation itself is not weighted.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mass_plugins.errors import InputError

FEWEST_SEEDS = 20
_ROUNDS, _RISING = 60, 40  # the part that is looked at rises to all over the first 40 rounds
_FIRST_PART = 0.1
_FREQUENT = 4000  # tokens of either language that dictionaries are made of
_NEIGHBOURS = 10  # of CSLS


class Mapping(NamedTuple):
    """Attributes:
    rotation: (D, D); ``moved @ rotation`` is in the space of ``fixed``.
    pairs: (K, 2) rows that are each other's nearest.
    """

    rotation: Tensor
    pairs: Tensor


def find_rotation(moved: Tensor, fixed: Tensor, seeds: Tensor, chance: int = 0) -> Mapping:
    """Align two languages.

    Args:
        moved, fixed: (N, D) and (M, D) of unit length, the most frequent tokens first.
        seeds: (K, 2) rows that may mean the same; some do.
        chance: seed of what is looked at; where the languages have much in common, each finds most of the same pairs.

    Raises:
        InputError: hardly any seeds.
    """
    if len(seeds) < FEWEST_SEEDS:
        raise InputError(
            f"{len(seeds)} tokens are about as frequent in both languages, but {FEWEST_SEEDS} are needed to start "
            "from; give more text, a joint vocabulary (preprocess/prepare.py), or a smaller --min-count"
        )
    generator = torch.Generator().manual_seed(chance)
    pairs = seeds
    for turn in range(_ROUNDS):
        left, values, right = torch.linalg.svd(moved[pairs[:, 0]].T @ fixed[pairs[:, 1]])
        rotation = left @ right
        weighted_moved = (moved[:_FREQUENT] @ left) * values.sqrt()
        weighted_fixed = (fixed[:_FREQUENT] @ right.T) * values.sqrt()
        similarity = csls(weighted_moved, weighted_fixed)
        part = _FIRST_PART + (1 - _FIRST_PART) * turn / _RISING
        if part < 1:
            looked_at = torch.rand(similarity.shape, generator=generator) < part
            similarity.masked_fill_(~looked_at, -torch.inf)
        forward, backward = similarity.argmax(1), similarity.argmax(0)
        pairs = torch.cat([_numbered(forward), _numbered(backward).flip(1)])
    mutual = backward[forward] == torch.arange(len(forward))
    return Mapping(rotation, _numbered(forward)[mutual])


def _numbered(nearest: Tensor) -> Tensor:
    return torch.stack([torch.arange(len(nearest)), nearest], dim=1)


def csls(first: Tensor, second: Tensor) -> Tensor:
    """(N, M): twice the cosine, less the mean cosine of either with its nearest (Conneau et al. 2018, section 2.3)."""
    cosine = torch.nn.functional.normalize(first, dim=1) @ torch.nn.functional.normalize(second, dim=1).T
    of_first = cosine.topk(min(_NEIGHBOURS, cosine.shape[1]), dim=1).values.mean(1, keepdim=True)
    of_second = cosine.topk(min(_NEIGHBOURS, cosine.shape[0]), dim=0).values.mean(0, keepdim=True)
    return 2 * cosine - of_first - of_second
