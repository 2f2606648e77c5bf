"""Scored pairs of texts, found in folders as they are published: STS-12 to 16, STS-B, SICK-R, Multi-SimLex, word sets.

A set's name is its family, a language that isn't English, and a split that isn't the test's: ``STS12``,
``STS-B``, ``STS-B.de/dev``, ``SICK-R/train``, ``SimLex-999``, ``Multi-SimLex.fra``. What files are called tells which
set they are; how they are written is in ``similarity_files.py``.
"""

import re
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Sequence

import numpy as np

from mass_plugins.errors import InputError
from mass_plugins.scoring.similarity_files import read_multi_simlex, read_pairs, read_semeval, read_sick

SENTENCES, WORDS = "sentences", "words"
SPLITS = ("test", "dev", "train", "trial")  # in the order in which a default is chosen
# Parts of others, not in an average by default: MC-30 is of RG-65, the two halves of WordSim-353 are of it.
CONTAINED = ("MC-30", "WordSim-353-REL", "WordSim-353-SIM")
_YEAR = re.compile(r"(?:20)?(1[2-6])(?!\d)")
_LANGUAGES = {"german": "de", "italian": "it", "russian": "ru", "english": ""}


class PairSet(NamedTuple):
    """Pairs of texts with gold scores, in the set's own scale."""

    name: str
    first: list[str]
    second: list[str]
    gold: np.ndarray  # (N,) float64
    parts: tuple[str, ...]


class Part(NamedTuple):
    """A file's pairs: which set they are of, and under which name of a part."""

    family: str
    kind: str
    path: Path
    language: str = ""  # English
    split: str = "test"
    part: str = ""

    @property
    def set_name(self) -> str:
        language = f".{self.language}" if self.language else ""
        return f"{self.family}{language}" + (f"/{self.split}" if self.split != "test" else "")

    def read(self) -> tuple[list[str], list[str], list[float]]:
        if self.family == "SICK-R":
            return read_sick(self.path, self.split)
        if self.family == "Multi-SimLex":
            return read_multi_simlex(self.path, self.language or "eng")
        if self.path.name.startswith("STS.input."):
            return read_semeval(self.path)
        return read_pairs(self.path)


def find_sets(folders: Sequence[Path]) -> dict[str, list[Part]]:
    """Every set in the folders and in those within, by name, sorted; a name's parts in order.

    Raises:
        InputError: a folder that doesn't exist, no set at all, a part in two files that differ.
    """
    found: dict[str, dict[str, Part]] = {}
    for folder in folders:
        if not folder.exists():
            raise InputError(f"--folders {folder} doesn't exist; check the path")
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            for part in _recognize(path) if path.is_file() else ():
                parts = found.setdefault(part.set_name, {})
                other = parts.setdefault(part.part, part)
                if other.path != path and other.path.read_bytes() != path.read_bytes():
                    raise InputError(
                        f"{part.set_name} is in {other.path} and, otherwise, in {path}; name one of the folders alone"
                    )
    if not found:
        raise InputError(
            f"no set of pairs in {', '.join(map(str, folders))}; docs/mirror_bert.md lists the files known"
        )
    # a file of a whole year, if there is one, holds the others' pairs
    return {
        name: [parts[""]] if "" in parts else [parts[part] for part in sorted(parts)]
        for name, parts in sorted(found.items())
    }


def choose_sets(found: dict[str, list[Part]], wanted: str) -> list[str]:
    """Names of the sets that ``wanted`` means.

    Args:
        wanted: names, comma-separated; or ``sentences``: the English ones of sentences, of each the test set, else the
            dev set, else the training set; or ``words``: the English sets of words that are no part of another.

    Raises:
        InputError: an unknown name, or none left.
    """
    if wanted not in (SENTENCES, WORDS):
        names = list(dict.fromkeys(name.strip() for name in wanted.split(",") if name.strip()))
        unknown = [name for name in names if name not in found]
        if unknown or not names:
            raise InputError(f"--sets: {', '.join(unknown) or 'nothing'} isn't there; there are {', '.join(found)}")
        return names
    families: dict[str, list[Part]] = {}
    for parts in found.values():
        first = parts[0]
        if first.kind == wanted and not first.language and first.family not in CONTAINED:
            families.setdefault(first.family, []).append(first)
    if not families:
        raise InputError(f"no English set of {wanted}; there are {', '.join(found)}: name some with --sets")
    order = sorted(families, key=lambda family: (not family.startswith("STS"), family))  # as tables have them
    return [min(families[family], key=lambda part: SPLITS.index(part.split)).set_name for family in order]


def read_set(name: str, parts: Sequence[Part]) -> PairSet:
    """All pairs of a set, part after part."""
    first: list[str] = []
    second: list[str] = []
    gold: list[float] = []
    for part in parts:
        new = part.read()
        first += new[0]
        second += new[1]
        gold += new[2]
    if len(set(gold)) < 2:
        raise InputError(f"{name}: {len(gold)} pairs, all scored alike; a correlation needs different scores")
    names = tuple(part.part for part in parts if part.part) or (name,)
    return PairSet(name, first, second, np.array(gold), names)


