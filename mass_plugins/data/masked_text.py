"""Masked text for an encoder: streams of several languages as one fairseq dataset.

The batch: ``net_input`` holds ``src_tokens (B, S)`` and ``src_lengths (B,)``, right-padded int64, each row
``[CLS] .. [SEP]``; ``target (B, S)`` is padding where nothing is predicted; ``masked_slots (N,)`` are the slots of
the flattened batch where something is; ``ntokens`` = N, the loss's denominator; ``nsentences`` = B, ``id (B,)``.
"""

from typing import Callable

import numpy as np
import torch

from mass_plugins.data.mixture import MixtureDataset, tell_skipped
from mass_plugins.data.streams import MonolingualStream, cut
from mass_plugins.data.word_masking import MaskedText
from mass_plugins.errors import InputError

SHORTEST = 3  # tokens of a text: [CLS], one to mask, [SEP]


class MaskedTextStream(MonolingualStream):
    """Text of one language, ``[CLS]`` put before each item.

    Args:
        name: for messages.
        dataset: indexed token sequences, lines that end in ``[SEP]`` or blocks of such lines.
        sizes: (N,) tokens of each.
        masker: tokens -> masked text.
        cls: id of ``[CLS]``.
        copies: rows that the masker makes of a text.
        sample: ``line`` or ``block``, for messages.
    """

    def __init__(
        self, name: str, dataset, sizes: np.ndarray, masker: Callable, cls: int, copies: int = 1, sample: str = "line"
    ):
        # Another kind of batch comes of the masker than MASS's; a stream only hands it on
        super().__init__(name, dataset, np.asarray(sizes) + 1, 0, masker, sample)  # type: ignore[arg-type]
        self.copies = copies
        self._start = np.array([cls], dtype=np.int64)

    def read(self, item: int) -> tuple[np.ndarray, ...]:
        tokens = np.concatenate([self._start, self.dataset[item].numpy()])
        return (cut(tokens, min(self.max_lengths)) if self.max_lengths else tokens,)


class MaskedTextDataset(MixtureDataset):
    """A mixture of masked text; each item's mask depends on (seed, epoch, place) alone."""

    LIMIT_FLAGS = "--max-positions or --max-tokens"
    streams: list[MaskedTextStream]  # type: ignore[assignment]

    def batch_by_size(self, indices, max_tokens=None, max_sentences=None, **limits) -> list:
        """As in a mixture; a text counts as often as it is in a batch.

        One that has no room in all its copies is dealt with as ``long_lines`` says.

        Raises:
            InputError: such a text neither is skipped nor can be cut; or all are skipped.
        """
        copies = self.streams[0].copies
        if max_tokens:
            longest, room = int(self.sizes[indices].max(initial=0)), max_tokens // copies
            helpless = self.long_lines == "error" or (self.long_lines == "truncate" and room < SHORTEST)
            if copies > 1 and longest > room and helpless:
                other_way = ", or set --long-lines skip or truncate" if self.long_lines == "error" else ""
                raise InputError(
                    f"a text has {longest * copies} tokens in its {copies} copies, more than --max-tokens {max_tokens};"
                    f" raise it, lower --mask-sets or --tokens-per-sample{other_way}"
                )
            indices, skipped = self.filter_indices_by_size(indices, room)
            tell_skipped(indices, skipped, max_tokens)
            max_tokens = room
        max_sentences = max(1, max_sentences // copies) if max_sentences else max_sentences
        return super().batch_by_size(indices, max_tokens=max_tokens, max_sentences=max_sentences, **limits)

    def to_batch(self, arrays: MaskedText, ids: np.ndarray, streams) -> dict:
        return to_masked_batch(arrays, ids, streams[0].vocabulary.pad)


def to_masked_batch(arrays: MaskedText, ids: np.ndarray, pad_index: int) -> dict:
    """Arrays -> the batch that fairseq's trainer carries to the model."""
    slots = np.flatnonzero(arrays.target != pad_index)
    return {
        "id": torch.from_numpy(ids),
        "nsentences": len(arrays.source),
        "ntokens": len(slots),
        "net_input": {
            "src_tokens": torch.from_numpy(arrays.source),
            "src_lengths": torch.from_numpy(arrays.lengths),
        },
        "target": torch.from_numpy(arrays.target),
        "masked_slots": torch.from_numpy(slots),
    }
