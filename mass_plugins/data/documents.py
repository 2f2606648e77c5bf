"""Documents as ``preprocess/prepare_documents.py`` writes them, and the mixture of those of several languages.

A folder holds ``<split>.<l>-None.<l>.{bin,idx}``, the units of all documents one after the other, each ending in
``[SEP]``, and ``<split>.<l>.documents.npy``, (D,) int32, how many units each document has.

The batch: ``net_input`` with ``src_tokens (N, S)`` and ``src_lengths (N,)``, the units of all documents as texts
``[CLS] .. [SEP]``; ``documents``: ``real (B, U)`` bool, which slots have a unit (the N units in this order), and of
each unit, (N,) int64: ``document``, its number among all, ``copy``, its place in the epoch (a document that is drawn
more than once has several), and ``language``; ``masked_slots (0,)`` and ``target``, which predict nothing.
"""

import os
import re
from typing import Any, NamedTuple, Optional

import numpy as np
import torch
from fairseq.data import Dictionary

from mass_plugins.data.binarized import open_monolingual
from mass_plugins.data.collate import pad_right
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.errors import InputError


class Documents(NamedTuple):
    """Documents of one language.

    Attributes:
        units: indexed token sequences.
        counts: (D,) int64, units of each document.
        starts: (D,) int64, its first unit.
    """

    units: Any
    counts: np.ndarray
    starts: np.ndarray


def counts_file(folder: str, split: str, language: str) -> str:
    """Name of the file that tells where documents begin."""
    return os.path.join(folder, f"{split}.{language}.documents.npy")


def _how_to_make(split: str) -> str:
    """What to do where documents are missing; prepare_documents.py holds nothing out to validate on."""
    if split == "train":
        return "make them with preprocess/prepare_documents.py --documents"
    return "make them with preprocess/prepare_documents.py --valid-documents, or train with --disable-validation"


def document_languages(folder: str, split: str) -> list[str]:
    """Languages with documents in a folder, sorted.

    Raises:
        InputError: there is none.
    """
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = (re.fullmatch(rf"{re.escape(split)}\.(.+)\.documents\.npy", name) for name in names)
    languages = sorted(match[1] for match in found if match)
    if not languages:
        raise InputError(f"{folder} has no {split} documents; {_how_to_make(split)}")
    return languages


def open_documents(folder: str, split: str, language: str, dictionary: Dictionary) -> Documents:
    """Raises InputError: a file is missing, or they don't fit one another."""
    path = counts_file(folder, split, language)
    try:
        counts = np.load(path).astype(np.int64)
    except FileNotFoundError:
        raise InputError(
            f"{path} doesn't exist: no {split} documents in {language}; leave the language out of --langs, "
            f"{_how_to_make(split)}"
        ) from None
    except (EOFError, ValueError):  # NumPy's own message advises to load it unsafely, as a pickle
        raise InputError(f"{path} is damaged; prepare the documents again") from None
    units = open_monolingual(folder, split, language, dictionary)
    if counts.ndim != 1 or counts.sum() != len(units) or counts.min(initial=1) < 1:
        raise InputError(f"{path} lists {counts.sum()} units but there are {len(units)}; prepare the documents again")
    return Documents(units, counts, np.cumsum(counts) - counts)


class DocumentStream:
    """Documents of one language, ``[CLS]`` put before each unit.

    Args:
        name: for messages.
        documents: see :func:`open_documents`.
        language: index of the language.
        vocabulary: special ids.
        cls: id of ``[CLS]``.
    """

    def __init__(self, name: str, documents: Documents, language: int, vocabulary: Vocabulary, cls: int):
        self.name, self.documents, self.vocabulary = name, documents, vocabulary
        self.kind = ("documents", language)
        self.source_language = self.target_language = language
        sizes = np.asarray(documents.units.sizes) + 1
        self.longest = np.maximum.reduceat(sizes, documents.starts)
        # What a document takes of a batch: its units are padded to the longest one.
        self.source_sizes = self.target_sizes = self.longest * documents.counts
        self.max_lengths = None
        self._start = np.array([cls], dtype=np.int64)

    def read(self, item: int) -> tuple[np.ndarray, ...]:
        start, count = self.documents.starts[item], self.documents.counts[item]
        units = self.documents.units
        return tuple(np.concatenate([self._start, units[n].numpy()]) for n in range(start, start + count))

    def locate(self, item: int) -> str:
        return f"{self.name}, document {item + 1}"


