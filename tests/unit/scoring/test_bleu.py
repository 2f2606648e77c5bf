"""BLEU: known values, sums over batches, the paired bootstrap."""

import math
import random
from collections import Counter

import pytest
import sacrebleu

from mass_plugins.scoring.bleu import BleuStatistics, corpus_bleu, paired_bootstrap, signature, tokenized_bleu

WORDS = [f"w{n}" for n in range(30)]


def corpus(lines, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(4, 12))) for _ in range(lines)]


def damaged(lines, share, seed):
    draw = random.Random(seed)
    return [" ".join(w if draw.random() > share else "x" for w in line.split()) for line in lines]


def test_a_value_worked_out_by_hand():
    """4 of 5 unigrams, 3 of 4 bigrams, 2 of 3 trigrams, 1 of 2 4-grams; one word shorter than its reference."""
    score = corpus_bleu(["a b c d x"], ["a b c d e f"]).score
    precision = (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert score == pytest.approx(100 * precision * math.exp(1 - 6 / 5))


def test_statistics_of_batches_add_up_to_the_corpus():
    references = corpus(50, seed=1)
    hypotheses = damaged(references, 0.3, seed=2)
    total = BleuStatistics.empty()
    for start in range(0, 50, 7):
        part = slice(start, start + 7)
        total += BleuStatistics.from_sentences(hypotheses[part], references[part])
    assert total.score() == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [references]).score)
    assert 0 < total.score() < 100


def test_statistics_survive_the_logs():
    statistics = BleuStatistics.from_sentences(["a b c d"], ["a b c e"])
    assert BleuStatistics.from_items(dict(statistics.items())) == statistics
    assert BleuStatistics.from_items(dict(BleuStatistics.empty().items())).score() == 0
    assert BleuStatistics.from_sentences([], []) == BleuStatistics.empty()


def test_signature_names_what_the_score_depends_on():
    assert signature() == corpus_bleu(["a"], ["a"]).signature
    assert signature().startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "case:lc" in corpus_bleu(["A"], ["a"], lowercase=True).signature


def test_tokenized_looking_text_is_scored_without_a_warning(caplog):
    corpus_bleu(["a b c ."] * 200, ["a b c ."] * 200)
    assert not caplog.records


def test_another_number_of_lines_is_refused():
    with pytest.raises(ValueError, match="2 hypotheses, 1 references"):
        corpus_bleu(["a", "b"], ["a"])


def multi_bleu(hypotheses, references):
    """What multi-bleu.perl prints, from its formula: n-grams of words between spaces, clipped, no smoothing."""
    right, total, lengths = Counter(), Counter(), [0, 0]
    for found, real in zip(hypotheses, references):
        found, real = found.split(), real.split()
        lengths = [lengths[0] + len(found), lengths[1] + len(real)]
        for n in range(1, 5):
            mine, theirs = (Counter(zip(*(words[i:] for i in range(n)))) for words in (found, real))
            right[n] += sum((mine & theirs).values())
            total[n] += sum(mine.values())
    if not all(right[n] for n in range(1, 5)):
        return 0.0
    brevity = min(1.0, math.exp(1 - lengths[1] / lengths[0]))
    return 100 * brevity * math.exp(sum(math.log(right[n] / total[n]) for n in range(1, 5)) / 4)


def test_tokenized_bleu_is_that_of_multi_bleu():
    """Punctuation and clitics become words of their own, by the rules of the language; case counts."""
    hypotheses = ["L'arbre est vert, dit-il aujourd'hui.", "Le chat (noir) dort dans la maison."]
    references = ["L'arbre est grand, dit-il aujourd'hui.", "le chat (noir) dort dans une maison."]
    words = [
        ["L' arbre est vert , dit-il aujourd' hui .", "Le chat ( noir ) dort dans la maison ."],
        ["L' arbre est grand , dit-il aujourd' hui .", "le chat ( noir ) dort dans une maison ."],
    ]
    expected = multi_bleu(*words)
    assert 0 < expected < 100
    score = tokenized_bleu(hypotheses, references, "fr")
    assert score.score == pytest.approx(expected)
    assert score.signature.startswith("nrefs:1|case:mixed|eff:no|tok:none|smooth:none|version:")
    assert "|moses:fr|sacremoses:" in score.signature
    lower = tokenized_bleu(hypotheses, references, "fr", lowercase=True)
    assert lower.score == pytest.approx(multi_bleu(*([line.lower() for line in lines] for lines in words)))
    assert lower.score > score.score and "case:lc" in lower.signature


def test_tokenized_bleu_of_a_corpus():
    references = corpus(60, seed=10)
    hypotheses = damaged(references, 0.3, seed=11)
    assert tokenized_bleu(hypotheses, references, "en").score == pytest.approx(multi_bleu(hypotheses, references))


def test_tokenized_bleu_is_zero_where_no_four_words_match():
    assert tokenized_bleu(["a b c x"], ["a b c d"], "en").score == 0 < corpus_bleu(["a b c x"], ["a b c d"]).score
    with pytest.raises(ValueError, match="1 hypotheses, 0 references"):
        tokenized_bleu(["a"], [], "en")


def test_bootstrap_tells_a_real_difference_from_none():
    references = corpus(200, seed=3)
    bad, good = damaged(references, 0.3, seed=4), damaged(references, 0.2, seed=5)
    alike = damaged(references, 0.3, seed=6)
    systems = {"bad": bad, "good": good, "alike": alike, "same": bad}
    better, other, same = paired_bootstrap(systems, references, samples=300)
    assert (better.system, better.baseline) == ("good", "bad")
    assert better.difference > 5 and better.p_value < 0.01
    assert abs(other.difference) < 5 and other.p_value > 0.05
    assert same.difference == 0 and same.p_value == 1
    assert "bs:300|seed:12345" in same.signature


def test_two_systems_without_a_match_do_not_differ():
    systems = {"one": ["x y z"] * 20, "other": ["v w"] * 20}
    (test,) = paired_bootstrap(systems, ["the cat sat on the mat"] * 20, samples=100)
    assert test.difference == 0 and test.p_value == 1


def test_bootstrap_gives_the_same_twice():
    references = corpus(40, seed=7)
    systems = {"a": damaged(references, 0.3, 8), "b": damaged(references, 0.25, 9)}
    assert paired_bootstrap(systems, references, 100) == paired_bootstrap(systems, references, 100)
