"""Masked text for an encoder: streams of several languages as one fairseq dataset.

The batch: ``net_input`` holds ``src_tokens (B, S)`` and ``src_lengths (B,)``, right-padded int64, each row
``[CLS] .. [SEP]``; ``target (B, S)`` is padding where nothing is predicted; ``masked_slots (N,)`` are the slots of
the flattened batch where something is; ``ntokens`` = N, the loss's denominator; ``nsentences`` = B, ``id (B,)``.
"""

from typing import Callable

import numpy as np
import torch

from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.streams import MonolingualStream, cut
from mass_plugins.data.word_masking import MaskedText


class MaskedTextStream(MonolingualStream):
    """Text of one language, ``[CLS]`` put before each item.

    Args:
        name: for messages.
        dataset: indexed token sequences, lines that end in ``[SEP]`` or blocks of such lines.
        sizes: (N,) tokens of each.
        masker: tokens -> masked text.
        cls: id of ``[CLS]``.
    """

    def __init__(self, name: str, dataset, sizes: np.ndarray, masker: Callable, cls: int):
        # Another kind of batch comes of the masker than MASS's; a stream only hands it on
        super().__init__(name, dataset, np.asarray(sizes) + 1, language=0, masker=masker)  # type: ignore[arg-type]
        self._start = np.array([cls], dtype=np.int64)

    def read(self, item: int) -> tuple[np.ndarray, ...]:
        tokens = np.concatenate([self._start, self.dataset[item].numpy()])
        return (cut(tokens, min(self.max_lengths)) if self.max_lengths else tokens,)


class MaskedTextDataset(MixtureDataset):
    """A mixture of masked text; each item's mask depends on (seed, epoch, place) alone."""

    LIMIT_FLAGS = "--max-positions or --max-tokens"

    def collater(self, samples) -> dict:
        """Items -> a batch; no items -> ``{}``."""
        if len(samples) == 0:
            return {}
        ids = np.array([index for index, _, _ in samples], dtype=np.int64)
        stream = self.streams[samples[0][1]]
        arrays = stream.collate([item for _, _, item in samples], sentence_keys(self.seed, self.epoch, ids))
        return to_masked_batch(arrays, ids, stream.vocabulary.pad)


def to_masked_batch(arrays: MaskedText, ids: np.ndarray, pad_index: int) -> dict:
    """Arrays -> the batch that fairseq's trainer carries to the model."""
    slots = np.flatnonzero(arrays.target != pad_index)
    return {
        "id": torch.from_numpy(ids),
        "nsentences": len(ids),
        "ntokens": len(slots),
        "net_input": {
            "src_tokens": torch.from_numpy(arrays.source),
            "src_lengths": torch.from_numpy(arrays.lengths),
        },
        "target": torch.from_numpy(arrays.target),
        "masked_slots": torch.from_numpy(slots),
    }
