"""Several mixtures as one data set whose batches hold a batch of each: the steps of one update."""

from typing import Mapping

import numpy as np
from fairseq.data import FairseqDataset

from mass_plugins.data.mixture import MixtureDataset


class UpdateDataset(FairseqDataset):
    """Places of all parts side by side; a batch is ``{part: batch of the part}``.

    Args:
        parts: by name; in training the first one sets how many updates an epoch has, and the others'
            batches are shuffled and repeated, or left out, to be as many.
        seed: of that shuffling.
        together: a batch holds one of each part (training), or of one part alone (validation).
    """

    can_reuse_epoch_itr_across_epochs = False

    def __init__(self, parts: Mapping[str, MixtureDataset], seed: int, together: bool = True):
        self.parts, self.seed, self.together = dict(parts), seed, together
        self.epoch = 1
        ends = np.cumsum([len(part) for part in self.parts.values()])
        self.starts = dict(zip(self.parts, [0, *ends[:-1].tolist()]))
        self.total = int(ends[-1])

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        for part in self.parts.values():
            part.set_epoch(epoch)

    def __len__(self) -> int:
        return self.total

    def _find(self, index: int) -> tuple[str, int]:
        name = [name for name, start in self.starts.items() if start <= index][-1]
        return name, index - self.starts[name]

    def _own(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Of ``indices``, those of a part, as the part counts them."""
        start = self.starts[name]
        return indices[(indices >= start) & (indices < start + len(self.parts[name]))] - start

    def __getitem__(self, index: int) -> tuple[str, tuple]:
        name, place = self._find(index)
        return name, self.parts[name][place]

    def collater(self, samples) -> dict[str, dict]:
        batches: dict[str, list] = {}
        for name, sample in samples:
            batches.setdefault(name, []).append(sample)
        return {name: self.parts[name].collater(batches[name]) for name in self.parts if name in batches}

    @property
    def sizes(self) -> np.ndarray:
        return np.concatenate([part.sizes for part in self.parts.values()])

    def num_tokens(self, index: int) -> int:
        name, place = self._find(index)
        return self.parts[name].num_tokens(place)

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        return self.sizes[indices]

    def size(self, index: int) -> tuple[int, int]:
        name, place = self._find(index)
        return self.parts[name].size(place)

    def ordered_indices(self) -> np.ndarray:
        return np.concatenate([part.ordered_indices() + self.starts[name] for name, part in self.parts.items()])

    def filter_indices_by_size(self, indices, max_sizes):
        """As each part does; the skipped places of all of them."""
        kept, skipped = [], []
        for name, part in self.parts.items():
            own, left_out = part.filter_indices_by_size(self._own(name, indices), max_sizes)
            kept.append(own + self.starts[name])
            skipped += [place + self.starts[name] for place in left_out]
        return np.concatenate(kept), skipped

    def batch_by_size(self, indices, **limits) -> list:
        """``limits`` hold for each part's share of a batch."""
        batches = {
            name: [batch + self.starts[name] for batch in part.batch_by_size(self._own(name, indices), **limits)]
            for name, part in self.parts.items()
        }
        if not self.together:
            return [batch for part in batches.values() for batch in part]
        first, *others = batches.values()
        columns = [first]
        for number, part in enumerate(others):
            order = np.random.default_rng([self.seed, self.epoch, number]).permutation(len(part))
            columns.append([part[order[n % len(part)]] for n in range(len(first))])
        return [np.concatenate(column) for column in zip(*columns)]

    @property
    def supports_prefetch(self) -> bool:
        return False
