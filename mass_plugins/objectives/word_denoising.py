"""Denoising of disturbed words, as a step of unsupervised translation and as a pre-training to compare with."""

from dataclasses import dataclass, field

from fairseq.dataclass import FairseqDataclass

from mass_plugins.data.masker import Denoiser
from mass_plugins.data.noise import WordNoise
from mass_plugins.data.vocabulary import WordMarks


@dataclass
class WordNoiseConfig(FairseqDataclass):
    word_shuffle: int = field(default=3, metadata={"help": "denoising: a word moves at most so many places"})
    word_drop: float = field(default=0.1, metadata={"help": "denoising: chance of a word to vanish"})
    word_blank: float = field(default=0.1, metadata={"help": "denoising: chance of a token to become [MASK]"})


def word_denoiser(cfg: WordNoiseConfig, task) -> Denoiser:
    """What disturbs the text of ``task``, whose dictionary tells where a word begins.

    Raises:
        InputError: a flag of the noise is out of its range.
    """
    noise = WordNoise(cfg.word_shuffle, cfg.word_drop, cfg.word_blank)
    return Denoiser(noise, task.vocabulary, WordMarks.of(task.dictionary.symbols))
