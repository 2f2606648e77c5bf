"""Tokens -> a masked source and what the decoder predicts, for a whole batch."""

from dataclasses import dataclass

import numpy as np

from mass_plugins.data.collate import Seq2SeqArrays, shift_right
from mass_plugins.data.noise import WordNoise, add_word_noise, infill
from mass_plugins.data.replacement import Replacement, replace_tokens
from mass_plugins.data.span_masking import (
    Slots,
    sample_scattered,
    sample_spans,
    sample_windows,
)
from mass_plugins.data.vocabulary import Vocabulary, WordMarks
from mass_plugins.errors import InputError

MASKINGS = ("span", "discrete", "block", "infilling", "bert-lm")


@dataclass(frozen=True)
class Masker:
    """MASS's masking (Song et al. 2019, section 3.2) and the objectives it is compared with.

    Attributes:
        masking: ``span`` (MASS), ``discrete`` (as many tokens, scattered), ``block`` (a span in each
            window of a document's block), ``infilling`` (BART: the decoder writes the whole sentence), ``bert-lm``
            (the encoder predicts scattered tokens as BERT does, the decoder is a language model without a source).
        ratio: share of the tokens that is masked.
        replacement: what stands at a masked slot (``infilling`` always writes one ``[MASK]`` a span).
        vocabulary: special and ordinary ids.
        feed_whole_sentence: the *Feed* ablation: the decoder reads every token, the loss stays on the
            masked ones.
        window: tokens of a window in ``block``.
        mean_span: mean span of ``infilling``.
    """

    masking: str
    ratio: float
    replacement: Replacement
    vocabulary: Vocabulary
    feed_whole_sentence: bool = False
    window: int = 64
    mean_span: float = 3.0

    def __post_init__(self):
        if self.masking not in MASKINGS:
            raise InputError(f"--masking {self.masking!r} is not one of {', '.join(MASKINGS)}")
        if not 0 < self.ratio <= 1 or (self.masking == "infilling" and self.ratio == 1):
            limits = "(0, 1)" if self.masking == "infilling" else "(0, 1]"
            raise InputError(f"span_ratio={self.ratio} is not in {limits}; set --span-ratio")
        if self.feed_whole_sentence and self.masking in ("infilling", "bert-lm"):
            raise InputError(f"--feed-whole-sentence has no effect on --masking {self.masking}; leave it out")
        if self.window < 1:
            raise InputError(f"--tokens-per-window {self.window} is not positive")

    def __call__(self, tokens: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> Seq2SeqArrays:
        """Mask a batch.

        Args:
            tokens: (B, S) int64, right-padded.
            lengths: (B,) int64, at least 1.
            keys: (B,) uint64, one a sentence; equal keys give equal masks.
        """
        if self.masking == "infilling":
            return self._infill(tokens, lengths, keys)
        if self.masking == "bert-lm":
            return self._predict_on_both_sides(tokens, lengths, keys)
        masked = self._sample(lengths, keys)
        voc = self.vocabulary
        source = replace_tokens(tokens, masked, self.replacement, voc.mask, voc.ordinary, keys)
        if self.feed_whole_sentence:
            target = np.full_like(tokens, voc.pad)
            rows, columns = np.nonzero(masked.valid())
            slots = masked.slots[rows, columns]
            target[rows, slots] = tokens[rows, slots]
            return Seq2SeqArrays(source, lengths, shift_right(tokens, voc.eos), target)
        return Seq2SeqArrays(source, lengths, *self._fragment(tokens, masked))

    def _sample(self, lengths: np.ndarray, keys: np.ndarray) -> Slots:
        if self.masking == "discrete":
            return sample_scattered(lengths, self.ratio, keys)
        if self.masking == "block":
            return sample_windows(lengths, self.ratio, keys, self.window)
        return sample_spans(lengths, self.ratio, keys)

    def _fragment(self, tokens: np.ndarray, masked: Slots):
        """(prev_output, target, positions), each (B, K): the masked slots alone, in order."""
        valid, voc = masked.valid(), self.vocabulary
        slots, rows = np.where(valid, masked.slots, 0), np.arange(len(tokens))[:, None]
        target = np.where(valid, tokens[rows, slots], voc.pad)
        previous = np.where(valid, shift_right(tokens, voc.eos)[rows, slots], voc.pad)
        return previous, target, slots

    def _predict_on_both_sides(self, tokens: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> Seq2SeqArrays:
        """Targets are the encoder's masked tokens (Devlin et al. 2019), then all of the decoder's: (B, K + S)."""
        masked, voc = sample_scattered(lengths, self.ratio, keys), self.vocabulary
        source = replace_tokens(tokens, masked, self.replacement, voc.mask, voc.ordinary, keys)
        valid = masked.valid()
        slots = np.where(valid, masked.slots, 0)
        hidden = np.where(valid, tokens[np.arange(len(tokens))[:, None], slots], voc.pad)
        target = np.concatenate([hidden, tokens], axis=1)
        return Seq2SeqArrays(source, lengths, shift_right(tokens, voc.eos), target, encoder_slots=slots)

    def _infill(self, tokens: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> Seq2SeqArrays:
        voc = self.vocabulary
        source, source_lengths = infill(tokens, lengths, self.ratio, self.mean_span, voc.mask, voc.pad, keys)
        return Seq2SeqArrays(source, source_lengths, shift_right(tokens, voc.eos), tokens)


@dataclass(frozen=True)
class Denoiser:
    """Denoising auto-encoding of unsupervised translation: disturbed words in, the whole sentence out."""

    noise: WordNoise
    vocabulary: Vocabulary
    marks: WordMarks

    def __call__(self, tokens: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> Seq2SeqArrays:
        """As :class:`Masker`."""
        voc = self.vocabulary
        starts = self.marks.word_starts(tokens)
        source, source_lengths = add_word_noise(tokens, lengths, starts, self.noise, voc.mask, voc.pad, keys)
        return Seq2SeqArrays(source, source_lengths, shift_right(tokens, voc.eos), tokens)