def read_file(path: Path) -> PairSet:
    """A single file of pairs, of a known set or not, under its own name.

    Raises:
        InputError: it doesn't exist, or holds several sets: all splits of SICK, say, or all languages.
    """
    if not path.is_file():
        raise InputError(f"{path} doesn't exist; name a file of scored pairs, like stsb-en-dev.csv")
    known = [*_recognize(path)]
    if len(names := [part.set_name for part in known]) > 1:
        raise InputError(f"{path} holds {', '.join(names)}; give a file of one of them, like SICK_trial.txt")
    return read_set(path.stem, known or [Part(path.stem, SENTENCES, path)])


def load_sets(folders: Sequence[Path], wanted: str = SENTENCES) -> list[PairSet]:
    """The sets of ``wanted`` (:func:`choose_sets`) that lie in the folders."""
    found = find_sets(folders)
    return [read_set(name, found[name]) for name in choose_sets(found, wanted)]


# --- which set a file is of ----------------------------------------------------------------------


def _recognize(path: Path) -> Iterator[Part]:
    for recognize in (_sts_year, _sts_benchmark, _sick, _multi_simlex, _words):
        part = recognize(path)
        if part is not None:
            yield from part
            return


def _sts_year(path: Path) -> Optional[list[Part]]:
    """``2012.MSRpar.test.tsv``, ``2012.test.tsv``, ``2012/MSRpar.test.tsv``, ``STS12-en-test/STS.input.MSRpar.txt``."""
    if named := re.fullmatch(r"20(1[2-6])(?:\.(.+))?\.test\.tsv", path.name):
        return [Part(f"STS{named[1]}", SENTENCES, path, part=named[2] or "")]
    inside, year = path.parent.name, _YEAR.search(path.parent.name)
    if (named := re.fullmatch(r"(.+)\.test\.tsv", path.name)) and year and inside.startswith("20"):
        return [Part(f"STS{year[1]}", SENTENCES, path, part=named[1])]
    if named := re.fullmatch(r"STS\.input\.(.+)\.txt", path.name):
        if year and "sts" in inside.lower() and "train" not in inside.lower():
            return [Part(f"STS{year[1]}", SENTENCES, path, part=named[1])]
    return None


def _sts_benchmark(path: Path) -> Optional[list[Part]]:
    """``stsb-de-dev.csv``; ``sts-test.csv`` of the benchmark itself; ``sts-b-test.txt``."""
    if named := re.fullmatch(r"stsb-([a-z]{2})-(train|dev|test)\.csv", path.name):
        language = "" if named[1] == "en" else named[1]
        return [Part("STS-B", SENTENCES, path, language, named[2])]
    if named := re.fullmatch(r"sts-(train|dev|test)\.csv|sts-b-(train|dev|test)\.txt", path.name):
        return [Part("STS-B", SENTENCES, path, split=named[1] or named[2])]
    return None


def _sick(path: Path) -> Optional[list[Part]]:
    """``SICK_train.txt``, ``SICK_trial.txt``, ``SICK_test_annotated.txt``; ``SICK.txt`` with all three."""
    if named := re.fullmatch(r"SICK_(train|trial|test)(?:_annotated)?\.txt", path.name):
        return [Part("SICK-R", SENTENCES, path, split=named[1])]
    if path.name in ("SICK.txt", "SICK_annotated.txt"):
        return [Part("SICK-R", SENTENCES, path, split=split) for split in ("train", "trial", "test")]
    return None


def _multi_simlex(path: Path) -> Optional[list[Part]]:
    """``translation.csv`` beside ``scores.csv``: a set for each language of its columns."""
    if path.name != "translation.csv" or not path.with_name("scores.csv").is_file():
        return None
    header = path.read_text(encoding="utf-8-sig").split("\n", 1)[0]
    languages = [code.lower() for code in re.findall(r"(?:^|,)\"?([A-Z]{3}) 1\"?", header)]
    return [Part("Multi-SimLex", WORDS, path, "" if code == "eng" else code) for code in languages]


def _words(path: Path) -> Optional[list[Part]]:
    """``EN-RG-65.txt`` and its like, ``SimLex-999.txt``, WordSim-353's ``combined.csv``, ``simlex-german.txt``."""
    if named := re.fullmatch(r"(?:EN-)?SIMLEX-999\.txt", path.name, re.I):
        return [Part("SimLex-999", WORDS, path)]
    if path.name in ("combined.csv", "combined.tab") or path.name == "EN-WS-353-ALL.txt":
        return [Part("WordSim-353", WORDS, path)]
    if named := re.fullmatch(r"(?:multi\.)?simlex-([a-z]+)\.txt", path.name):
        return [Part("SimLex-999", WORDS, path, _LANGUAGES.get(named[1], named[1]))]
    if named := re.fullmatch(r"EN-(.+)\.txt", path.name):
        family = named[1].replace("WS-353", "WordSim-353").replace("VERB", "Verb")
        return [Part(family, WORDS, path)]
    return None
