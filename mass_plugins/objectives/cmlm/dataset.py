"""Pairs of adjacent units: the second is masked, the first is its condition.

The batch is that of :mod:`mass_plugins.data.masked_text` with ``condition_tokens (B, C)`` in ``net_input``.
"""

from typing import Hashable, NamedTuple

import numpy as np
import torch

from mass_plugins.data.collate import pad_right
from mass_plugins.data.documents import Documents
from mass_plugins.data.masked_text import SHORTEST, to_masked_batch
from mass_plugins.data.mixture import MixtureDataset, tell_skipped
from mass_plugins.data.streams import cut
from mass_plugins.data.word_masking import BertMasker, MaskedText
from mass_plugins.errors import InputError


class MaskedPairs(NamedTuple):
    """One batch: the first units as they are, (B, C) int64, and the second ones masked."""

    conditions: np.ndarray
    text: MaskedText


def fitted(first, second, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Sizes of two units -> sizes of at most ``most`` together: the longer one gives way, both down to half of it."""
    first = np.minimum(first, most - np.minimum(second, most // 2))
    return first, np.minimum(second, most - first)


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
        self.max_tokens: int | None = None  # of both units together; longer pairs are cut
        self._start = np.array([cls], dtype=np.int64)

    def read(self, item: int) -> tuple[np.ndarray, ...]:
        number = int(self.firsts[item])
        pair = [np.concatenate([self._start, self.units[n].numpy()]) for n in (number, number + 1)]
        if self.max_lengths:
            pair = [cut(text, min(self.max_lengths)) for text in pair]
        if self.max_tokens:
            sizes = fitted(len(pair[0]), len(pair[1]), self.max_tokens)
            pair = [cut(text, int(size)) for text, size in zip(pair, sizes)]
        return tuple(pair)

    def collate(self, items, keys) -> MaskedPairs:
        pad = self.vocabulary.pad
        conditions, _ = pad_right([first for first, _ in items], pad)
        return MaskedPairs(conditions, self.masker(*pad_right([second for _, second in items], pad), keys))

    def locate(self, item: int) -> str:
        return f"{self.name}, units {int(self.firsts[item]) + 1} and {int(self.firsts[item]) + 2}"


class PairDataset(MixtureDataset):
    """A mixture of adjacent units; each item's mask depends on (seed, epoch, place) alone."""

    LIMIT_FLAGS = "--max-positions or --max-tokens"
    streams: list[PairStream]  # type: ignore[assignment]

    def set_epoch(self, epoch: int) -> None:
        super().set_epoch(epoch)
        if self.streams[0].max_tokens:
            self._cut_pairs(self.streams[0].max_tokens)

    def _cut_pairs(self, most: int) -> None:
        for stream in self.streams:
            stream.max_tokens = most
        self.target_sizes, self.source_sizes = fitted(self.target_sizes, self.source_sizes, most)

    @property
    def sizes(self) -> np.ndarray:
        """(N,) slots of both units: the encoder reads one as well as the other."""
        return self.source_sizes + self.target_sizes

    def num_tokens(self, index: int) -> int:
        return sum(self.size(index))

    def batch_by_size(self, indices, max_tokens=None, **limits) -> list:
        """Batches whose ``max_tokens`` counts both units, of every pair as many tokens as of the longest.

        Pairs that are larger are dealt with as ``long_lines`` says.

        Raises:
            InputError: a pair is larger and neither is skipped nor can be cut; or all are skipped.
        """
        long = self.sizes[indices] > (max_tokens or np.inf)
        if max_tokens and long.any():
            if self.long_lines == "skip":
                indices, skipped = indices[~long], indices[long]
                tell_skipped(indices, skipped, max_tokens)
            elif self.long_lines == "truncate" and max_tokens >= 2 * SHORTEST:
                self._cut_pairs(max_tokens)
            else:
                other_way = ", or set --long-lines skip or truncate" if self.long_lines == "error" else ""
                raise InputError(
                    f"two adjacent units have {self.sizes[indices].max()} tokens, more than --max-tokens {max_tokens}; "
                    f"raise it{other_way}"
                )
        return super().batch_by_size(indices, max_tokens=max_tokens, **limits)

    def to_batch(self, arrays: MaskedPairs, ids: np.ndarray, streams) -> dict:
        batch = to_masked_batch(arrays.text, ids, streams[0].vocabulary.pad)
        batch["net_input"]["condition_tokens"] = torch.from_numpy(arrays.conditions)
        return batch
