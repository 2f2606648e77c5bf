"""Negatives are never positives, nor what repeats them, nor within the margin; draws go by the query's id."""

from collections import Counter

import numpy as np
import pytest

from mass_plugins import cli
from mass_plugins.data.retrieval_files import Passage, Query
from mass_plugins.data.retrieval_groups import GroupFile
from mass_plugins.errors import InputError
from mass_plugins.retrieval import lines_file, mining
from mass_plugins.retrieval.faiss_index import FaissSettings
from mass_plugins.retrieval.index import build
from mass_plugins.retrieval.mining import MiningSettings, make_groups
from mass_plugins.retrieval.representations import Description, Parts, Representations, RepresentationWriter
from mass_plugins.retrieval.search import IndexedQueries, Searcher, SearchSettings
from tests.unit.retrieval import synthetic

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
    report = Counter()
    groups = list(make_groups(queries, JUDGED, PASSAGES, rankings.items(), MiningSettings(**settings), report))
    assert len(groups) == len(queries)
    return {group.query.id: group for group in groups if group}, report


def names(group):
    return [candidate.passage.id for candidate in group.negatives]


def test_positives_and_what_repeats_them_are_left_out():
    groups, report = mine({"q1": RANKING})
    assert names(groups["q1"]) == ["d9", *(f"d{n}" for n in range(24, 40))]
    assert [candidate.passage.id for candidate in groups["q1"].positives] == ["d0"]
    assert names(mine({"q1": RANKING}, overlap=0.81)[0]["q1"])[:2] == ["near", "d9"]
    assert report["documents that repeat a positive"] == 2 and report["documents without text"] == 1


def test_queries_without_a_ranking_have_no_negatives_and_those_without_a_positive_no_group():
    groups, report = mine({})
    assert list(groups) == ["q1", "q2"] and names(groups["q2"]) == []
    assert [candidate.passage.id for candidate in groups["q2"].positives] == ["d1", "d2"]
    assert report == {
        "queries without a relevant document": 1, "queries without text": 1,
        "queries whose relevant documents have no text": 1,
    }  # fmt: skip


def test_hard_negatives_or_no_group():
    groups, report = mine({"q1": RANKING, "q2": [("d1", 2.0), ("d2", 1.0)]}, hard=True)
    assert list(groups) == ["q1"] and report["queries without a negative"] == 1
    _, report = mine({"q1": RANKING}, hard=True)
    assert report["queries without a ranking"] == 2  # q2 and q5


def test_margin():
    assert names(mine({"q1": RANKING}, margin=0.5)[0]["q1"]) == ["d9", *(f"d{n}" for n in range(24, 40))]
    assert names(mine({"q1": RANKING}, margin=3.0)[0]["q1"]) == [f"d{n}" for n in range(25, 40)]
    without = [found for found in RANKING if found[0] != "d0"]  # every document may be ahead of the positive
    groups, report = mine({"q1": without}, margin=3.0)
    assert names(groups["q1"]) == [] and report["documents whose positive has no score"] == len(without)
    assert mine({"q1": without}, margin=3.0, hard=True)[0] == {}


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
    with pytest.raises(InputError, match="the ranking: the document dx is not in the corpus"):
        mine({"q1": [("dx", 1.0)]})
    with pytest.raises(InputError, match="--overlap 0"):
        MiningSettings(overlap=0)


def test_words_of_a_passage_are_found_once(monkeypatch):
    asked, original = [], mining._words
    monkeypatch.setattr(mining, "_words", lambda passage: asked.append(passage.id) or original(passage))
    judged = {"q": {f"d{n}": 1 for n in range(10)}}
    ranking = [(f"d{n}", -n) for n in range(20)]
    list(make_groups([Query("q", "a")], judged, PASSAGES, [("q", ranking)], MiningSettings(), Counter()))
    assert sorted(asked) == sorted(f"d{n}" for n in range(20))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    """Files of mass-plugins mine; an index whose scores are ``scores`` (Q, N)."""
    folder = tmp_path_factory.mktemp("indexed")
    documents, queries = synthetic.documents(60), synthetic.queries(70)  # more than a batch
    sources = []
    for name, rows in (("a", slice(0, 25)), ("b", slice(25, None))):
        parts = synthetic.Parts(*(None if part is None else part[rows] for part in documents))
        sources.append(synthetic.write(folder / name, parts, "documents", name))
    ids = [f"a{n}" for n in range(25)] + [f"b{n}" for n in range(35)]
    synthetic.write(folder / "queries", queries, "queries", "q")
    build(sources, folder / "index", FaissSettings(), progress=False)
    (folder / "corpus").write_text("".join(f"{name}\tword{n} thing{n}\n" for n, name in enumerate(ids)))
    (folder / "asked").write_text("".join(f"q{n}\tquestion\n" for n in range(70)))
    (folder / "qrels").write_text("".join(f"q{n} 0 {ids[n * 7 % 60]} 1\n" for n in range(70) if n % 9))
    return folder, ids, synthetic.brute_force(queries, documents, "both")