class DocumentDataset(MixtureDataset):
    """A mixture of documents, a language a batch; nothing of them is drawn but their order."""

    LIMIT_FLAGS = "--max-positions"
    streams: list[DocumentStream]  # type: ignore[assignment]

    def __init__(self, streams, seed: int, alpha: float = 1.0, fixed: bool = False, shards: int = 1):
        self.numbers_before = np.cumsum([0, *(len(stream.longest) for stream in streams)])
        super().__init__(streams, seed, alpha, fixed=fixed, shards=shards, separate=True)

    def set_epoch(self, epoch: int) -> None:
        super().set_epoch(epoch)
        walks = list(zip(self.streams, np.split(self.item_of, np.cumsum(self.quotas)[:-1])))
        self.longest = np.concatenate([stream.longest[items] for stream, items in walks])
        self.counts = np.concatenate([stream.documents.counts[items] for stream, items in walks])  # (N,) units
        self.units = int(self.counts.sum())
        first = np.cumsum(self.quotas) - self.quotas  # place of each language
        since = np.arange(len(self)) - first[self.stream_of] + self._visit(epoch) * self.quotas[self.stream_of]
        self.pass_of = since // np.diff(self.numbers_before)[self.stream_of]  # over the language's documents

    def ordered_indices(self) -> np.ndarray:
        """Places by language and, so that little is padded, by their longest unit.

        One pass over a language's documents after the other: sorted together, the copies of a document that is
        drawn more than once would be neighbours, and leave each other few documents to be told from.
        """
        order = np.arange(len(self)) if self.fixed else np.random.permutation(len(self))  # noqa: NPY002
        keys = (self.source_sizes, self.longest, self.pass_of, self.group_of)
        return order[np.lexsort([key[order] for key in keys])]

    def batch_by_size(self, indices, max_tokens=None, **limits) -> list:
        """Batches of documents of one language.

        Args:
            max_tokens: of a batch, all units of all its documents padded to the longest one of all.
            limits: ``max_sentences``, documents of a batch, and ``required_batch_size_multiple``: a batch of more
                documents has a multiple of so many, but for the last one.

        Raises:
            InputError: a document is larger than that.
        """
        largest = int(self.source_sizes[indices].max(initial=0))
        if max_tokens is not None and largest > max_tokens:
            raise InputError(
                f"a document has {largest} tokens in all its units, more than --max-tokens {max_tokens}; raise it, or "
                "prepare shorter documents (prepare_documents.py --units)"
            )
        batches: list = []
        for group in range(self.group_of.max(initial=-1) + 1):
            own = indices[self.group_of[indices] == group]
            batches += np.split(own, self._ends(own, max_tokens, **limits))[:-1]
        return batches

    def _ends(
        self,
        places: np.ndarray,
        max_tokens: Optional[int],
        max_sentences: Optional[int] = None,
        required_batch_size_multiple: int = 1,
    ) -> list[int]:
        """Where batches of these places end, cut as soon as the next document has no room."""
        tokens, documents, multiple = max_tokens or np.inf, max_sentences or np.inf, required_batch_size_multiple
        counts, longest = self.counts[places].tolist(), self.longest[places].tolist()
        ends: list[int] = []
        begin = end = units = width = 0
        while end < len(counts):
            if end > begin:
                full = (units + counts[end]) * max(width, longest[end]) > tokens or end - begin >= documents
                if full:
                    size = end - begin
                    begin = end = end - (size % multiple if size > multiple else 0)
                    ends.append(end)
                    units = width = 0
            units, width, end = units + counts[end], max(width, longest[end]), end + 1
        return [*ends, len(counts)] if counts else []

    def filter_indices_by_size(self, indices, max_sizes):
        """Raises InputError: a unit is longer than the model's positions."""
        limit = np.inf if max_sizes is None else np.min(max_sizes)
        long = indices[self.longest[indices] > limit]
        if len(long):
            stream = self.streams[self.stream_of[long[0]]]
            raise InputError(
                f"{stream.locate(int(self.item_of[long[0]]))} has a unit of {self.longest[long[0]]} tokens, more than "
                f"{limit}; raise {self.LIMIT_FLAGS}, or prepare shorter units (prepare_documents.py --unit-tokens)"
            )
        return indices, []

    def collater(self, samples) -> dict:
        """Documents of one language -> a batch; none -> ``{}``."""
        if len(samples) == 0:
            return {}
        stream = self.streams[samples[0][1]]
        counts = np.array([len(units) for _, _, units in samples])
        tokens, lengths = pad_right([unit for _, _, units in samples for unit in units], stream.vocabulary.pad)
        ids = np.array([index for index, _, _ in samples], dtype=np.int64)
        numbers = self.numbers_before[samples[0][1]] + self.item_of[ids]
        return {
            "id": torch.from_numpy(ids),
            "nsentences": len(samples),
            "ntokens": int(lengths.sum()),
            "net_input": {"src_tokens": torch.from_numpy(tokens), "src_lengths": torch.from_numpy(lengths)},
            "target": torch.full(tokens.shape, stream.vocabulary.pad),
            "masked_slots": torch.zeros(0, dtype=torch.int64),
            "documents": {
                "real": torch.from_numpy(np.arange(counts.max()) < counts[:, None]),
                "document": torch.from_numpy(np.repeat(numbers, counts)),
                "copy": torch.from_numpy(np.repeat(ids, counts)),
                "language": torch.full((len(tokens),), stream.source_language),
            },
        }
