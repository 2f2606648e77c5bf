"""Negatives are never positives, nor what repeats them, nor within the margin; draws go by the query's id."""

import pytest

from mass_plugins.data.retrieval_files import Passage, Query
from mass_plugins.errors import InputError
from mass_plugins.retrieval.mining import MiningSettings, Report, make_groups

PASSAGES = {f"d{n}": Passage(f"d{n}", "", f"word{n} other{n} thing{n} more{n}") for n in range(40)}
PASSAGES["copy"] = Passage("copy", "", "Word0, OTHER0 thing0: more0!")
PASSAGES["near"] = Passage("near", "", "word0 other0 thing0 more0 extra")
PASSAGES["empty"] = Passage("empty", "", "")
QUERIES = [Query("q1", "a"), Query("q2", "b"), Query("q3", "c"), Query("q4", ""), Query("q5", "e")]
JUDGED = {"q1": {"d0": 1, "d9": 0}, "q2": {"d1": 2, "d2": 1}, "q4": {"d1": 1}, "q5": {"empty": 1}}
RANKING = [
    ("copy", 9.0),
    ("near", 8.5),
    ("d0", 8.0),
    ("d9", 7.5),
    ("empty", 7.0),
    *((f"d{n}", 30.0 - n) for n in range(24, 40)),
]


def mine(rankings, queries=QUERIES, **settings):
    report = Report()
    groups = list(make_groups(queries, JUDGED, PASSAGES, rankings.items(), MiningSettings(**settings), report))
    return {group.query.id: group for group in groups}, report


def names(group):
    return [candidate.passage.id for candidate in group.negatives]


def test_positives_and_what_repeats_them_are_left_out():
    groups, report = mine({"q1": RANKING})
    assert names(groups["q1"]) == ["d9", *(f"d{n}" for n in range(24, 40))]
    assert [candidate.passage.id for candidate in groups["q1"].positives] == ["d0"]
    assert names(mine({"q1": RANKING}, overlap=0.81)[0]["q1"])[:2] == ["near", "d9"]
    assert report.left_out["documents that repeat a positive"] == 2 and report.left_out["documents without text"] == 1


def test_queries_without_a_ranking_have_no_negatives_and_those_without_a_positive_no_group():
    groups, report = mine({})
    assert list(groups) == ["q1", "q2"] and names(groups["q2"]) == []
    assert [candidate.passage.id for candidate in groups["q2"].positives] == ["d1", "d2"]
    assert report.left_out == {
        "queries without a relevant document": 1, "queries without text": 1,
        "queries whose relevant documents have no text": 1,
    }  # fmt: skip


def test_hard_negatives_or_no_group():
    groups, report = mine({"q1": RANKING, "q2": [("d1", 2.0), ("d2", 1.0)]}, hard=True)
    assert list(groups) == ["q1"] and report.left_out["queries without a negative"] == 1
    _, report = mine({"q1": RANKING}, hard=True)
    assert report.left_out["queries without a ranking"] == 2  # q2 and q5


def test_margin():
    assert names(mine({"q1": RANKING}, margin=0.5)[0]["q1"]) == ["d9", *(f"d{n}" for n in range(24, 40))]
    assert names(mine({"q1": RANKING}, margin=3.0)[0]["q1"]) == [f"d{n}" for n in range(25, 40)]
    without = [found for found in RANKING if found[0] != "d0"]
    assert len(names(mine({"q1": without}, margin=3.0)[0]["q1"])) == 17  # the positive's score is unknown


def test_depth_skip_and_the_draw():
    assert names(mine({"q1": RANKING}, depth=7)[0]["q1"]) == ["d9", "d24", "d25"]
    assert names(mine({"q1": RANKING}, skip=6)[0]["q1"]) == [f"d{n}" for n in range(25, 40)]
    first = names(mine({"q1": RANKING}, negatives=5)[0]["q1"])
    again = names(mine({"q2": [("d5", 1.0)], "q1": RANKING}, QUERIES[::-1], negatives=5)[0]["q1"])
    other = names(mine({"q1": RANKING}, negatives=5, seed=2)[0]["q1"])
    assert first == again != other and len(first) == 5
    everything = names(mine({"q1": RANKING})[0]["q1"])
    assert first == [name for name in everything if name in first]  # in the order of the ranking


def test_a_ranked_document_outside_the_corpus():
    with pytest.raises(InputError, match="--run names the document dx, which is not in the corpus"):
        mine({"q1": [("dx", 1.0)]})
    with pytest.raises(InputError, match="--overlap 0"):
        MiningSettings(overlap=0)
