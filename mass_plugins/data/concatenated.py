"""Data sets of different kinds side by side: each batch is of one kind, and fairseq shuffles the batches of all."""

from typing import Iterator, Mapping

import numpy as np
from fairseq.data import FairseqDataset

from mass_plugins.data.mixture import MixtureDataset


class ConcatenatedDataset(FairseqDataset):
    """Index ``offset of the part + i`` is place ``i`` of a part.

    Args:
        parts: by name, data sets with batches of their own.
    """

    can_reuse_epoch_itr_across_epochs = False

    def __init__(self, parts: Mapping[str, MixtureDataset]):
        self.parts = dict(parts)
        ends = np.cumsum([0, *map(len, self.parts.values())]).tolist()
        self.offsets, self.total = dict(zip(self.parts, ends)), ends[-1]

    def set_epoch(self, epoch: int) -> None:
        for part in self.parts.values():
            part.set_epoch(epoch)

    def __len__(self) -> int:
        return self.total

    def _find(self, index: int) -> tuple[str, int]:
        """Of an index, the part and the place in it."""
        name = [name for name, offset in self.offsets.items() if offset <= index][-1]
        return name, int(index) - self.offsets[name]

    def _by_part(self, indices) -> Iterator[tuple[MixtureDataset, int, np.ndarray]]:
        """Each part, its offset, and those of ``indices`` that are its own, as the part counts them."""
        indices = np.asarray(indices)
        for name, part in self.parts.items():
            own = indices - self.offsets[name]
            yield part, self.offsets[name], own[(own >= 0) & (own < len(part))]

    def __getitem__(self, index: int) -> tuple[str, tuple]:
        name, place = self._find(index)
        return name, self.parts[name][place]

    def collater(self, samples) -> dict:
        """Items of one part -> its batch; no items -> ``{}``."""
        return self.parts[samples[0][0]].collater([item for _, item in samples]) if samples else {}

    @property
    def sizes(self) -> np.ndarray:
        return np.concatenate([part.sizes for part in self.parts.values()])

    def num_tokens(self, index: int) -> int:
        name, place = self._find(index)
        return self.parts[name].num_tokens(place)

    def size(self, index: int) -> tuple[int, int]:
        name, place = self._find(index)
        return self.parts[name].size(place)

    def ordered_indices(self) -> np.ndarray:
        return np.concatenate([part.ordered_indices() + self.offsets[name] for name, part in self.parts.items()])

    def batches_by_part(self, indices, **limits) -> list[list[np.ndarray]]:
        """Of each part its batches; ``limits`` hold for each."""
        return [
            [batch + offset for batch in part.batch_by_size(own, **limits)]
            for part, offset, own in self._by_part(indices)
        ]

    def batch_by_size(self, indices, **limits) -> list[np.ndarray]:
        return [batch for batches in self.batches_by_part(indices, **limits) for batch in batches]

    def filter_indices_by_size(self, indices, max_sizes):
        """As each part does; the skipped places of all of them."""
        kept, skipped = [], []
        for part, offset, own in self._by_part(indices):
            stay, leave = part.filter_indices_by_size(own, max_sizes)
            kept.append(stay + offset)
            skipped += [place + offset for place in leave]
        return np.concatenate(kept), skipped
