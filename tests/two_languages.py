"""Text of two languages of one grammar, which share a few words; and of a language with another grammar."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from mass_plugins.data.encoder_text import TokenizerText
from tests import tiny

EOS, FIRST = 2, 4  # ids: </s>, the first word of the first language
WORDS, SHARED = 240, 40
SIZE = FIRST + 2 * WORDS  # of the vocabulary


def write_text(language: int, seed: int, grammar: int = 0, sentences: int = 3000) -> np.ndarray:
    """(T,) ids of sentences of ten words, each followed by one of four that the grammar allows.

    Word w has the id FIRST + w, in the second language (1) FIRST + WORDS + w unless it is one of the shared.
    """
    rng = np.random.default_rng(grammar)
    followers = np.stack([rng.permutation(WORDS)[:4] for _ in range(WORDS)])
    spelling = np.arange(WORDS) + FIRST
    spelling[SHARED:] += WORDS * language
    rng = np.random.default_rng(seed)
    text = np.full((sentences, 11), EOS)
    word = rng.integers(WORDS, size=sentences)
    for column in range(10):
        text[:, column] = spelling[word]
        word = followers[word, rng.integers(4, size=sentences)]
    return text.ravel()


def name(word: int) -> str:
    """Letters alone, as ``align`` shows words of letters."""
    return "".join(chr(ord("a") + digit) for digit in divmod(word, 26))


def make_data_bin(folder: Path) -> None:
    """Languages ``xx`` and ``yy``; their words are named alike but for the first letter."""
    words = [("s" if word < SHARED else "x") + name(word) for word in range(WORDS)]
    words += ["y" + name(word) for word in range(WORDS)]
    dictionary = tiny.write_dictionary(folder, words, ("xx", "yy"))
    offset = dictionary.index(words[0]) - FIRST
    for number, language in enumerate(("xx", "yy")):
        for split, seed, sentences in (("train", 1, 3000), ("valid", 3, 20)):
            rows = write_text(number, seed + number, sentences=sentences).reshape(-1, 11)
            rows = np.where(rows == EOS, EOS, rows + offset)
            tiny.write_binarized(folder / f"{split}.{language}-None.{language}", rows.tolist())


def make_encoder_data_bin(folder: Path) -> Path:
    """The same words as tokens of a tokenizer whose special ones are the last but for one; returns the folder."""
    words = [("s" if word < SHARED else "x") + name(word) for word in range(WORDS)]
    words += ["y" + name(word) for word in range(WORDS)]
    symbols = ["[SEP]", *words, "[CLS]", "[PAD]", "[UNK]", "[MASK]"]
    tokenizer = Tokenizer(models.WordLevel({symbol: number for number, symbol in enumerate(symbols)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    TokenizerText(tokenizer.to_str().encode()).save(folder)
    for number, language in enumerate(("xx", "yy")):
        for split, seed, sentences in (("train", 1, 3000), ("valid", 3, 20)):
            rows = write_text(number, seed + number, sentences=sentences).reshape(-1, 11)
            rows = np.where(rows == EOS, 0, rows - FIRST + 1)
            tiny.write_binarized(folder / f"{split}.{language}-None.{language}", rows.tolist())
    return folder
