"""The text that an update's steps draw from."""

from dataclasses import dataclass
from typing import Iterable, Sequence

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from mass_plugins.data.binarized import count_tokens, open_monolingual, open_parallel
from mass_plugins.data.languages import Direction
from mass_plugins.data.masker import Vocabulary
from mass_plugins.data.streams import MonolingualStream, ParallelStream, pairs_with_itself


@dataclass(frozen=True)
class TextFolders:
    """Streams of the text in data folders.

    Attributes:
        languages: all of the model.
    """

    languages: Sequence[str]
    dictionary: Dictionary
    vocabulary: Vocabulary

    def monolingual(self, folder: str, split: str, direction: Direction) -> ParallelStream:
        """Text of the target language, to be translated into the source language."""
        source, target = (self.languages.index(language) for language in direction)
        dataset = open_monolingual(folder, split, direction.target, self.dictionary, "--directions")
        name = f"{folder}, {split} {direction.target}"
        return pairs_with_itself(name, dataset, dataset.sizes, target, source, self.vocabulary)

    def masked(self, folder: str, split: str, language: str, masker) -> MonolingualStream:
        """Text of a language that a masker or a denoiser makes batches of."""
        dataset = open_monolingual(folder, split, language, self.dictionary, "--directions")
        return MonolingualStream(
            f"{folder}, {split} {language}", dataset, dataset.sizes, self.languages.index(language), masker
        )

    def pairs(self, folder: str, split: str, direction: Direction) -> ParallelStream:
        source, target = open_parallel(folder, split, *direction, self.dictionary)
        first, second = (self.languages.index(language) for language in direction)
        name = f"{folder}, {split} {direction}"
        return ParallelStream(name, source, target, source.sizes, target.sizes, first, second, self.vocabulary)

    def counts(self, folders: Sequence[str], split: str, languages: Iterable[str]) -> Tensor:
        """(L, V) int64, how often each token occurs in the text of these languages, over all folders."""
        counts = np.zeros((len(self.languages), len(self.dictionary)), dtype=np.int64)
        for language in languages:
            counts[self.languages.index(language)] = sum(
                count_tokens(folder, split, language, self.dictionary) for folder in folders
            )
        return torch.from_numpy(counts)
