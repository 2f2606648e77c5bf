"""A corpus, a data-bin and a model that are small enough for a test that runs fairseq's commands."""

import io
import random
from pathlib import Path
from typing import Iterable

import numpy as np
import torch
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder
from subword_nmt.learn_bpe import learn_bpe

from mass_plugins.data.text import TextCodec, TextSettings

LANGUAGES = ("de", "en", "fr")
PAIRS = (("de", "en"), ("en", "fr"))
SPECIALS = 4  # of fairseq's dictionaries: <s>, <pad>, </s>, <unk>

PLUGIN_FLAGS = ("--user-dir", str(Path(__file__).resolve().parents[1] / "mass_plugins"), "--cpu")
MODEL = (
    "--arch mass_tiny --encoder-layers 1 --decoder-layers 1 --encoder-embed-dim 16 --decoder-embed-dim 16 "
    "--encoder-ffn-embed-dim 16 --decoder-ffn-embed-dim 16 --encoder-attention-heads 2 --decoder-attention-heads 2 "
    "--max-source-positions 64 --max-target-positions 64 "
).split()
TRAINING = (
    "--criterion label_smoothed_cross_entropy --optimizer adam --lr 0.003 --max-tokens 500 --num-workers 0 "
    "--log-format json --log-interval 1 "
).split()
PRETRAIN = ["--task", "mass_pretraining", *MODEL, *TRAINING]
DIRECTIONS = ["--directions", "de-en,en-de"]
FINETUNE = ["--task", "seq2seq_finetuning", *DIRECTIONS, *MODEL, *TRAINING, "--label-smoothing", "0.1"]
UNSUPERVISED = ["--task", "unsupervised_translation", *DIRECTIONS, *MODEL, *TRAINING]

# forty words of each language; a sentence of one is a sentence of another, word by word
_WORDS = {
    language: [a + b for a in first for b in second]
    for language, first, second in (
        ("de", ("schl", "kr", "br", "st", "gl"), ("au", "ein", "och", "ung", "icht", "ade", "erz", "uck")),
        ("en", ("th", "wh", "s", "gr", "m"), ("ight", "ound", "ing", "oat", "eed", "all", "ore", "ink")),
        ("fr", ("ch", "v", "pl", "j", "m"), ("eux", "oir", "ance", "ille", "ette", "eau", "ois", "ique")),
    )
}


def sentences(lines: int, languages: Iterable[str], seed: str) -> dict[str, list[str]]:
    """``lines`` sentences of three to nine words and a full stop, the same in each of ``languages``."""
    chance = random.Random(seed)
    rows = [[chance.randrange(40) for _ in range(chance.randint(3, 9))] for _ in range(lines)]
    return {lang: [" ".join(_WORDS[lang][word] for word in row) + "." for row in rows] for lang in languages}


def make_codec() -> TextCodec:
    """Moses and the BPE of all words."""
    words = "\n".join(word for language in LANGUAGES for word in _WORDS[language])
    codes = io.StringIO()
    learn_bpe(io.StringIO(words), codes, num_symbols=60, min_frequency=1)
    return TextCodec(TextSettings(), codes.getvalue().encode())


def write_dictionary(folder: Path, pieces: Iterable[str], languages: Iterable[str] = LANGUAGES) -> Dictionary:
    """``[MASK]``, ``pieces``, and padding to a multiple of eight."""
    symbols = ["[MASK]", *pieces]
    symbols += [f"madeupword{n:04d}" for n in range(-(len(symbols) + SPECIALS) % 8)]
    for language in languages:
        (folder / f"dict.{language}.txt").write_text("".join(f"{symbol} 1\n" for symbol in symbols))
    return Dictionary.load(str(folder / f"dict.{next(iter(languages))}.txt"))


def write_binarized(prefix: Path, rows: Iterable[Iterable[int]], dtype=np.uint16) -> None:
    """Token ids, a list a sentence, as ``PREFIX.bin`` and ``PREFIX.idx``."""
    builder = MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype)
    for row in rows:
        builder.add_item(torch.tensor(list(row)))
    builder.finalize(f"{prefix}.idx")


def make_data_bin(folder: Path, lines: int = 200, seed: int = 0) -> None:
    """Fill ``folder`` with what preprocess/prepare.py would write of ``lines`` lines of each corpus."""
    codec = make_codec()
    codec.save(folder)
    pieces = {piece for lang in LANGUAGES for word in _WORDS[lang] for piece in codec.encode(word, lang).split()}
    dictionary = write_dictionary(folder, sorted(pieces | {"."}))

    def binarize(prefix: str, language: str, text: list[str]):
        encoded = (dictionary.encode_line(codec.encode(line, language), add_if_not_exist=False) for line in text)
        write_binarized(folder / f"{prefix}.{language}", (row.tolist() for row in encoded))

    for split, count in (("train", lines), ("valid", 20), ("test", 12)):
        for language in LANGUAGES if split != "test" else ():
            text = sentences(count, [language], f"{split} {language} {seed}")
            binarize(f"{split}.{language}-None", language, text[language])
        for pair in PAIRS:
            text = sentences(count, pair, f"{split} {pair} {seed}")
            for language in pair:
                binarize(f"{split}.{'-'.join(pair)}", language, text[language])
