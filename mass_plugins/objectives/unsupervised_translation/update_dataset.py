"""Several mixtures as one data set whose batches hold a batch of each: the steps of one update."""

from typing import Mapping

import numpy as np

from mass_plugins.data.concatenated import ConcatenatedDataset
from mass_plugins.data.mixture import MixtureDataset


class UpdateDataset(ConcatenatedDataset):
    """A batch is ``{part: batch of the part}``.

    Args:
        parts: by name; in training the first one sets how many updates an epoch has, and the others'
            batches are shuffled and repeated, or left out, to be as many.
        seed: of that shuffling.
        together: a batch holds one of each part (training), or of one part alone (validation).
    """

    def __init__(self, parts: Mapping[str, MixtureDataset], seed: int, together: bool = True):
        super().__init__(parts)
        self.seed, self.together, self.epoch = seed, together, 1

    def set_epoch(self, epoch: int) -> None:
        super().set_epoch(epoch)
        self.epoch = epoch

    def collater(self, samples) -> dict[str, dict]:
        batches: dict[str, list] = {}
        for name, sample in samples:
            batches.setdefault(name, []).append(sample)
        return {name: self.parts[name].collater(batches[name]) for name in self.parts if name in batches}

    def batch_by_size(self, indices, **limits) -> list[np.ndarray]:
        """``limits`` hold for each part's share of a batch."""
        if not self.together:
            return super().batch_by_size(indices, **limits)
        first, *others = self.batches_by_part(indices, **limits)
        columns = [first]
        for number, part in enumerate(others):
            order = np.random.default_rng([self.seed, self.epoch, number]).permutation(len(part))
            columns.append([part[order[n % len(part)]] for n in range(len(first))])
        return [np.concatenate(column) for column in zip(*columns)]
