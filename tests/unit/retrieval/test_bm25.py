"""BM25's scores are Lucene's formula, its ranking a stable one."""

import math

import pytest

from mass_plugins import cli
from mass_plugins.data.retrieval_files import Passage, Query
from mass_plugins.errors import InputError
from mass_plugins.retrieval.bm25 import Bm25, Bm25Settings

TEXTS = ["red fox", "red red dog dog bird", "", "fox", "cat fox"]
PASSAGES = [Passage(f"d{n}", "", text) for n, text in enumerate(TEXTS)]


def score(query, text, k1=0.9, b=0.4):
    words, lengths = text.split(), [len(t.split()) for t in TEXTS]
    total = 0.0
    for word in query.split():
        frequency, documents = words.count(word), sum(word in t.split() for t in TEXTS)
        idf = math.log(1 + (len(TEXTS) - documents + 0.5) / (documents + 0.5))
        total += idf * frequency / (frequency + k1 * (1 - b + b * len(words) / (sum(lengths) / len(TEXTS))))
    return total


def test_the_formula_and_the_order_of_ties():
    index = Bm25(PASSAGES, Bm25Settings(language="none"))
    [(name, ranking)] = index.search([Query("q", "red fox unknown")], 10)
    expected = {f"d{n}": score("red fox", text) for n, text in enumerate(TEXTS)}
    assert name == "q" and [document for document, _ in ranking] == ["d0", "d1", "d3", "d4"]
    for document, found in ranking:
        assert found == pytest.approx(expected[document], rel=1e-5)
    twins = Bm25([Passage("b", "", "x y"), Passage("a", "", "x y"), Passage("c", "", "x y")], Bm25Settings())
    assert [document for document, _ in twins.search([Query("q", "x")], 2)[0][1]] == ["b", "a"]


def test_stems_stop_words_and_queries_without_a_known_word():
    index = Bm25([Passage("a", "Flying", "the planes"), Passage("b", "", "ships")])
    found = index.search([Query("1", "a plane that flies"), Query("2", "the"), Query("3", ""), Query("4", "zebra")], 5)
    assert [[document for document, _ in ranking] for _, ranking in found] == [["a"], [], [], []]


def test_the_passage_with_the_query_s_id_makes_room():
    index = Bm25([Passage("q", "", "x y"), Passage("a", "", "x y"), Passage("c", "", "x z")], Bm25Settings())
    assert [document for document, _ in index.search([Query("q", "x y")], 2)[0][1]] == ["q", "a"]
    [(_, first), (_, second)] = index.search([Query("q", "x y"), Query("r", "x y")], 2, ignore_identical_ids=True)
    assert [document for document, _ in first] == ["a", "c"] and [document for document, _ in second] == ["q", "a"]


def test_nothing_to_index():
    with pytest.raises(InputError, match="no passage has a word"):
        Bm25([Passage("a", "", ""), Passage("b", "", " ")])
    with pytest.raises(InputError, match="--language 'de'"):
        Bm25(PASSAGES, Bm25Settings(language="de"))


def test_the_command_given_again(tmp_path, capsys):
    """Finished: nothing to do; a corpus that was edited, at equal size, too: one line."""
    corpus, queries, output = tmp_path / "c.tsv", tmp_path / "q.tsv", tmp_path / "r.trec"
    corpus.write_text("a\tred fox\nb\tcat\n")
    queries.write_text("q\tfox\n")
    words = ["bm25", "--corpus", str(corpus), "--queries", str(queries), "--output", str(output)]
    assert cli.main(words) == 0 and output.read_text().startswith("q Q0 a 1")
    assert cli.main(words) == 0 and "1 queries, made before" in capsys.readouterr().out
    corpus.write_text("a\tred dog\nb\tfox\n")
    assert cli.main(words) == 1 and "made with other settings (corpus)" in capsys.readouterr().err
    assert cli.main([*words, "--overwrite"]) == 0 and output.read_text().startswith("q Q0 b 1")
