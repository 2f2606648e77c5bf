"""Several streams as one fairseq dataset, drawn by temperature and mixed within batches."""

import logging
from typing import Optional, Sequence

import numpy as np
from fairseq.data import FairseqDataset

from mass_plugins.data.collate import to_batch
from mass_plugins.data.languages import epoch_quotas
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.streams import Stream
from mass_plugins.errors import InputError

logger = logging.getLogger(__name__)

LONG_LINES = ("error", "skip", "truncate")


class MixtureDataset(FairseqDataset):
    """An epoch takes from each stream its share, without repeating an item before all were taken.

    Index ``i`` is a place in the epoch, not a line: ``(stream, item)`` of a place is a function of
    (seed, epoch), and its mask a function of (seed, epoch, place), so neither workers, processes, batch
    sizes nor a resumed run change them.

    Streams of one kind share batches in training: with a language a batch, every update pulls the model
    towards that language's words, and what the source says drowns in it (on captions in three languages
    MASS needs four times as many updates until it uses the source). A validation set has a stream a batch.

    Args:
        streams: at least one.
        seed: of the masks and of the order in which streams are walked.
        alpha: streams are drawn in proportion to ``size ** alpha`` (0: uniform, 1: as they are).
        long_lines: what to do with items longer than the model's positions: ``error``, ``skip`` or
            ``truncate``.
        fixed: a validation set: each item once, in order, with the same mask at every validation.
        shards: number of ``data/0:data/1:..`` folders that the epochs go round.
        separate: a stream a batch in training, too.
        places: of an epoch; default as many as the streams have items. Not for a validation set.
    """

    # fairseq would keep its workers, and with them the first epoch's masks, for all epochs.
    can_reuse_epoch_itr_across_epochs = False
    LIMIT_FLAGS = "--max-source-positions, --max-target-positions or --max-tokens"

    def __init__(
        self,
        streams: Sequence[Stream],
        seed: int,
        alpha: float = 1.0,
        long_lines: str = "error",
        fixed: bool = False,
        shards: int = 1,
        separate: bool = False,
        places: Optional[int] = None,
    ):
        if long_lines not in LONG_LINES:
            raise InputError(f"--long-lines {long_lines!r} is not one of {', '.join(LONG_LINES)}")
        self.streams, self.seed, self.long_lines = list(streams), seed, long_lines
        self.fixed, self.shards, self.separate = fixed, shards, separate
        sizes = [len(stream.source_sizes) for stream in self.streams]
        self.quotas = np.array(sizes) if fixed else epoch_quotas(sizes, alpha, places)
        self.stream_of = np.repeat(np.arange(len(sizes), dtype=np.int32), self.quotas)
        kinds = [number if fixed or separate else stream.kind for number, stream in enumerate(self.streams)]
        groups = list(dict.fromkeys(kinds))
        self.group_of = np.repeat(np.array([groups.index(kind) for kind in kinds], dtype=np.int32), self.quotas)
        self.set_epoch(1)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = 0 if self.fixed else epoch
        walks = [self._walk(number, self._visit(epoch)) for number in range(len(self.streams))]
        self.item_of = np.concatenate(walks)
        self.source_sizes = np.concatenate([s.source_sizes[w] for s, w in zip(self.streams, walks)])
        self.target_sizes = np.concatenate([s.target_sizes[w] for s, w in zip(self.streams, walks)])
        if self.streams[0].max_lengths:
            self._apply_limits(self.streams[0].max_lengths)

    def _visit(self, epoch: int) -> int:
        """How often this shard has been read before."""
        return 0 if self.fixed else (epoch - 1) // self.shards

    def _walk(self, number: int, visit: int) -> np.ndarray:
        """Items of a stream in the visit-th epoch: the walk goes on where the last epoch's stopped.

        Every pass over the stream has its own permutation; whole passes need none, for batches are
        shuffled anyway.
        """
        size, quota = len(self.streams[number].source_sizes), int(self.quotas[number])
        if quota % size == 0:
            return np.tile(np.arange(size, dtype=np.int64), quota // size)
        begin, end = visit * quota, (visit + 1) * quota
        passes = []
        for turn in range(begin // size, -(-end // size)):
            order = np.random.default_rng([self.seed, number, turn]).permutation(size)
            passes.append(order[max(begin - turn * size, 0) : end - turn * size])
        return np.concatenate(passes)

    def __len__(self) -> int:
        return len(self.stream_of)

    def __getitem__(self, index: int) -> tuple[int, int, tuple]:
        number = int(self.stream_of[index])
        return int(index), number, self.streams[number].read(int(self.item_of[index]))

    def collater(self, samples) -> dict:
        """Items of one kind -> a batch; no items -> ``{}``."""
        if len(samples) == 0:
            return {}
        ids = np.array([index for index, _, _ in samples], dtype=np.int64)
        streams = [self.streams[number] for _, number, _ in samples]
        arrays = streams[0].collate([item for _, _, item in samples], sentence_keys(self.seed, self.epoch, ids))
        return self.to_batch(arrays, ids, streams)

    def to_batch(self, arrays, ids: np.ndarray, streams: Sequence[Stream]) -> dict:
        """What a stream collated -> a batch, here that of :mod:`mass_plugins.data.collate`.

        Args:
            ids: (B,) int64, the places.
            streams: of each.
        """
        sources = np.array([stream.source_language for stream in streams], dtype=np.int64)
        targets = np.array([stream.target_language for stream in streams], dtype=np.int64)
        return to_batch(arrays, ids, sources, targets, streams[0].vocabulary.pad)

    @property
    def sizes(self) -> np.ndarray:
        """(N,) slots of the longer side of each place."""
        return np.maximum(self.source_sizes, self.target_sizes)

    def num_tokens(self, index: int) -> int:
        return int(max(self.source_sizes[index], self.target_sizes[index]))

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        return self.sizes[indices]

    def size(self, index: int) -> tuple[int, int]:
        return int(self.source_sizes[index]), int(self.target_sizes[index])

    def ordered_indices(self) -> np.ndarray:
        """Places by kind, then by length, equal lengths in random order (fairseq seeds it by epoch)."""
        order = np.arange(len(self)) if self.fixed else np.random.permutation(len(self))  # noqa: NPY002
        keys = (self.source_sizes[order], self.target_sizes[order], self.group_of[order])
        return order[np.lexsort(keys)]

    def batch_by_size(self, indices, **limits) -> list:
        """Batches of ``indices``, each of one kind.

        fairseq drops the last batch where ``required_batch_size_multiple`` doesn't divide it, even of a test
        set; here it stays.
        """
        batches: list = []
        for group in range(self.group_of.max(initial=-1) + 1):
            own = indices[self.group_of[indices] == group]
            if len(own):
                whole = super().batch_by_size(own, **limits)
                rest = own[sum(map(len, whole)) :]
                batches.extend([*whole, rest] if len(rest) else whole)
        return batches

    def filter_indices_by_size(self, indices, max_sizes):
        """Deal with items beyond the model's positions as ``long_lines`` says.

        Args:
            max_sizes: one limit or (source, target).

        Returns:
            kept places, and a list of the skipped ones.
        """
        if max_sizes is None:
            return indices, []
        limits = (max_sizes, max_sizes) if np.isscalar(max_sizes) else tuple(max_sizes)
        source_limit, target_limit = (int(min(limit, 2**31 - 1)) for limit in limits)
        long = (self.source_sizes[indices] > source_limit) | (self.target_sizes[indices] > target_limit)
        if not long.any():
            return indices, []
        if self.long_lines == "truncate":
            for stream in self.streams:
                stream.max_lengths = (source_limit, target_limit)
            self._apply_limits((source_limit, target_limit))
            return indices, []
        if self.long_lines == "skip":
            return indices[~long], indices[long].tolist()
        place = int(indices[long][0])
        stream = self.streams[self.stream_of[place]]
        raise InputError(
            f"{stream.locate(int(self.item_of[place]))} has {max(self.size(place))} tokens, more than "
            f"the {source_limit} (source) or {target_limit} (target) that the model's positions and "
            f"--max-tokens allow, and so have {int(long.sum()) - 1} others; set --long-lines skip or "
            f"truncate, or raise {self.LIMIT_FLAGS}"
        )

    def _apply_limits(self, limits: tuple[int, int]) -> None:
        self.source_sizes = np.minimum(self.source_sizes, limits[0])
        self.target_sizes = np.minimum(self.target_sizes, limits[1])


def tell_skipped(kept: np.ndarray, skipped: Sequence[int], max_tokens: int) -> None:
    """Log how many places batches of ``max_tokens`` have no room for.

    Raises:
        InputError: these are all.
    """
    if len(skipped):
        logger.info("skipped %d samples that batches of %d tokens have no room for", len(skipped), max_tokens)
        if not len(kept):
            raise InputError(f"no sample has room in a batch of --max-tokens {max_tokens}; raise it")
