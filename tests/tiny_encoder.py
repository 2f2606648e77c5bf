"""Tokenizers, a data-bin and flags of an encoder that are small enough for a test."""

from pathlib import Path

from torch.nn import functional

from mass_plugins.data.encoder_text import TokenizerText
from preprocess.filter import Limits
from preprocess.prepare_encoder import _RAW
from preprocess.stages import Cleaning
from preprocess.subwords import SampleFlags
from preprocess.tokenizer import EncoderFlags, learn_tokenizer
from tests import tiny

LANGUAGES = ("de", "en")
MODEL = (
    "--arch text_encoder_tiny --encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 16 "
    "--encoder-attention-heads 2 --max-positions 64 "
).split()
TRAINING = (
    "--criterion masked_tokens --optimizer adam --lr 0.003 --max-tokens 500 --num-workers 0 --log-format json "
    "--log-interval 1 "
).split()
MLM = ["--task", "mlm_pretraining", *MODEL, *TRAINING]


def sentences(lines: int, seed: str) -> list[str]:
    """Lines of both languages, one after the other."""
    return [
        line for language in LANGUAGES for line in tiny.sentences(lines, [language], f"{seed} {language}")[language]
    ]


def lm_logits(model, hidden):
    """(..., D) -> (..., V): a score for each token by a text encoder's masked-LM head."""
    return functional.linear(model.lm_head.transform(hidden), model.output_weight, model.lm_head.bias)


def make_text(kind: str = "wordpiece", size: int = 0) -> TokenizerText:
    """A tokenizer of a few hundred tokens, learned from made-up sentences."""
    flags = EncoderFlags(
        Cleaning(_RAW, Limits(), False), SampleFlags(1000, 0.5, None), size or 320, kind, False, 0, 1, 1
    )
    return learn_tokenizer(sentences(200, "tokenizer"), flags)


def make_data_bin(folder: Path, lines: int = 150) -> TokenizerText:
    """Fill ``folder`` with what prepare_encoder.py would write; returns its tokenizer."""
    text = make_text()
    text.save(folder)
    for split, count in (("train", lines), ("valid", 20)):
        for language in LANGUAGES:
            rows = text.pieces(tiny.sentences(count, [language], f"{split} {language}")[language])
            tiny.write_binarized(
                folder / f"{split}.{language}-None.{language}", ([*row, text.vocabulary.eos] for row in rows)
            )
    return text
