import numpy as np
from fairseq.data import Dictionary

from mass_plugins.data.vocabulary import Vocabulary, WordMarks


def test_ordinary_tokens_leave_out_what_is_not_text():
    dictionary = Dictionary()
    for symbol in ["[MASK]", "a", "b", "madeupword0000"]:
        dictionary.add_symbol(symbol)
    vocabulary = Vocabulary.of(dictionary)
    assert (vocabulary.mask, vocabulary.pad, vocabulary.eos) == (4, 1, 2)
    assert vocabulary.ordinary.tolist() == [5, 6]
    assert np.flatnonzero(vocabulary.ordinary_table(8)).tolist() == [5, 6]


class TestWordMarks:
    def starts(self, symbols, row):
        return WordMarks.of(symbols).word_starts(np.array([[symbols.index(symbol) for symbol in row]]))[0].tolist()

    def test_sentencepiece(self):
        symbols = ["</s>", "\u2581der", "\u2581Hun", "d", "."]
        assert self.starts(symbols, ["\u2581der", "\u2581Hun", "d", ".", "</s>"]) == [True, True, False, False, False]

    def test_subword_nmt(self):
        symbols = ["</s>", "der", "Hun@@", "d", "."]
        assert self.starts(symbols, ["der", "Hun@@", "d", ".", "</s>"]) == [True, True, False, True, True]

    def test_without_marks_each_token_is_a_word(self):
        assert self.starts(["</s>", "a", "b"], ["a", "b", "</s>"]) == [True] * 3
