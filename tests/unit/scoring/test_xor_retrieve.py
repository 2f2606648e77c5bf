"""XOR-Retrieve's measure, counted by hand; and its command."""

import json

import pytest

from mass_plugins import cli
from mass_plugins.errors import InputError
from mass_plugins.scoring.retrieval import mean_over_languages
from mass_plugins.scoring.xor_retrieve import Question, Tokenizer, answer_hits, read_questions

TEXTS = {"d1": "One two three four.", "d2": "Born in 1947, he left.", "d3": "It is not Rome."}


def test_tokens_are_words_of_sentences():
    assert Tokenizer()("He left (in 1947). It's over.") == "He left ( in 1947 ) . It 's over .".split()


@pytest.mark.parametrize("budget, hit", [(7, 0.0), (8, 100.0), (2000, 100.0)])
def test_an_answer_counts_once_it_is_whole_within_the_budget(budget, hit):
    """``One two three four . Born in 1947``: the answer is the eighth token."""
    questions, run = [Question("q", "ja", ["1947"])], {"q": [("d1", 2.0), ("d2", 1.0)]}
    assert answer_hits(questions, run, TEXTS, budget) == {"ja": {"q": hit}}


def test_mean_over_languages_letter_by_letter_and_without_a_ranking():
    questions = [Question("a", "ja", ["Paris", "Rome"]), Question("b", "ja", ["rome"]), Question("c", "fi", ["1947"])]
    run = {"a": [("d3", 1.0)], "b": [("d3", 1.0)]}
    hits = answer_hits(questions, run, TEXTS, 2000)
    assert hits == {"ja": {"a": 100.0, "b": 0.0}, "fi": {"c": 0.0}}
    assert mean_over_languages(hits) == {"all": 25.0, "ja": 50.0, "fi": 0.0}


def test_questions(tmp_path):
    file = tmp_path / "q.jsonl"
    rows = [{"id": 1, "lang": "ja", "answers": ["yes"]}, {"id": 2, "lang": "fi", "answers": ["no", "Rome"]}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_questions(file) == [Question("2", "fi", ["Rome"])]
    for row, said in (
        ({"id": 1, "answers": ["a"]}, "line 1 has no lang"),
        ({"id": 1, "lang": "ja"}, "or no list of answers"),
        ({"lang": "ja", "answers": ["a"]}, "line 1 has no id"),
        ({"id": 1, "lang": "ja", "answers": ["yes"]}, "no question with an answer"),
    ):
        file.write_text(json.dumps(row) + "\n")
        with pytest.raises(InputError, match=said):
            read_questions(file)


def test_command(tmp_path, capsys):
    (tmp_path / "corpus.tsv").write_text("".join(f"{name}\ta title\t{text}\n" for name, text in TEXTS.items()))
    (tmp_path / "q.jsonl").write_text(
        '{"id": "q", "question": "?", "lang": "ja", "answers": ["Rome"]}\n{"id": "r", "lang": "ja", "answers": ["x"]}\n'
    )
    (tmp_path / "run.trec").write_text("q Q0 d1 1 2.0 x\nq Q0 d3 2 1.0 x\n")
    words = ["evaluate", "xor-retrieve", tmp_path / "run.trec", "--questions", tmp_path / "q.jsonl"]
    words += ["--corpus", tmp_path / "corpus.tsv", "--json", tmp_path / "scores.json", "--tokens", 5, 2000]
    assert cli.main([str(word) for word in words]) == 0
    printed = capsys.readouterr().out
    assert "R@2kt: all 50.00  ja 50.00" in printed and "R@5t: all 0.00" in printed
    assert "1 without a ranking count 0" in printed
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["questions"] == {"R@5t": {"ja": {"q": 0, "r": 0}}, "R@2kt": {"ja": {"q": 100, "r": 0}}}
    assert content["recall"]["R@2kt"]["ja"] == 50 and "nltk" in content["signatures"]["R@2kt"]
    (tmp_path / "run.trec").write_text("q Q0 d9 1 2.0 x\n")
    assert cli.main([str(word) for word in words]) == 1
    assert "no passage d9" in capsys.readouterr().err
