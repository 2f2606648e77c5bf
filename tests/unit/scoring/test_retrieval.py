"""Measures are those of an independent implementation; paired tests find what is there and nothing else."""

import math

import numpy as np
import pytest

from mass_plugins.errors import InputError
from mass_plugins.scoring.retrieval import MEASURES, compare, measure_queries, signature, unjudged


def by_hand(grades, ranking):
    """nDCG@10 (linear gain), reciprocal rank within ten, recall within 100 and 1000, in percent."""
    gains = [grades.get(name, 0) for name in ranking]
    dcg = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains[:10]))
    ideal = sum(g / math.log2(rank + 2) for rank, g in enumerate(sorted(grades.values(), reverse=True)[:10]))
    first = next((1 / (rank + 1) for rank, gain in enumerate(gains[:10]) if gain > 0), 0.0)
    relevant = sum(grade > 0 for grade in grades.values())
    recall = [sum(gain > 0 for gain in gains[:depth]) / relevant for depth in (100, 1000)]
    return dict(zip(MEASURES, (100 * value for value in (dcg / ideal, first, *recall))))


def test_against_an_independent_implementation():
    rng = np.random.default_rng(0)
    documents = [f"d{n}" for n in range(1500)]
    judgements = {f"q{q}": {f"d{d}": int(rng.integers(0, 4)) for d in rng.integers(0, 1500, 40)} for q in range(6)}
    rankings = {f"q{q}": [(documents[d], 1.0) for d in rng.permutation(1500)] for q in range(6)}  # every score is a tie
    found = measure_queries(judgements, rankings.items())
    for query, ranking in rankings.items():
        expected = by_hand(judgements[query], [name for name, _ in ranking])
        for measure in MEASURES:
            assert found[measure][query] == pytest.approx(expected[measure], abs=1e-9)


def test_judged_queries_without_a_ranking_count_zero_and_unjudged_ones_are_left_out():
    judgements = {"q1": {"d1": 1}, "q2": {"d1": 1}}
    rankings = {"q1": [("d1", 1.0)], "q3": [("d1", 1.0)]}
    found = measure_queries(judgements, rankings.items())
    assert all(values == {"q1": 100.0, "q2": 0.0} for values in found.values())
    assert unjudged(judgements, rankings) == ["q3"]
    assert "ties:run order" in signature("MRR@10") and "RR@10" in signature("MRR@10")


def test_the_document_with_the_query_s_id():
    """It is left out before the ranking is cut, as BEIR's evaluation does, and the signature says so."""
    judgements = {"q": {"d3": 1, "q": 1}, "r": {"d1": 1}}
    rankings = {"q": [("q", 9.0), ("d1", 2.0), ("d3", 1.0)], "r": [("d1", 1.0)]}
    assert measure_queries(judgements, rankings.items(), ("MRR@2", "Recall@2"))["MRR@2"] == {"q": 100.0, "r": 100.0}
    found = measure_queries(judgements, rankings.items(), ("MRR@2", "Recall@2"), ignore_identical_ids=True)
    assert found == {"MRR@2": {"q": 50.0, "r": 100.0}, "Recall@2": {"q": 50.0, "r": 100.0}}
    assert "|identical ids:left out|" in signature("MRR@2", True) and "identical" not in signature("MRR@2")


def test_other_measures_at_any_depth():
    judgements = {"q": {"d3": 1, "d60": 1}}
    rankings = {"q": [(f"d{n}", 1.0) for n in range(1, 101)]}
    found = measure_queries(judgements, rankings.items(), ("MRR@100", "MRR@2", "Recall@50", "mAP@100"))
    first, second = 1 / 3, 2 / 60
    expected = {"MRR@100": first, "MRR@2": 0, "Recall@50": 1 / 2, "mAP@100": (first + second) / 2}
    assert {name: values["q"] / 100 for name, values in found.items()} == pytest.approx(expected)
    for wrong in ("MRR", "MRR@0", "F@10", "MRR@x"):
        with pytest.raises(InputError, match="is not one of nDCG@N"):
            signature(wrong)


def test_paired_tests():
    rng = np.random.default_rng(1)
    base = rng.random(60) * 100
    clear = compare("m", ("a", base + 3 + rng.normal(0, 2, 60)), ("b", base))
    assert clear.ordered and 2 < clear.low < clear.difference < clear.high < 4 and clear.queries == 60
    noise = compare("m", ("a", base + rng.normal(0, 30, 60)), ("b", base))
    assert not noise.ordered and noise.low < 0 < noise.high
    swapped = compare("m", ("b", base), ("a", base + 3))
    assert swapped.difference == pytest.approx(-3) and swapped.ordered
    same = compare("m", ("a", base), ("b", base))
    assert (same.p_value, same.difference, same.low) == (1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="60 and 59"):
        compare("m", ("a", base), ("b", base[:-1]))


def test_few_queries_are_tested_exactly():
    """Of 2^4 flips of the signs two are as far from 0: p = 2/16."""
    found = compare("m", ("a", [1.0, 2.0, 3.0, 4.0]), ("b", [0.0] * 4))
    assert found.p_value == pytest.approx(2 / 16)
