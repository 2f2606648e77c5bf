"""Data sets of different kinds as one: each batch is of one kind, and fairseq shuffles the batches of all."""

from typing import Sequence

import numpy as np
from fairseq.data import FairseqDataset

from mass_plugins.data.mixture import MixtureDataset


class JointDataset(FairseqDataset):
    """Index ``offset of the part + i`` is place ``i`` of a part.

    Args:
        parts: data sets with batches of their own.
    """

    can_reuse_epoch_itr_across_epochs = False

    def __init__(self, parts: Sequence[MixtureDataset]):
        self.parts = list(parts)
        self.offsets = np.concatenate([[0], np.cumsum([len(part) for part in self.parts])])

    def set_epoch(self, epoch: int) -> None:
        for part in self.parts:
            part.set_epoch(epoch)

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def _find(self, index: int) -> tuple[int, int]:
        part = int(np.searchsorted(self.offsets, index, side="right")) - 1
        return part, int(index - self.offsets[part])

    def __getitem__(self, index: int):
        part, place = self._find(int(index))
        return part, self.parts[part][place]

    def collater(self, samples) -> dict:
        """Items of one part -> its batch; no items -> ``{}``."""
        return self.parts[samples[0][0]].collater([item for _, item in samples]) if samples else {}

    @property
    def sizes(self) -> np.ndarray:
        return np.concatenate([part.sizes for part in self.parts])

    def num_tokens(self, index: int) -> int:
        part, place = self._find(index)
        return self.parts[part].num_tokens(place)

    def size(self, index: int) -> tuple[int, int]:
        part, place = self._find(index)
        return self.parts[part].size(place)

    def _by_part(self, indices: np.ndarray):
        for part, begin, end in zip(self.parts, self.offsets, self.offsets[1:]):
            yield part, begin, indices[(indices >= begin) & (indices < end)] - begin

    def ordered_indices(self) -> np.ndarray:
        return np.concatenate([part.ordered_indices() + begin for part, begin in zip(self.parts, self.offsets)])

    def batch_by_size(self, indices, **limits) -> list:
        """The batches of every part, each of one kind."""
        batches: list = []
        for part, begin, own in self._by_part(np.asarray(indices)):
            batches += [np.asarray(batch) + begin for batch in part.batch_by_size(own, **limits)] if len(own) else []
        return batches

    def filter_indices_by_size(self, indices, max_sizes):
        kept, skipped = [], []
        for part, begin, own in self._by_part(np.asarray(indices)):
            stay, leave = part.filter_indices_by_size(own, max_sizes)
            kept.append(stay + begin)
            skipped += [int(place + begin) for place in leave]
        return np.concatenate(kept), skipped

    @property
    def supports_prefetch(self) -> bool:
        return False
