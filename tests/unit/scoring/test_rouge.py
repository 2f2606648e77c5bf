"""ROUGE: against an independent NumPy count, by hand, and the properties of its intervals."""

import random
import sys
from collections import Counter

import numpy as np
import pytest

from mass_plugins.errors import InputError
from mass_plugins.scoring.rouge import (
    METRICS,
    RougeSettings,
    RougeSums,
    corpus_rouge,
    paired_bootstrap,
    sentence_scores,
    without_a_word,
)

PLAIN = RougeSettings(stem=False, samples=200)


def f1(matches, found, wanted):
    return 200 * matches / (found + wanted) if matches else 0.0


def by_hand(hypothesis, reference):
    """ROUGE-1, -2, -L of words between spaces."""
    one, other = hypothesis.split(), reference.split()
    scores = []
    for n in (1, 2):
        grams = [Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1)) for words in (one, other)]
        scores.append(f1((grams[0] & grams[1]).total(), grams[0].total(), grams[1].total()))
    table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1, j + 1] = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
    return [*scores, f1(table[-1, -1], len(one), len(other))]


def texts(count, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choices("abcdefg", k=draw.randint(1, 9))) for _ in range(count)]


def test_each_summary_as_counted_by_hand():
    found, real = texts(60, 1), texts(60, 2)
    expected = [by_hand(*pair) for pair in zip(found, real)]
    np.testing.assert_allclose(sentence_scores(found, real, PLAIN), expected)
    corpus = corpus_rouge(found, real, PLAIN)
    assert list(corpus) == list(METRICS)
    np.testing.assert_allclose([score.score for score in corpus.values()], np.mean(expected, axis=0))


def test_one_value():
    """the cat sat | the cat was: 2 of 3 words, 1 of 2 pairs, a subsequence of 2."""
    np.testing.assert_allclose(sentence_scores(["the cat sat"], ["the cat was"]), [[200 / 3, 50, 200 / 3]])


def test_with_several_references_the_best_counts():
    hypothesis = ["a b c"]
    assert sentence_scores(hypothesis, [["x y", "a b c"]], PLAIN).min() == 100
    several = corpus_rouge(["a b", "a b"], [["a b", "c"], ["a b"]], PLAIN)["ROUGE-1"]
    assert several.score == 100 and several.signature.startswith("nrefs:var|")


def test_intervals_hold_the_score_narrow_with_more_and_come_again():
    few, many = (corpus_rouge(texts(n, 1), texts(n, 2), PLAIN)["ROUGE-1"] for n in (20, 500))
    for score in (few, many):
        assert score.low < score.score < score.high
    assert many.high - many.low < few.high - few.low
    np.random.seed(5)  # noqa: NPY002  nothing of it is used
    assert corpus_rouge(texts(20, 1), texts(20, 2), PLAIN)["ROUGE-1"] == few
    other = RougeSettings(stem=False, samples=200, seed=6)
    assert corpus_rouge(texts(20, 1), texts(20, 2), other)["ROUGE-1"].low != few.low
    same = corpus_rouge(["a"] * 9, ["a"] * 9, PLAIN)["ROUGE-L"]
    assert (same.score, same.low, same.high) == (100, 100, 100)


@pytest.mark.parametrize(
    ("real", "number"), [(["a", "b"], "1"), ([["a", "b"], ["c", "d"]], "2"), (["a", ["b", "c"]], "var")]
)
def test_both_signatures_tell_the_number_of_references(real, number):
    found = corpus_rouge(["a", "b"], real, PLAIN)["ROUGE-L"].signature
    assert found.startswith(f"nrefs:{number}|")
    assert {test.signature for test in paired_bootstrap(["a", "b"], ["c", "d"], real, PLAIN)} == {found}


def test_references_without_a_word_are_counted():
    references = ["\u4f60\u597d", ["", "..."], ["", "a"], "b"]
    assert without_a_word(references) == 2
    assert without_a_word(references, RougeSettings(stem=False, tokenize="unicode")) == 1


def test_paired_bootstrap_tells_a_gain_from_none():
    real, noise = texts(80, 2), texts(80, 1)
    for test in paired_bootstrap(noise, real, real, PLAIN):
        assert test.difference > 0 and test.p_value < 0.02
    for test in paired_bootstrap(noise, noise, real, PLAIN):
        assert test.difference == 0 and test.p_value == 1
    forth, back = paired_bootstrap(noise, texts(80, 3), real, PLAIN), paired_bootstrap(texts(80, 3), noise, real, PLAIN)
    assert [round(test.difference, 9) for test in forth] == [-round(test.difference, 9) for test in back]
    assert [test.p_value for test in forth] == [test.p_value for test in back]


def test_stems_letters_and_sentences():
    assert sentence_scores(["running fast"], ["runs fast"])[0, 0] == 100
    assert sentence_scores(["running fast"], ["runs fast"], PLAIN)[0, 0] == 50
    letters = RougeSettings(stem=False, tokenize="unicode")
    assert sentence_scores(["grüße"], ["grobe"], letters)[0, 0] == 0
    assert sentence_scores(["Привет мир"], ["привет, мир!"], letters)[0, 0] == 100
    assert sentence_scores(["你好吗"], ["你好"], letters)[0, 0] == pytest.approx(80)
    whole, by_sentence = RougeSettings(), RougeSettings(summary_level=True)
    text = ["He came. She left."], ["She left. He came."]
    assert sentence_scores(*text, whole)[0, 2] == 50 and sentence_scores(*text, by_sentence)[0, 2] == 100


def test_sums_of_two_halves_are_that_of_the_whole():
    found, real = texts(30, 1), texts(30, 2)
    whole, *halves = (RougeSums.of(found[a:b], real[a:b]) for a, b in ((0, 30), (0, 12), (12, 30)))
    np.testing.assert_allclose(whole.sums, np.add(*(half.sums for half in halves)))
    assert whole.count == 30 and dict(whole.items())["rougeL"] == whole.sums[2]


def test_a_signature_names_every_setting():
    signatures = {
        RougeSettings(**changed).signature()
        for changed in ({}, {"stem": False}, {"stem": False, "tokenize": "unicode"}, {"summary_level": True},
                        {"samples": 9}, {"confidence": 0.9}, {"seed": 1})
    }  # fmt: skip
    assert len(signatures) == 7 and all("rouge_score:0." in signature for signature in signatures)


@pytest.mark.parametrize("changed, message", [
    ({"tokenize": "13a"}, "is unknown"), ({"tokenize": "unicode"}, "stems are those of English"),
    ({"samples": 0}, "need 1 or more"), ({"confidence": 1.0}, "need 1 or more"),
])  # fmt: skip
def test_settings_that_make_no_sense(changed, message):
    with pytest.raises(InputError, match=message):
        RougeSettings(**changed)


def test_nothing_to_score_and_a_missing_package(monkeypatch):
    with pytest.raises(ValueError, match="no summary"):
        corpus_rouge([], [])
    with pytest.raises(ValueError, match="1 hypotheses, 2 references"):
        corpus_rouge(["a"], ["a", "b"])
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    with pytest.raises(InputError, match="pip install rouge-score"):
        corpus_rouge(["a"], ["a"])
