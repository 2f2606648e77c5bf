"""The user's files: ``en=a.txt b.txt`` on the command line -> ``Corpus``, opened and looked through
once before any work starts, so that what doesn't fit is said early."""

import glob
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Callable, Iterable

from mass_plugins.data.languages import side_names
from mass_plugins.data.symbols import MASK
from mass_plugins.data.text_files import not_utf8, open_text, reading
from mass_plugins.errors import InputError
from preprocess.streaming import read_chunks
from preprocess.workers import ordered_map

LANGUAGE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # no hyphen: it joins the two codes of a pair
_SUFFIXES = ("", ".gz", ".xz", ".bz2")


@dataclass(frozen=True)
class Corpus:
    """Text of one language, or pairs of two, for one split."""

    split: str  # train | valid | test
    languages: tuple[str, ...]
    parts: tuple[tuple[Path, ...], ...]  # read one after the other; in each, one file a language
    flag: str

    @property
    def name(self) -> str:
        return "-".join(self.languages)

    @property
    def kind(self) -> str:
        return "parallel" if len(self.languages) == 2 else "mono"

    @property
    def of_one_language(self) -> bool:
        """Pairs of a document and its summary, of a turn and its answer: no translations."""
        return self.kind == "parallel" and self.languages[0] == self.languages[1]

    @property
    def sides(self) -> tuple[str, ...]:
        """What the columns, and the endings of their files, are called: by language, if that tells them apart."""
        return side_names(self.languages)


@dataclass(frozen=True)
class Inspection:
    """What one file holds."""

    path: Path
    lines: int
    digest: str


def parse_mono(tokens: list[str], split: str, flag: str) -> list[Corpus]:
    """``["en=a.txt", "b.txt", "fr=c.txt"]`` -> one corpus a language."""
    corpora = []
    for language, values in _group(tokens, LANGUAGE, flag, "en=a.txt b.txt fr=c.txt"):
        paths = [path for value in values for path in _expand(value)]
        corpora.append(Corpus(split, (language,), tuple((path,) for path in paths), flag))
    return corpora


def parse_parallel(tokens: list[str], split: str, flag: str) -> list[Corpus]:
    """``["en-fr=PREFIX", "PREFIX2"]`` or ``["en-fr=a.txt,b.txt"]`` -> one corpus a pair.

    Of one language, ``en-en=PREFIX`` is in PREFIX.source and PREFIX.target.
    """
    pair = re.compile(rf"{LANGUAGE.pattern}-{LANGUAGE.pattern}")
    corpora: dict[tuple[str, ...], Corpus] = {}
    for name, values in _group(tokens, pair, flag, "en-fr=corpus/train (for corpus/train.en and corpus/train.fr)"):
        languages = tuple(name.split("-"))
        if languages[0] != languages[1] and languages[::-1] in corpora:
            raise InputError(f"{flag} has {name} and its reverse; one order is enough for both directions")
        parts = tuple(_sides(value, languages) for value in values)
        corpora[languages] = Corpus(split, languages, parts, flag)
    return list(corpora.values())


def _group(tokens: Iterable[str], key: re.Pattern, flag: str, example: str) -> list[tuple[str, list[str]]]:
    """Tokens of the form ``key=value value ...``, one group a key."""
    groups: dict[str, list[str]] = {}
    current = None
    for token in tokens:
        left, equals, right = token.partition("=")
        if equals and key.fullmatch(left):
            current, token = left, right
        if current is None or not token:
            hint = "; a language's code has no hyphen: zh_CN" if "-" in left else ""
            raise InputError(
                f"{flag} {left or token!r} names no language and file; write it like {flag} {example}{hint}"
            )
        groups.setdefault(current, []).append(token)
    return list(groups.items())


def _expand(value: str) -> list[Path]:
    """A path, or the files that a pattern names (a shell doesn't expand ``en=news.*``)."""
    if not Path(value).exists() and glob.has_magic(value):
        return [Path(path) for path in sorted(glob.glob(value))] or [Path(value)]
    return [Path(value)]


def _sides(value: str, languages: tuple[str, ...]) -> tuple[Path, ...]:
    files = value.split(",")
    if len(files) == len(languages):
        return tuple(map(Path, files))
    candidates = ([Path(f"{value}.{side}{suffix}") for suffix in _SUFFIXES] for side in side_names(languages))
    return tuple(next((path for path in paths if path.exists()), paths[0]) for paths in candidates)


def inspect_corpora(
    corpora: list[Corpus], workers: int, progress: Callable[[int], None], allow_mask: bool = False
) -> dict[Path, Inspection]:
    """Look through all files, several at a time.

    Args:
        allow_mask: lines that hold ``[MASK]`` are for the tokenizer to tell from text; by default they are errors.

    Raises:
        InputError: a file that is missing, empty, damaged, not UTF-8 or holds ``[MASK]``; sides of
            a pair that differ in their number of lines.
    """
    flags = {path: corpus.flag for corpus in corpora for part in corpus.parts for path in part}
    found: dict[Path, Inspection] = {}
    for inspection in ordered_map(_make_inspector, (allow_mask,), flags.items(), min(workers, len(flags))):
        found[inspection.path] = inspection
        progress(inspection.lines)
    for corpus in corpora:
        for part in corpus.parts:
            counts = [found[path].lines for path in part]
            if len(set(counts)) > 1:
                raise InputError(
                    f"{corpus.flag} {corpus.name}: {part[0]} has {counts[0]} lines and {part[1]} has {counts[1]}; "
                    "line n of one file must belong to line n of the other"
                )
    return found


def _make_inspector(allow_mask: bool) -> Callable[[tuple[Path, str]], Inspection]:
    return lambda item: inspect_file(*item, allow_mask)


def inspect_file(path: Path, flag: str, allow_mask: bool = False) -> Inspection:
    """Read a file from beginning to end: (number of lines, hash of its text)."""
    digest, lines = blake2b(digest_size=16), 0
    with reading(path, flag), open_text(path) as stream:
        for chunk in read_chunks(stream, str(path)):
            digest.update(chunk.data)
            _check_chunk(chunk, flag, allow_mask)
            lines = chunk.start + chunk.data.count(b"\n") + (not chunk.data.endswith(b"\n"))
    if lines == 0:
        raise InputError(f"{flag}: {path} is empty; give a file with text, one sentence per line")
    return Inspection(path, lines, digest.hexdigest())


def _check_chunk(chunk, flag: str, allow_mask: bool) -> None:
    try:
        chunk.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = chunk.start + 1 + chunk.data[: error.start].count(b"\n")
        raise not_utf8(f"{flag}: {chunk.name}", line, chunk.data) from None
    found = -1 if allow_mask else chunk.data.find(MASK.encode())
    if found >= 0:
        line = chunk.start + 1 + chunk.data[:found].count(b"\n")
        raise InputError(
            f"{flag}: {chunk.name}, line {line} holds {MASK}, which pre-training reserves; take such lines out "
            "(python preprocess/filter.py does)"
        )
