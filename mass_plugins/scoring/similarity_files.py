"""How files of scored pairs are written: STS and its benchmark, SICK, lists of words, Multi-SimLex.

Each reader gives (first texts, second texts, scores); what can't be read is an InputError that names file and line.
Pairs without a score, of which STS-15 and 16 have many, are left out.
"""

import csv
from pathlib import Path
from typing import Optional, Sequence

from mass_plugins.errors import InputError

Pairs = tuple[list[str], list[str], list[float]]


def read_pairs(path: Path) -> Pairs:
    """A file of one pair a line, in whichever of these ways its lines are written:

    ======================================  ===============================================
    score, text, text                       STS by year, tab-separated, no quotes
    genre, file, year, id, score, text, text  the STS benchmark's own, tab-separated, no quotes
    text, text, score                       word sets, tab- or space-separated; STS-B by language, CSV with quotes
    a header, columns in any order          SimLex-999, WordSim-353, GLUE's STS-B
    ======================================  ===============================================

    A header names the texts' columns (``sentence1`` and ``sentence2``; ``word`` and ``text``, ``A`` and ``B`` are
    known, too) and the score's (``score``, ``similarity``, ``SimLex999``, ``Human (mean)``, ..), signs and capitals
    aside.

    Raises:
        InputError: a first line that is neither such a header nor a pair, a header that lacks one of the three, a
            line that is no pair.
    """
    lines = _lines(path)
    if "\t" in lines[0][1]:
        rows = [(number, line.split("\t")) for number, line in lines]
    elif "," in lines[0][1]:
        rows = _csv_rows(path)
    else:
        rows = [(number, line.split()) for number, line in lines]
    columns = _columns(path, rows)
    return _collect(path, rows, columns)


def read_semeval(path: Path) -> Pairs:
    """``STS.input.X.txt``: two texts a line, perhaps their sources behind; scores line by line in ``STS.gs.X.txt``."""
    gold = path.with_name(path.name.replace("STS.input.", "STS.gs."))
    if not gold.is_file():
        raise InputError(f"{gold} doesn't exist, which has the scores of {path.name}; put the two together")
    texts, scores = ([line for _, line in _lines(file, keep_empty=True)] for file in (path, gold))
    if len(texts) != len(scores):
        raise InputError(f"{path} has {len(texts)} lines and {gold.name} {len(scores)}; fetch them again")
    rows = [(n, [score, *text.split("\t")]) for n, (score, text) in enumerate(zip(scores, texts), 1) if score.strip()]
    return _collect(path, rows, (1, 2, 0))


def read_sick(path: Path, split: str) -> Pairs:
    """SICK, tab-separated under a header; of a file that holds all splits (``SemEval_set``) the one wanted."""
    (_, first), *lines = _lines(path)
    header = first.split("\t")
    try:
        columns = tuple(header.index(name) for name in ("sentence_A", "sentence_B", "relatedness_score"))
    except ValueError:
        raise InputError(f"{path}, line 1 lacks sentence_A, sentence_B or relatedness_score; is it SICK?") from None
    rows = [(number, line.split("\t")) for number, line in lines]
    if "SemEval_set" in header:
        place = header.index("SemEval_set")
        rows = [(number, cells) for number, cells in rows if place < len(cells) and cells[place].lower() == split]
    return _collect(path, rows, columns)  # type: ignore[arg-type]


def read_multi_simlex(path: Path, language: str) -> Pairs:
    """``translation.csv`` (``ENG 1``, ``ENG 2``) with ``scores.csv`` (``ENG``) beside it, line by line."""
    scores = path.with_name("scores.csv")
    tables = []
    for file, names in ((path, (f"{language.upper()} 1", f"{language.upper()} 2")), (scores, (language.upper(),))):
        (_, header), *rows = _csv_rows(file)
        if missing := [name for name in names if name not in header]:
            raise InputError(f"{file}, line 1 has no column {', '.join(missing)}; fetch the set again")
        places = [header.index(name) for name in names]
        if short := [number for number, cells in rows if len(cells) <= max(places)]:
            raise InputError(f"{file}, line {short[0]} has too few columns; fetch the set again")
        tables.append([[cells[place] for place in places] for _, cells in rows])
    words, gold = tables
    if len(words) != len(gold):
        raise InputError(f"{path} has {len(words)} pairs and {scores.name} {len(gold)}; fetch the set again")
    return _collect(path, [(n, [*w, *g]) for n, (w, g) in enumerate(zip(words, gold), 2)], (0, 1, 2))


