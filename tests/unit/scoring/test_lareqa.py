"""LAReQA: the pool of all languages, and mAP@20 against its definition."""

import json

import numpy as np
import pytest

from mass_plugins.errors import InputError
from mass_plugins.scoring import lareqa
from mass_plugins.scoring.retrieval import mean_over_languages


def write(path, paragraphs):
    """Paragraphs as lists of sentences; one question for each sentence, whose answer ends it."""
    content = []
    for number, sentences in enumerate(paragraphs):
        breaks, begin, questions = [], 0, []
        for place, sentence in enumerate(sentences):
            breaks.append([begin, begin + len(sentence)])
            answer = {"answer_start": begin + len(sentence) - 2, "text": sentence[-2:]}
            questions.append({"id": f"{number}.{place}", "question": f"{path.stem} {sentence}?", "answers": [answer]})
            begin += len(sentence) + 1
        content.append({"context": " ".join(sentences), "sentence_breaks": breaks, "qas": questions})
    path.write_text(json.dumps({"data": [{"paragraphs": content}]}))
    return path


@pytest.fixture
def pool(tmp_path):
    files = {
        "en": write(tmp_path / "en.json", [["first one", "second one"], ["third one"]]),
        "de": write(tmp_path / "de.json", [["erster Satz", "zweiter Satz"], ["dritter Satz"]]),
    }
    return lareqa.read_pool(files)


def test_pool(pool):
    assert pool.sentences == ["first one", "second one", "third one", "erster Satz", "zweiter Satz", "dritter Satz"]
    assert pool.answers == {"0.0": [0, 3], "0.1": [1, 4], "1.0": [2, 5]}
    assert [question.language for question in pool.questions] == ["en"] * 3 + ["de"] * 3


@pytest.mark.parametrize("start, sentence", ((0, 0), (8, 0), (9, 1), (18, 1)))
def test_an_answer_is_in_the_sentence_that_its_first_character_is_in(start, sentence, tmp_path):
    """[begin, end) of sentences without a space between them, as in Chinese."""
    path = write(tmp_path / "zh.json", [["first one"]])
    content = json.loads(path.read_text())
    (paragraph,) = content["data"][0]["paragraphs"]
    paragraph |= {"context": "first onesecond one", "sentence_breaks": [[0, 9], [9, 19]]}
    paragraph["qas"][0]["answers"][0]["answer_start"] = start
    path.write_text(json.dumps(content))
    assert lareqa.read_pool({"zh": path}).answers == {"0.0": [sentence]}


def test_equal_scores_are_ranked_by_place():
    """More of them than a sort leaves as they are by chance."""
    keys = np.tile([[1.0], [2.0]], (60, 1))
    assert lareqa.rank(np.ones((3, 1)), keys, 100).tolist() == [[*range(1, 120, 2), *range(0, 80, 2)]] * 3


def test_signature_names_the_pool(pool):
    assert lareqa.signature(pool).startswith("AP@20|percent|6 questions|pool: 6 sentences of de,en|ties: by place|")


def test_by_definition(pool):
    chance = np.random.default_rng(3)
    questions, sentences = chance.normal(size=(6, 4)), chance.normal(size=(6, 4))
    expected = []
    for question, vector in zip(pool.questions, questions):
        order = np.argsort(-(sentences @ vector))[:3].tolist()
        right, total = 0, 0.0
        for place, sentence in enumerate(order, start=1):
            if sentence in pool.answers[question.id]:
                right += 1
                total += right / place
        expected.append(100 * total / 2)
    values = lareqa.average_precisions(pool, questions, sentences, depth=3)
    assert [values[question.language][question.id] for question in pool.questions] == pytest.approx(expected)
    found = mean_over_languages(values)
    assert found["en"] == pytest.approx(np.mean(expected[:3]))
    assert found["de"] == pytest.approx(np.mean(expected[3:]))
    assert found["all"] == pytest.approx(np.mean(expected))


def test_own_language_alone_is_not_enough(pool):
    """A perfect retriever in its own language: the other right sentence comes after all of the own language's."""
    sentences = np.concatenate([np.eye(3, 4) + [0, 0, 0, 2], np.eye(3, 4) - [0, 0, 0, 2]])
    found = mean_over_languages(lareqa.average_precisions(pool, sentences, sentences))
    assert found["all"] == pytest.approx(100 * (1 + 2 / 4) / 2)
    aligned = np.concatenate([np.eye(3)] * 2)
    assert mean_over_languages(lareqa.average_precisions(pool, aligned, aligned))["all"] == pytest.approx(100)


def test_bad_files(tmp_path):
    (tmp_path / "bad.json").write_text('{"data": [{"paragraphs": [{"context": "a"}]}]}')
    with pytest.raises(InputError, match="is not XQuAD-R"):
        lareqa.read_pool({"en": tmp_path / "bad.json"})
    with pytest.raises(InputError, match="doesn't exist"):
        lareqa.read_pool({"en": tmp_path / "none.json"})
    (tmp_path / "empty.json").write_text('{"data": []}')
    with pytest.raises(InputError, match="empty.json has no question; .*leave de out"):
        lareqa.read_pool({"de": tmp_path / "empty.json"})
