"""Groups -> batches: a positive and some negatives of each query, drawn anew in each epoch.

The batch: ``queries (Q, S)`` and ``passages (Q * G, S')`` int64, right-padded, the first of each G the positive;
``passage_keys (Q * G,)`` and ``positive_keys (Q, A)`` int64, which tell passages apart by their ids; ``teacher (Q, G)``
where the groups have scores. Of a cross-encoder: ``pairs (Q * G, S)``, ``[CLS] query [SEP] passage [SEP]``.
"""

from typing import Optional

import numpy as np
import torch
from fairseq.data import FairseqDataset

from mass_plugins.data.collate import pad_right
from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.data.random_state import Draw, derive_keys, sentence_keys, uniform
from mass_plugins.data.retrieval_groups import Candidate, Group, GroupFile, join_pair
from mass_plugins.data.seen_hashes import hash_lines
from mass_plugins.errors import InputError


def draw_group(group: Group, size: int, key: np.ndarray) -> list[Candidate]:
    """One positive and ``size - 1`` negatives, (1,) uint64 ``key`` decides; too few negatives come again in turn."""
    positive = group.positives[int(uniform(derive_keys(key, Draw.POSITIVE), 1)[0, 0] * len(group.positives))]
    if size == 1:
        return [positive]
    order = np.argsort(uniform(derive_keys(key, Draw.NEGATIVES), len(group.negatives))[0])
    return [positive, *(group.negatives[order[place % len(order)]] for place in range(size - 1))]


class RetrievalDataset(FairseqDataset):
    """Draws depend on (seed, epoch, index) alone; who shares a batch with whom changes with the epoch.

    Args:
        groups: read as they are asked for.
        text: tokenizes.
        seed: of draws and order.
        group_size: G.
        query_tokens, passage_tokens: longer texts are cut, ``[CLS]`` and ``[SEP]`` counted.
        fixed: a validation set: the same draws and order every time.
        pairs: batches of a cross-encoder.
    """

    can_reuse_epoch_itr_across_epochs = False

    def __init__(
        self,
        groups: GroupFile,
        text: EncoderText,
        seed: int,
        group_size: int,
        query_tokens: int,
        passage_tokens: int,
        fixed: bool = False,
        pairs: bool = False,
    ):
        self.groups, self.text, self.seed, self.group_size = groups, text, seed, group_size
        self.query_tokens, self.passage_tokens, self.fixed, self.pairs = query_tokens, passage_tokens, fixed, pairs
        self.epoch = 0 if fixed else 1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = 0 if self.fixed else epoch

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> tuple[int, Group]:
        return int(index), self.groups[index]

    def ordered_indices(self) -> np.ndarray:
        if self.fixed:
            return np.arange(len(self))
        return np.random.default_rng([self.seed, self.epoch]).permutation(len(self))

    @property
    def sizes(self) -> np.ndarray:
        """(N,) tokens of a group at most: batches are counted in queries, ``--batch-size``."""
        return np.full(len(self), self.query_tokens + self.group_size * self.passage_tokens)

    def num_tokens(self, index: int) -> int:
        return self.query_tokens + self.group_size * self.passage_tokens

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        return self.sizes[indices]

    def size(self, index: int) -> int:
        return self.num_tokens(index)

    def filter_indices_by_size(self, indices, max_sizes):
        return indices, []  # texts are cut

    def batch_by_size(self, indices, max_tokens=None, max_sentences=None, required_batch_size_multiple=1):
        """Batches of ``max_sentences`` groups, the last one of what is left.

        ``required_batch_size_multiple`` would make 8 of a batch of 12, and drop what is left; it is left alone.

        Raises:
            InputError: no ``max_sentences``, or no room for a group.
        """
        if max_sentences is None:
            raise InputError("no size of a batch; set --batch-size, its queries")
        if max_tokens is not None and len(self) and self.num_tokens(0) > max_tokens:
            raise InputError(
                f"--max-tokens {max_tokens} has no room for the {self.num_tokens(0)} tokens of a query and its "
                "passages; raise it or leave it out"
            )
        return super().batch_by_size(indices, max_tokens, max_sentences, required_batch_size_multiple=1)

    def collater(self, samples) -> dict:
        """Items -> a batch; no items -> ``{}``."""
        if len(samples) == 0:
            return {}
        ids = np.array([index for index, _ in samples], dtype=np.int64)
        keys = sentence_keys(self.seed, self.epoch, ids)
        groups = [group for _, group in samples]
        drawn = [draw_group(group, self.group_size, keys[n : n + 1]) for n, group in enumerate(groups)]
        flat = [candidate for group in drawn for candidate in group]
        queries = self.text.encode([group.query.text for group in groups], self.query_tokens)
        passages = self.text.encode([candidate.passage.whole for candidate in flat], self.passage_tokens)
        batch = {"id": torch.from_numpy(ids), "nsentences": len(ids)}
        batch |= self._keys(groups, flat) | self._teacher(flat)
        pad = self.text.vocabulary.pad
        if self.pairs:
            both = self.query_tokens + self.passage_tokens - 1
            rows = [join_pair(queries[n // self.group_size], passage, both) for n, passage in enumerate(passages)]
            tokens = {"pairs": rows}
        else:
            tokens = {"queries": queries, "passages": passages}
        batch |= {name: torch.from_numpy(pad_right(rows, pad)[0]) for name, rows in tokens.items()}
        return batch | {"ntokens": sum(map(len, (row for rows in tokens.values() for row in rows)))}

    def _keys(self, groups: list[Group], flat: list[Candidate]) -> dict[str, torch.Tensor]:
        """Hashes of ids, 0 or more."""

        def hashed(names: list[str]) -> np.ndarray:
            return (hash_lines(names) >> np.uint64(1)).astype(np.int64)

        answers = [hashed([candidate.passage.id for candidate in group.positives]) for group in groups]
        positives, _ = pad_right(answers, -1)
        keys = hashed([candidate.passage.id for candidate in flat])
        return {"passage_keys": torch.from_numpy(keys), "positive_keys": torch.from_numpy(positives)}

    def _teacher(self, flat: list[Candidate]) -> dict[str, torch.Tensor]:
        scores: list[Optional[float]] = [candidate.score for candidate in flat]
        if self.groups.unscored is not None:
            return {}
        return {"teacher": torch.tensor(scores, dtype=torch.float32).view(-1, self.group_size)}