# --- lines and columns ---------------------------------------------------------------------------


def _lines(path: Path, keep_empty: bool = False) -> list[tuple[int, str]]:
    """(number, text) of each line, whichever its end: \\n, \\r\\n or \\r."""
    try:
        with open(path, encoding="utf-8-sig", newline=None) as stream:
            lines = [(number, line.rstrip("\n")) for number, line in enumerate(stream, start=1)]
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error.reason}); convert it, for instance with iconv") from None
    kept = lines if keep_empty else [(number, line) for number, line in lines if line.strip()]
    if not kept:
        raise InputError(f"{path} is empty; fetch it again")
    return kept


def _csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            return [(reader.line_num, row) for row in reader if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as CSV ({error}); fetch it again") from None


# Names of columns as headers have them, without spaces, signs and capitals.
_FIRST = {f"{kind}{end}" for kind in ("sentence", "word", "text") for end in ("1", "a")}
_SECOND = {f"{kind}{end}" for kind in ("sentence", "word", "text") for end in ("2", "b")}
_GOLD = {"score", "goldscore", "similarity", "similarityscore", "relatedness", "relatednessscore", "rating", "gold",
         "simlex999", "humanmean", "label"}  # fmt: skip


def _columns(path: Path, rows: list[tuple[int, list[str]]]) -> tuple[int, int, int]:
    """Places of (first text, second text, score); takes a header off ``rows``."""
    number, cells = rows[0]
    if not any(_is_number(cell) for cell in cells):
        names = ["".join(letter for letter in cell.lower() if letter.isalnum()) for cell in cells]
        if all(cell.strip() for cell in cells) or {*names} & (_FIRST | _SECOND | _GOLD):  # else a pair not scored
            rows.pop(0)
            return _named_columns(path, number, cells, names)
    for _, cells in rows:  # one that can be read in one way alone; a text may be a number
        numeric = [_is_number(cell) for cell in cells]
        if len(cells) >= 7 and numeric[4] and not (numeric[5] and numeric[6]):
            return (5, 6, 4)
        if not all(cell.strip() for cell in cells[:3]):  # a pair not scored
            continue
        if numeric[:3] == [True, False, False] and not any(numeric[3:]):
            return (1, 2, 0)
        if numeric[:3] == [False, False, True]:
            return (0, 1, 2)
    return (0, 1, 2)


def _named_columns(path: Path, number: int, header: Sequence[str], names: Sequence[str]) -> tuple[int, int, int]:
    found = [[place for place, name in enumerate(names) if name in known] for known in (_FIRST, _SECOND, _GOLD)]
    wanted = ("a first text, like sentence1", "a second text, like sentence2", "a score, like score")
    missing = [what for what, places in zip(wanted, found) if not places]
    if missing:
        raise InputError(
            f"{path}, line {number} holds no score, so it is a header, and lacks the column of "
            f"{' and of '.join(missing)}; name the columns so, or give the line its score"
        )
    twice = [header[place] for places in found for place in places if len(places) > 1]
    if twice:
        raise InputError(f"{path}, line {number}: {' and '.join(twice)} may mean the same; rename all but one")
    first, second, gold = (places[0] for places in found)
    return first, second, gold


def _number(cell: str) -> Optional[float]:
    try:
        return float(cell)
    except ValueError:
        return None


def _is_number(cell: str) -> bool:
    return _number(cell) is not None


def _collect(path: Path, rows: Sequence[tuple[int, list[str]]], columns: tuple[int, int, int]) -> Pairs:
    first: list[str] = []
    second: list[str] = []
    gold: list[float] = []
    for number, cells in rows:
        if len(cells) <= max(columns):
            raise InputError(f"{path}, line {number} has {len(cells)} columns; two texts and a score are needed")
        a, b, score = (cells[place].strip() for place in columns)
        if not score:
            continue
        value = _number(score)
        if value is None or value != value or abs(value) == float("inf"):
            raise InputError(f"{path}, line {number}: the score {score[:40]!r} is not a number; fix or remove the line")
        if not (a and b):
            raise InputError(f"{path}, line {number} lacks one of its two texts; fix or remove the line")
        first.append(a)
        second.append(b)
        gold.append(value)
    if not gold:
        raise InputError(f"{path} has no scored pair; fetch it again")
    return first, second, gold
