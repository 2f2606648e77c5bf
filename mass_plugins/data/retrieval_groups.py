"""Groups for training a retriever, a query with passages that answer it and others, in Tevatron's JSON lines.

    {"query_id": "q1", "query": "..", "positive_passages": [{"docid": "d7", "title": "..", "text": "..", "score": 9.1}],
     "negative_passages": [..]}

``score``, which a passage may have, is a teacher's: what distillation learns from.
"""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from mass_plugins.data.lines_by_place import LinesByPlace
from mass_plugins.data.retrieval_files import (
    PASSAGE_TEXTS,
    QUERY_TEXTS,
    Passage,
    Query,
    identifier,
    json_object,
    text_of,
)
from mass_plugins.data.tsv_header import DOCUMENT_IDS, QUERY_IDS
from mass_plugins.errors import InputError

_SIDES = ("positive_passages", "negative_passages")


class Candidate(NamedTuple):
    """A passage of a group; ``score`` is the teacher's, None where it has given none."""

    passage: Passage
    score: Optional[float] = None


class Group(NamedTuple):
    query: Query
    positives: list[Candidate]
    negatives: list[Candidate]

    def as_json(self) -> str:
        """One line, without its end."""

        def passages(side: list[Candidate]) -> list[dict[str, Any]]:
            return [
                {"docid": passage.id, "title": passage.title, "text": passage.text}
                | ({} if score is None else {"score": score})
                for passage, score in side
            ]

        values = {"query_id": self.query.id, "query": self.query.text}
        return json.dumps(values | dict(zip(_SIDES, map(passages, self[1:]))), ensure_ascii=False)


def parse_group(line: str, place: str) -> Group:
    """Raises InputError: a query or passage without id or text, no positive passage, a score that is no number."""
    values = json_object(line, place)
    query = Query(identifier(values, QUERY_IDS, place), text_of(values, QUERY_TEXTS, place))
    if not query.text:
        raise InputError(f"{place}: query {query.id} has no text; leave it out")
    sides = [_candidates(values.get(name, []), f"{place}, {name}") for name in _SIDES]
    if not sides[0]:
        raise InputError(f"{place}: query {query.id} has no positive passage; leave it out")
    return Group(query, *sides)


def _candidates(values: Any, place: str) -> list[Candidate]:
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise InputError(f"{place} is not a list of passages; fix that line")
    found = []
    for value in values:
        score = value.get("score")
        if score is not None and (type(score) not in (int, float) or not math.isfinite(score)):
            raise InputError(f"{place}: the score {score!r} is not a finite number; fix that line")
        passage = Passage(
            identifier(value, DOCUMENT_IDS, place),
            text_of(value, ("title",), place, ""),
            text_of(value, PASSAGE_TEXTS, place),
        )
        if not passage.whole:
            raise InputError(f"{place}: the passage {passage.id} has no text; leave it out")
        found.append(Candidate(passage, None if score is None else float(score)))
    return found


def join_pair(query: np.ndarray, passage: np.ndarray, max_tokens: int) -> np.ndarray:
    """``[CLS] q [SEP]`` and ``[CLS] d [SEP]``, ids -> ``[CLS] q [SEP] d [SEP]``; the passage loses its end."""
    words = passage[1:-1][: max(0, max_tokens - len(query) - 1)]
    return np.concatenate([query, words, passage[-1:]])


class GroupFile:
    """The groups of a file, read as they are asked for; every line is looked at once in the beginning.

    Raises:
        InputError: a line that can't be read; a file without any.
    """

    def __init__(self, path: Path, flag: str):
        self._lines = LinesByPlace(Path(path), flag)
        offsets, negatives = [], []
        self.unscored: Optional[str] = None  # place of the first group with a passage that no teacher has scored
        for offset, place, line in self._lines.scan():
            group = parse_group(line, place)
            offsets.append(offset)
            negatives.append(len(group.negatives))
            if self.unscored is None and any(found.score is None for found in (*group.positives, *group.negatives)):
                self.unscored = place
        if not offsets:
            raise InputError(f"{flag}: {path} is empty; give a file with one group per line")
        self._offsets = np.array(offsets, dtype=np.int64)
        self.fewest_negatives = min(negatives)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> Group:
        place, line = self._lines.at(int(self._offsets[number]))
        return parse_group(line, place)
