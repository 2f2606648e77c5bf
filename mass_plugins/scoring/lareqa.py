"""LAReQA (Roy et al. 2020): questions and answer sentences of several languages, all candidates in one pool.

Of a question every language's answer sentence is right, so an encoder that likes its own language too much finds one
and ranks that language's wrong sentences before the other right ones.
"""

import json
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

import numpy as np

from mass_plugins.data.text_files import open_text, reading
from mass_plugins.doctor import version_of
from mass_plugins.errors import InputError
from mass_plugins.scoring.retrieval import load_ir_measures

DEPTH = 20


class Question(NamedTuple):
    """One question in one language."""

    id: str  # the same in all languages
    language: str
    text: str


class Pool(NamedTuple):
    """XQuAD-R.

    Attributes:
        questions: of all languages.
        sentences: the candidates, of all languages, each once a paragraph.
        languages: of each sentence.
        answers: question's id -> places of the right sentences.
    """

    questions: list[Question]
    sentences: list[str]
    languages: list[str]
    answers: dict[str, list[int]]


def read_pool(files: Mapping[str, Path], flag: str = "--xquad") -> Pool:
    """Read XQuAD-R's files, SQuAD's format with ``sentence_breaks`` ([begin, end) of each sentence) in paragraphs.

    Args:
        files: language -> file, plain or compressed.

    Raises:
        InputError: a file that is missing, of another format or without a question, an answer in no sentence.
    """
    pool = Pool([], [], [], {})
    for language, path in files.items():
        with reading(path, flag), open_text(path) as stream:
            content = stream.read()
        before = len(pool.questions)
        try:
            for article in json.loads(content)["data"]:
                for paragraph in article["paragraphs"]:
                    _add(pool, language, paragraph)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError(f"{flag}: {path} is not XQuAD-R ({error!r}); fetch it again") from None
        if len(pool.questions) == before:
            raise InputError(f"{flag}: {path} has no question; fetch it again, or leave {language} out")
    return pool


def _add(pool: Pool, language: str, paragraph: dict) -> None:
    begin, breaks = len(pool.sentences), paragraph["sentence_breaks"]
    pool.sentences.extend(paragraph["context"][start:end] for start, end in breaks)
    pool.languages.extend([language] * len(breaks))
    for question in paragraph["qas"]:
        pool.questions.append(Question(question["id"], language, question["question"]))
        start = question["answers"][0]["answer_start"]
        places = [place for place, (first, end) in enumerate(breaks) if first <= start < end]
        if not places:
            raise ValueError(f"the answer of {question['id']} is in no sentence")
        pool.answers.setdefault(question["id"], []).append(begin + places[0])


def signature(pool: Pool) -> str:
    """What a number depends on besides the vectors."""
    languages = ",".join(dict.fromkeys(sorted(pool.languages)))
    return (
        f"AP@{DEPTH}|percent|{len(pool.questions)} questions|pool: {len(pool.sentences)} sentences of {languages}|"
        f"ties: by place|ir_measures:{version_of('ir_measures')}"
    )


def average_precisions(
    pool: Pool, questions: np.ndarray, sentences: np.ndarray, depth: int = DEPTH
) -> dict[str, dict[str, float]]:
    """Average precision at ``depth`` in percent: language -> question's id -> value.

    Args:
        questions: (Q, D), compared by dot product: normalize for cosines.
        sentences: (S, D).
    """
    ir_measures = load_ir_measures()
    values: dict[str, dict[str, float]] = {}
    for language in dict.fromkeys(question.language for question in pool.questions):
        places = [n for n, question in enumerate(pool.questions) if question.language == language]
        ranked = rank(questions[places], sentences, depth)
        ids = [pool.questions[place].id for place in places]
        run = {q: {str(s): -float(n) for n, s in enumerate(found)} for q, found in zip(ids, ranked.tolist())}
        judged = {q: {str(s): 1 for s in pool.answers[q]} for q in ids}
        found = ir_measures.iter_calc([ir_measures.AP @ depth], judged, run)
        values[language] = {one.query_id: 100 * one.value for one in found}
    return values


def rank(queries: np.ndarray, keys: np.ndarray, depth: int) -> np.ndarray:
    """(Q, D) and (K, D) -> (Q, min(depth, K)) places of the keys, best first; of equal ones the earlier first."""
    found: list[Sequence] = []
    for begin in range(0, len(queries), 1024):
        scores = queries[begin : begin + 1024] @ keys.T
        found.extend(np.argsort(-scores, axis=1, kind="stable")[:, :depth])
    return np.array(found)
