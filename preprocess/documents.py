"""Documents -> units of consecutive lines, and documents of so many consecutive units."""

import json
from collections import Counter
from pathlib import Path
from typing import Iterator, Optional, Sequence

import numpy as np

from mass_plugins.data.text_files import read_lines
from mass_plugins.errors import InputError

Document = list[str]


def is_json_lines(path: Path) -> bool:
    """By the name: ``wiki.jsonl``, ``wiki.jsonl.xz``; the others are text with empty lines between documents."""
    return ".jsonl" in path.suffixes


def read_documents(paths: Sequence[Path], flag: str) -> Iterator[Document]:
    """The lines of each document that aren't empty, white space unified; documents without any are there, too.

    Raises:
        InputError: a file that can't be read, a line of JSON lines without text, JSON lines under another name.
    """
    for path in paths:
        if is_json_lines(path):
            for number, line in read_lines([path], flag):
                if line.strip():
                    yield _tidy(_lines_of(line, f"{flag}: {path}, line {number}"))
            continue
        gathered: Document = []
        for number, line in read_lines([path], flag):
            if number == 1 and _is_object(line):
                raise InputError(f"{flag}: {path} holds JSON lines; name it like {path.name.split('.')[0]}.jsonl")
            if line.strip():
                gathered.append(line)
            elif gathered:  # several empty lines are one end
                yield _tidy(gathered)
                gathered = []
        if gathered:
            yield _tidy(gathered)


def _tidy(lines: Sequence[str]) -> Document:
    return [tidy for line in lines if (tidy := " ".join(line.split()))]


def _is_object(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _lines_of(line: str, where: str) -> list[str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where} is no JSON ({error}); mend it") from None
    text = row.get("lines", row.get("text")) if isinstance(row, dict) else None
    if isinstance(text, str):
        return text.split("\n")
    if isinstance(text, list) and all(isinstance(item, str) for item in text):
        return text
    raise InputError(f'{where} has neither "text", a string, nor "lines", a list of strings')


def pack(lines: Sequence[np.ndarray], limit: int, end: int, together: bool = True) -> tuple[list[np.ndarray], int]:
    """Token ids of consecutive lines -> units of up to ``limit`` tokens, ``end`` behind each line counted.

    A unit takes lines as long as they fit (greedily); a longer line is cut into several, units of their own.

    Args:
        lines: (n,) int64 each, not empty.
        together: False: a line is a unit.

    Returns:
        the units, and how many lines were cut.
    """
    units: list[list[np.ndarray]] = []
    room, cut = 0, 0
    for line in lines:
        parts = [line[begin : begin + limit - 1] for begin in range(0, len(line), limit - 1)]
        cut += len(parts) > 1
        for part in parts:
            closed = np.append(part, end)
            if together and len(parts) == 1 and len(closed) <= room:
                units[-1].append(closed)
                room -= len(closed)
            else:
                units.append([closed])
                room = limit - len(closed) if len(parts) == 1 else 0
    return [np.concatenate(unit) for unit in units], cut


def cut_into_documents(units: int, size: int, minimum: int) -> list[int]:
    """Units of each document that is made of ``units`` in a row: ``size``, and the rest if that has ``minimum``."""
    whole, rest = divmod(units, size)
    return [size] * whole + ([rest] if rest >= max(1, minimum) else [])


class DocumentMaker:
    """Documents of one language -> units, with counts of what was dropped and why.

    Args:
        text: the encoder's text pipeline.
        unit_tokens: of a unit, ``[SEP]`` counted and ``[CLS]`` not.
        units: of a document.
        min_units: of a document that is shorter.
        together: put several lines into a unit.
        language: of our own sub-words.
    """

    def __init__(self, text, unit_tokens: int, units: int, min_units: int, together: bool, language: Optional[str]):
        self.text, self.unit_tokens, self.units, self.min_units = text, unit_tokens, units, min_units
        self.together, self.language = together, language
        self.counts: Counter = Counter()
        self._reserved = np.setdiff1d(text.special_ids, [text.dictionary.unk()])

    def __call__(self, documents: Sequence[Document]) -> Iterator[list[np.ndarray]]:
        """Yields the units of each document that is made of these."""
        rows = iter(self.text.pieces([line for lines in documents for line in lines], self.language))
        for lines in documents:
            pieces = [next(rows) for _ in lines]
            self.counts["documents read"] += 1
            self.counts["lines read"] += len(pieces)
            kept = [ids for ids in pieces if len(ids) and not np.isin(ids, self._reserved).any()]
            self.counts["lines dropped: nothing in them, or a reserved symbol"] += len(pieces) - len(kept)
            units, cut = pack(kept, self.unit_tokens, self.text.vocabulary.eos, self.together)
            self.counts["lines cut into several units"] += cut
            yield from self._documents(units)

    def _documents(self, units: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        made = cut_into_documents(len(units), self.units, self.min_units)
        self.counts["units made"] += len(units)
        self.counts["units dropped: the rest of a document"] += len(units) - sum(made) if made else 0
        self.counts["units dropped: of documents that are too short"] += 0 if made else len(units)
        self.counts["documents dropped: too short or without text"] += not made
        self.counts["documents made"] += len(made)
        begin = 0
        for count in made:
            yield units[begin : begin + count]
            begin += count
