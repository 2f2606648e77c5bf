"""Documents -> units of consecutive lines, and documents of so many consecutive units."""

import json
from collections import Counter
from pathlib import Path
from typing import Iterator, Optional, Sequence

import numpy as np

from mass_plugins.data.text_files import read_lines
from mass_plugins.errors import InputError

Document = list[str]
MOST_CHARACTERS = (
    1 << 24
)  # of a document, which is in memory as a whole: a shelf of books, or a file without empty lines


def is_json_lines(path: Path) -> bool:
    """By the name: ``wiki.jsonl``, ``wiki.jsonl.xz``; the others are text with empty lines between documents."""
    return ".jsonl" in path.suffixes


def read_documents(paths: Sequence[Path], flag: str) -> Iterator[Document]:
    """The lines of each document that aren't empty, white space unified; documents without any are there, too.

    Raises:
        InputError: a file that can't be read, a line of JSON lines without text, JSON lines under another name, a
            document of more than ``MOST_CHARACTERS``.
    """
    for path in paths:
        if is_json_lines(path):
            for number, line in _lines_without_mark(path, flag):
                if line.strip():
                    where = f"{flag}: {path}, line {number}"
                    found = _lines_of(line, where)
                    _check_size(sum(map(len, found)), where)
                    yield _tidy(found)
            continue
        gathered: Document = []
        begin, size = 1, 0
        for number, line in _lines_without_mark(path, flag):
            if number == 1 and _is_json(line):
                raise InputError(
                    f"{flag}: {path} holds JSON; give JSON lines, one object per line, and name the file like "
                    f"{path.name.split('.')[0]}.jsonl"
                )
            if line.strip():
                if not gathered:
                    begin, size = number, 0
                gathered.append(line)
                size += len(line)
                _check_size(size, f"{flag}: {path}, line {begin}")
            elif gathered:  # several empty lines are one end
                yield _tidy(gathered)
                gathered = []
        if gathered:
            yield _tidy(gathered)


def _check_size(characters: int, where: str) -> None:
    if characters > MOST_CHARACTERS:
        raise InputError(
            f"{where} begins a document of more than {MOST_CHARACTERS} characters; separate documents by empty lines, "
            "or give JSON lines, one document per line"
        )


def _lines_without_mark(path: Path, flag: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line; a byte order mark at the beginning is no text."""
    for number, line in read_lines([path], flag):
        yield number, line.removeprefix("\ufeff") if number == 1 else line


def _tidy(lines: Sequence[str]) -> Document:
    return [tidy for line in lines if (tidy := " ".join(line.split()))]


def _is_json(line: str) -> bool:
    """Whether the first line of a file begins an object or a list of objects, as a whole or over several lines."""
    line = line.strip()
    if line in ("{", "[", "[{"):
        return True
    if not line.startswith(("{", "[{")):
        return False
    if line.startswith("[") and not line.endswith("]"):
        line = line.removesuffix(",") + "]"
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _lines_of(line: str, where: str) -> list[str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where} is not JSON ({error}); fix it") from None
    found = (row.get("lines") or row.get("text", row.get("lines"))) if isinstance(row, dict) else None
    if isinstance(found, str):
        found = found.split("\n")
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise InputError(f'{where} has neither "text", a string, nor "lines", a list of strings')
    try:
        "".join(found).encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            f"{where} has half a surrogate pair (\\ud800 to \\udfff) in its text; fix or remove it"
        ) from None
    return found


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
