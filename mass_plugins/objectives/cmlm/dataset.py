"""Pairs of adjacent units: the second is masked, the first is its condition.

The batch is that of :mod:`mass_plugins.data.masked_text` with ``condition_tokens (B, C)`` in ``net_input``.
"""

from typing import Hashable, NamedTuple

import numpy as np
import torch

from mass_plugins.data.collate import pad_right
from mass_plugins.data.documents import Documents
from mass_plugins.data.masked_text import to_masked_batch
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.streams import cut
from mass_plugins.data.word_masking import BertMasker, MaskedText
from mass_plugins.errors import InputError


class MaskedPairs(NamedTuple):
    """One batch: the first units as they are, (B, C) int64, and the second ones masked."""

    conditions: np.ndarray
    text: MaskedText


class PairStream:
    """Adjacent units of one language's documents; ``(unit, the next one)``, ``[CLS]`` put before each.

    Args:
        name: for messages.
        documents: with two units or more at least once.
        masker: of the second unit.
        cls: id of ``[CLS]``.
    """

    def __init__(self, name: str, documents: Documents, masker: BertMasker, cls: int):
        self.name, self.units, self.masker = name, documents.units, masker
        self.kind: Hashable = ("pairs", id(masker))
        self.source_language = self.target_language = 0
        self.vocabulary = masker.vocabulary
        sizes = np.asarray(documents.units.sizes) + 1
        first = np.ones(len(sizes), dtype=bool)
        first[documents.starts + documents.counts - 1] = False  # the last unit of a document has no next one
        self.firsts = np.flatnonzero(first)
        self.source_sizes, self.target_sizes = sizes[self.firsts + 1], sizes[self.firsts]
        self.max_lengths: tuple[int, int] | None = None
        self._start = np.array([cls], dtype=np.int64)

    def read(self, item: int) -> tuple[np.ndarray, ...]:
        number = int(self.firsts[item])
        pair = [np.concatenate([self._start, self.units[n].numpy()]) for n in (number, number + 1)]
        return tuple(cut(text, min(self.max_lengths)) for text in pair) if self.max_lengths else tuple(pair)

    def collate(self, items, keys) -> MaskedPairs:
        pad = self.vocabulary.pad
        conditions, _ = pad_right([first for first, _ in items], pad)
        return MaskedPairs(conditions, self.masker(*pad_right([second for _, second in items], pad), keys))

    def locate(self, item: int) -> str:
        return f"{self.name}, units {int(self.firsts[item]) + 1} and {int(self.firsts[item]) + 2}"


class PairDataset(MixtureDataset):
    """A mixture of adjacent units; each item's mask depends on (seed, epoch, place) alone."""

    LIMIT_FLAGS = "--max-positions or --max-tokens"

    @property
    def sizes(self) -> np.ndarray:
        """(N,) slots of both units: the encoder reads one as well as the other."""
        return self.source_sizes + self.target_sizes

    def num_tokens(self, index: int) -> int:
        return sum(self.size(index))

    def batch_by_size(self, indices, max_tokens=None, **limits) -> list:
        """Batches whose ``max_tokens`` counts both units, of every pair as many tokens as of the longest.

        Raises:
            InputError: a pair is larger than that.
        """
        largest = int(self.sizes[indices].max(initial=0))
        if max_tokens is not None and largest > max_tokens:
            raise InputError(f"two adjacent units have {largest} tokens, more than --max-tokens {max_tokens}; raise it")
        return super().batch_by_size(indices, max_tokens=max_tokens, **limits)

    def to_batch(self, arrays: MaskedPairs, ids: np.ndarray, streams) -> dict:
        batch = to_masked_batch(arrays.text, ids, streams[0].vocabulary.pad)
        batch["net_input"]["condition_tokens"] = torch.from_numpy(arrays.conditions)
        return batch
