"""What masks and noise need to know of a dictionary: special and ordinary ids, and where words begin."""

from dataclasses import dataclass
from typing import NamedTuple, Sequence

import numpy as np

from mass_plugins.data.symbols import MASK, UNUSED
from mass_plugins.data.text import SPACE_SIGN


@dataclass(frozen=True)
class Vocabulary:
    """Ids of a dictionary."""

    mask: int
    pad: int
    eos: int
    ordinary: np.ndarray  # (V',) int64: ids that may stand in as random tokens

    @classmethod
    def of(cls, dictionary) -> "Vocabulary":
        """From fairseq's dictionary; ordinary is what is neither special nor ``[MASK]`` nor unused."""
        symbols = enumerate(dictionary.symbols)
        text = [i for i, s in symbols if i >= dictionary.nspecial and s != MASK and not s.startswith(UNUSED)]
        return cls(dictionary.index(MASK), dictionary.pad(), dictionary.eos(), np.array(text, dtype=np.int64))

    def ordinary_table(self, size: int) -> np.ndarray:
        """(size,) bool: which of all ids are ordinary."""
        table = np.zeros(size, dtype=bool)
        table[self.ordinary] = True
        return table


class WordMarks(NamedTuple):
    """Where words begin, by the marks that sub-words carry; (V,) bool each, by token id."""

    begins: np.ndarray  # not a continuation by its own mark (sentencepiece: begins with U+2581)
    continued: np.ndarray  # the next token continues it (subword-nmt: ends in "@@")

    @classmethod
    def of(cls, symbols: Sequence[str]) -> "WordMarks":
        """From a dictionary's symbols in the order of their ids; where none has a mark, every token is a word."""
        sentencepiece = any(symbol.startswith(SPACE_SIGN) for symbol in symbols)
        return cls(
            begins=np.array([not sentencepiece or symbol.startswith(SPACE_SIGN) for symbol in symbols]),
            continued=np.array([symbol.endswith("@@") for symbol in symbols]),
        )

    def word_starts(self, tokens: np.ndarray) -> np.ndarray:
        """(B, S) int64 -> (B, S) bool: slots where a word begins."""
        starts = self.begins[tokens]
        starts[:, 1:] &= ~self.continued[tokens[:, :-1]]
        return starts
