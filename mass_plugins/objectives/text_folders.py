"""Opening the text of a sequence-to-sequence task: a stream of each language or direction."""

from dataclasses import dataclass
from typing import Iterable, Optional, Sequence

import numpy as np
import torch
from fairseq.data import Dictionary, TokenBlockDataset
from torch import Tensor

from mass_plugins.data.binarized import count_tokens, open_monolingual, open_parallel
from mass_plugins.data.languages import Direction
from mass_plugins.data.masker import Denoiser, Masker
from mass_plugins.data.streams import MonolingualStream, ParallelStream
from mass_plugins.data.vocabulary import Vocabulary


@dataclass(frozen=True)
class TextFolders:
    """Streams of the text in data folders.

    Attributes:
        languages: all of the model.
    """

    languages: Sequence[str]
    dictionary: Dictionary
    vocabulary: Vocabulary

    def untranslated(self, folder: str, split: str, direction: Direction) -> ParallelStream:
        """Text of the target language as both sides of pairs: the source is yet to be translated."""
        text = open_monolingual(folder, split, direction.target, self.dictionary, "--directions")
        return self._pairs(f"{folder}, {split} {direction.target}", text, text, direction)

    def masked(
        self,
        folder: str,
        split: str,
        language: str,
        masker: Masker | Denoiser,
        flag: str = "--directions",
        tokens_per_block: Optional[int] = None,
    ) -> MonolingualStream:
        """Text of a language that a masker or a denoiser makes batches of.

        Args:
            flag: that named the language.
            tokens_per_block: of a sample, wherever lines end; None: a line is a sample.
        """
        dataset, sample = open_monolingual(folder, split, language, self.dictionary, flag), "line"
        if tokens_per_block is not None:
            voc, sample = self.vocabulary, "block"
            dataset = TokenBlockDataset(
                dataset, dataset.sizes, tokens_per_block, pad=voc.pad, eos=voc.eos, break_mode="none"
            )
        name, number = f"{folder}, {split} {language}", self.languages.index(language)
        return MonolingualStream(name, dataset, dataset.sizes, number, masker, sample)

    def pairs(self, folder: str, split: str, direction: Direction, **how) -> ParallelStream:
        """Pairs of a direction; ``how`` are options of :class:`ParallelStream`."""
        source, target = open_parallel(folder, split, *direction, self.dictionary)
        return self._pairs(f"{folder}, {split} {direction}", source, target, direction, **how)

    def _pairs(self, name: str, source, target, direction: Direction, **how) -> ParallelStream:
        first, second = (self.languages.index(language) for language in direction)
        return ParallelStream(name, source, target, source.sizes, target.sizes, first, second, self.vocabulary, **how)

    def counts(self, folders: Sequence[str], split: str, languages: Iterable[str]) -> Tensor:
        """(L, V) int64, how often each token occurs in the text of these languages, over all folders."""
        counts = np.zeros((len(self.languages), len(self.dictionary)), dtype=np.int64)
        for language in languages:
            counts[self.languages.index(language)] = sum(
                count_tokens(folder, split, language, self.dictionary) for folder in folders
            )
        return torch.from_numpy(counts)