def words_of(folder, output, *more):
    files = ("--queries", folder / "asked", "--qrels", folder / "qrels", "--corpus", folder / "corpus")
    source = ("--index", folder / "index", "--query-vectors", folder / "queries", "--score", "both")
    return [str(word) for word in ("mine", *files, *source, "--depth", 5, "--output", output, *more)]


def test_an_index_scores_a_positive_wherever_it_ranks(indexed, tmp_path):
    """With a margin every negative is that far below the query's positive, though few are among the first five."""
    folder, ids, scores = indexed
    assert cli.main(words_of(folder, tmp_path / "g", "--margin", 2)) == 0
    groups, below = GroupFile(tmp_path / "g", "g"), 0
    found = {group.query.id: group for group in (groups[number] for number in range(len(groups)))}
    for n in (n for n in range(70) if n % 9):
        positive = scores[n][n * 7 % 60]
        best = np.argsort(-scores[n], kind="stable")[:5]
        wanted = [ids[d] for d in best if d != n * 7 % 60 and scores[n][d] <= positive - 2]
        below += positive < scores[n][best[-1]]
        assert (names(found[f"q{n}"]) if f"q{n}" in found else []) == wanted
    assert found and below > 30


def test_a_margin_compares_exact_scores(tmp_path):
    """IVF-PQ ranks by vectors of few bits; what is so far below the positive goes by the vectors themselves."""
    rng = np.random.default_rng(0)
    documents, queries = (rng.standard_normal((count, 32), dtype=np.float32) for count in (500, 70))
    for name, rows, role in (("docs", documents, "documents"), ("queries", queries, "queries")):
        with RepresentationWriter(tmp_path / name, Description("m", role, cls=32)) as writer:
            writer.append([f"{name[0]}{number}" for number in range(len(rows))], Parts(cls=rows))
            writer.commit(finished=True)
    index = build([tmp_path / "docs"], tmp_path / "index", FaissSettings("ivfpq", lists=4, codes=4), progress=False)
    source = IndexedQueries(Searcher(index, SearchSettings("cls", 40)), Representations(tmp_path / "queries"))
    exact, found = queries @ documents.T, dict(source.rankings())
    rescored = dict(source.rankings({f"q{n}": [f"d{n}"] for n in range(70)}))
    for n in range(70):
        names = [name for name, _ in rescored[f"q{n}"]]
        scores = np.array([score for _, score in rescored[f"q{n}"]])
        np.testing.assert_allclose(scores, [exact[n, int(name[1:])] for name in names], rtol=1e-4, atol=1e-5)
        assert {*names} == {f"d{n}", *(name for name, _ in found[f"q{n}"])}
        assert (np.diff(scores[:40]) <= 0).all()


def test_mining_goes_on_where_it_was_cut_off(indexed, tmp_path, monkeypatch, capsys):
    """The same groups and the same counts; what is finished isn't done again, and nothing is lost silently."""
    folder = indexed[0]
    assert cli.main(words_of(folder, tmp_path / "whole")) == 0
    said = capsys.readouterr().out
    original, steps = lines_file.write_json, []

    def die(*words):
        original(*words)
        steps.append(words)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lines_file, "write_json", die)
        cli.main(words_of(folder, tmp_path / "cut"))
    assert len(steps) == 1 and not (tmp_path / "cut").exists()
    searched, search = [], mining.make_groups
    monkeypatch.setattr(mining, "make_groups", lambda *words: (searched.append(words[-2]), search(*words))[1])
    capsys.readouterr()
    assert cli.main(words_of(folder, tmp_path / "cut")) == 0 and searched == [64]
    assert capsys.readouterr().out.replace("/cut:", "/whole:") == said and "8 queries without a relevant" in said
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()
    assert cli.main(words_of(folder, tmp_path / "cut")) == 0 and searched == [64]
    assert cli.main(words_of(folder, tmp_path / "cut", "--negatives", 2)) == 1
    assert "made with other settings (negatives)" in capsys.readouterr().err
