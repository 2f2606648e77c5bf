"""Groups for training a retriever, a query with passages that answer it and others, in Tevatron's JSON lines.

    {"query_id": "q1", "query": "..", "positive_passages": [{"docid": "d7", "title": "..", "text": "..", "score": 9.1}],
     "negative_passages": [..]}

``score``, which a passage may have, is a teacher's: what distillation learns from.
"""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO, Iterator, NamedTuple, Optional

import numpy as np

from mass_plugins.data.retrieval_files import (
    QUERY_TEXTS,
    Passage,
    Query,
    decode_line,
    identifier,
    json_object,
    parse_passage,
    passage_header,
    text_of,
)
from mass_plugins.data.text_files import not_utf8, open_text, reading
from mass_plugins.data.tsv_header import DOCUMENT_IDS, QUERY_IDS, Header
from mass_plugins.errors import InputError

_AT_ONCE = 1 << 14  # bytes; most lines are shorter
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
        raise InputError(f"{place} is no list of passages; mend that line")
    found = []
    for value in values:
        score = value.get("score")
        if score is not None and (isinstance(score, bool) or not isinstance(score, (int, float)) or score != score):
            raise InputError(f"{place}: the score {score!r} is no number; mend that line")
        passage = Passage(
            identifier(value, DOCUMENT_IDS, place),
            text_of(value, ("title",), place, ""),
            text_of(value, ("text",), place),
        )
        if not passage.whole:
            raise InputError(f"{place}: the passage {passage.id} has no text; leave it out")
        found.append(Candidate(passage, None if score is None else float(score)))
    return found


def join_pair(query: np.ndarray, passage: np.ndarray, max_tokens: int) -> np.ndarray:
    """``[CLS] q [SEP]`` and ``[CLS] d [SEP]``, ids -> ``[CLS] q [SEP] d [SEP]``; the passage loses its end."""
    words = passage[1:-1][: max(0, max_tokens - len(query) - 1)]
    return np.concatenate([query, words, passage[-1:]])


class _Lines:
    """Random access to the lines of a plain file, whose places are found in one pass."""

    def __init__(self, path: Path, flag: str):
        self.path, self.flag = Path(path), flag
        self._file: Optional[BinaryIO] = None
        with reading(self.path, flag), open_text(self.path) as stream:
            if type(stream).__module__ != "_io":
                raise InputError(f"{flag}: {path} is compressed, but its lines are read in any order; unpack it")

    def scan(self) -> Iterator[tuple[int, str, str]]:
        """(place in bytes, name of the place in errors, text) of each line with text."""
        offset = 0
        with reading(self.path, self.flag), open(self.path, "rb") as stream:
            for number, data in enumerate(stream, start=1):
                if (text := self._text(data, number)).strip():
                    yield offset, f"{self.flag}: {self.path}, line {number}", text
                offset += len(data)

    def _text(self, data: bytes, number: int) -> str:
        try:
            return decode_line(data, number == 1)
        except UnicodeDecodeError:
            raise not_utf8(f"{self.flag}: {self.path}", number, data) from None

    def at(self, offset: int) -> tuple[str, str]:
        """The line at a place in bytes: name of the place in errors, text."""
        if self._file is None:
            self._file = open(self.path, "rb", buffering=0)
        line, place = b"", offset
        # pread has no position that workers and threads could share
        while b"\n" not in line and (data := os.pread(self._file.fileno(), _AT_ONCE, place)):
            line, place = line + data, place + len(data)
        return f"{self.flag}: {self.path}, byte {offset}", decode_line(line.partition(b"\n")[0], offset == 0)

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_file": None}  # a worker that is not forked opens its own


class GroupFile:
    """The groups of a file, read as they are asked for; every line is looked at once in the beginning.

    Raises:
        InputError: a line that can't be read; a file without any.
    """

    def __init__(self, path: Path, flag: str):
        self._lines = _Lines(Path(path), flag)
        offsets, negatives, scored = [], [], True
        for offset, place, line in self._lines.scan():
            group = parse_group(line, place)
            offsets.append(offset)
            negatives.append(len(group.negatives))
            scored = scored and all(found.score is not None for found in (*group.positives, *group.negatives))
        if not offsets:
            raise InputError(f"{flag}: {path} is empty; give a file with a group a line")
        self._offsets = np.array(offsets, dtype=np.int64)
        self.fewest_negatives = min(negatives)
        self.scored = scored  # whether every passage has a teacher's score

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> Group:
        place, line = self._lines.at(int(self._offsets[number]))
        return parse_group(line, place)


class PassageStore:
    """Passages by their id: 24 bytes a passage in memory, the text stays in the file.

    Raises:
        InputError: a file that can't be read, an id that comes twice.
    """

    def __init__(self, path: Path, flag: str = "--corpus"):
        from mass_plugins.data.seen_hashes import hash_lines

        self._lines = _Lines(Path(path), flag)
        self._header: Optional[Header] = None
        offsets, ids, hashes = [], [], []
        for offset, place, line in self._passages():
            offsets.append(offset)
            ids.append(parse_passage(line, place, self._header).id)
            if len(ids) == 1 << 16:
                hashes.append(hash_lines(ids))
                ids = []
        hashes.append(hash_lines(ids))
        found = np.concatenate(hashes)
        order = np.argsort(found, kind="stable")
        self._hashes, self._offsets = found[order], np.array(offsets, dtype=np.int64)[order]
        same = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        if len(same):
            second = int(self._offsets[same[0] + 1])
            place, line = next((place, line) for offset, place, line in self._passages() if offset == second)
            twice = parse_passage(line, place, self._header).id
            raise InputError(f"{place}: the id {twice} came before; ids must be unique")

    def _passages(self) -> Iterator[tuple[int, str, str]]:
        """The lines that are passages, as :meth:`_Lines.scan` has them; finds the header."""
        for number, (offset, place, line) in enumerate(self._lines.scan()):
            if number == 0:
                self._header = passage_header(line, place)
            if number or not self._header:
                yield offset, place, line

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def __getitem__(self, name: str) -> Passage:
        """Raises KeyError: no passage has this id."""
        found = self._find(name)
        if found is None:
            raise KeyError(name)
        place, line = self._lines.at(int(self._offsets[found]))
        return parse_passage(line, place, self._header)

    def _find(self, name: str) -> Optional[int]:
        from mass_plugins.data.seen_hashes import hash_lines

        value = hash_lines([name])[0]
        place = int(np.searchsorted(self._hashes, value))
        return place if place < len(self._hashes) and self._hashes[place] == value else None
