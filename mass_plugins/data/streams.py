"""Streams: one language's text or one direction's pairs, each able to turn items into the arrays of a batch."""

from typing import Any, Hashable, Optional, Protocol, Sequence

import numpy as np

from mass_plugins.data.collate import Seq2SeqArrays, pad_right, shift_right
from mass_plugins.data.masker import Denoiser, Masker
from mass_plugins.data.replacement import mask_independently
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.errors import InputError


class Stream(Protocol):
    """What a mixture needs of a stream.

    ``source_sizes`` and ``target_sizes``, (N,) int, are the slots that an item takes on each side of the
    model. ``max_lengths`` (source, target) cuts longer items, keeping their ``</s>``; None leaves them.
    Streams of one ``kind`` differ in their text and languages alone: each can collate the other's items, into arrays
    that their data set's ``to_batch`` reads.
    """

    name: str
    kind: Hashable
    source_language: int
    target_language: int
    vocabulary: Vocabulary
    source_sizes: np.ndarray
    target_sizes: np.ndarray
    max_lengths: tuple[int, int] | None

    def read(self, item: int) -> tuple[np.ndarray, ...]: ...

    def collate(self, items: Sequence[tuple], keys: np.ndarray) -> Any: ...

    def locate(self, item: int) -> str: ...


def cut(tokens: np.ndarray, limit: int, keep_end: bool = False) -> np.ndarray:
    """The first ``limit`` tokens, the last of them replaced by the closing ``</s>``; or the last ``limit``."""
    if len(tokens) <= limit:
        return tokens
    if keep_end:
        return tokens[-limit:]
    return np.concatenate([tokens[: limit - 1], tokens[-1:]])


class MonolingualStream:
    """Text of one language, masked anew in each epoch.

    Args:
        name: for messages, e.g. ``en``.
        dataset: indexed token sequences (sentences, or blocks of a document).
        sizes: (N,) tokens of each.
        language: index of the language.
        masker: tokens -> masked source and decoder side.
        sample: what a sequence is, for messages.
    """

    def __init__(
        self, name: str, dataset, sizes: np.ndarray, language: int, masker: Masker | Denoiser, sample: str = "line"
    ):
        self.name, self.dataset, self.masker, self.sample = name, dataset, masker, sample
        self.kind: Hashable = ("text", id(masker))
        self.source_language = self.target_language = language
        self.vocabulary = masker.vocabulary
        self.source_sizes = self.target_sizes = np.asarray(sizes)
        self.max_lengths: tuple[int, int] | None = None

    def read(self, item: int) -> tuple[np.ndarray, ...]:
        tokens = self.dataset[item].numpy()
        return (cut(tokens, min(self.max_lengths)) if self.max_lengths else tokens,)

    def collate(self, items, keys) -> Seq2SeqArrays:
        return self.masker(*pad_right([item[0] for item in items], self.vocabulary.pad), keys)

    def locate(self, item: int) -> str:
        return f"{self.name}, {self.sample} {item + 1}"


class ParallelStream:
    """Pairs of one direction: fine-tuning, and the supervised steps of pre-training.

    Args:
        name: for messages, e.g. ``de-en``.
        source, target: indexed token sequences of equal number.
        source_sizes, target_sizes: (N,) tokens of each.
        source_language, target_language: indices of the languages.
        source_mask_ratio: share of the source's tokens to mask independently (supervised pre-training);
            0 leaves the source as it is.
        longest_source: longer sources are cut to so many tokens, their ``</s>`` included.
        keep_end: sources that are cut lose their beginning, as contexts of dialogues do.

    Raises:
        InputError: ``longest_source`` leaves no token beside the ``</s>``.
    """

    def __init__(
        self,
        name: str,
        source,
        target,
        source_sizes: np.ndarray,
        target_sizes: np.ndarray,
        source_language: int,
        target_language: int,
        vocabulary: Vocabulary,
        source_mask_ratio: float = 0.0,
        longest_source: Optional[int] = None,
        keep_end: bool = False,
    ):
        if longest_source is not None and longest_source < 2:
            raise InputError(f"--truncate-source {longest_source} leaves nothing but </s>; set it to 2 or more")
        self.name, self.source, self.target = name, source, target
        self.source_sizes, self.target_sizes = np.asarray(source_sizes), np.asarray(target_sizes)
        self.longest_source, self.keep_end = longest_source, keep_end
        if longest_source is not None:
            self.source_sizes = np.minimum(self.source_sizes, longest_source)
        self.source_language, self.target_language = source_language, target_language
        self.vocabulary, self.source_mask_ratio = vocabulary, source_mask_ratio
        self.kind: Hashable = ("pairs", source_mask_ratio)
        self.max_lengths: tuple[int, int] | None = None

    def read(self, item: int) -> tuple[np.ndarray, ...]:
        pair = (self.source[item].numpy(), self.target[item].numpy())
        if self.longest_source is not None:
            pair = (cut(pair[0], self.longest_source, self.keep_end), pair[1])
        if self.max_lengths is not None:
            pair = (cut(pair[0], self.max_lengths[0], self.keep_end), cut(pair[1], self.max_lengths[1]))
        return pair

    def collate(self, items, keys) -> Seq2SeqArrays:
        voc = self.vocabulary
        source, source_lengths = pad_right([pair[0] for pair in items], voc.pad)
        target, _ = pad_right([pair[1] for pair in items], voc.pad)
        if self.source_mask_ratio:
            source = mask_independently(source, source_lengths, self.source_mask_ratio, voc.mask, keys)
        return Seq2SeqArrays(source, source_lengths, shift_right(target, voc.eos), target)

    def locate(self, item: int) -> str:
        return f"{self.name}, pair {item + 1}"
