"""Drop lines that do more harm than good in training, stdin to stdout.

    python preprocess/filter.py --languages de < clean.de > good.de
    paste clean.de clean.en | python preprocess/filter.py --languages de,en > good.de-en.tsv

A pair goes or stays as a whole. A limit of 0 means none.
"""

import argparse
import math
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401

from mass_plugins.data.symbols import MASK
from mass_plugins.data.text import has_spaces
from mass_plugins.errors import InputError
from preprocess.streaming import Chunk, Parser, Result, add_stream_flags, exit_status, run_tool, split_columns

LIMITS = ("max_words", "max_characters", "max_ratio")
SHORT_LINE = 5  # words: up to here the ratio says nothing ("Danke." is "Thank you very much.")


@dataclass(frozen=True)
class Limits:
    """What a line may be. 0: no limit."""

    max_words: int = 250
    max_characters: int = 2000
    max_ratio: float = 3.0  # words of the longer side by words of the shorter one
    reserved: tuple[str, ...] = (MASK,)

    def __post_init__(self):
        for name in LIMITS:
            if not 0 <= getattr(self, name) < math.inf:
                flag = f"--{name.replace('_', '-')}"
                raise InputError(f"{flag} {getattr(self, name)} is not a limit; give a positive number, or 0 for none")


def count_words(text: str, language: str) -> int:
    """Words between spaces; where a language writes none, two characters count as a word."""
    return len(text.split()) if has_spaces(language) else (len(text) + 1) // 2


def reason_to_drop(cells: list[str], languages: list[str], limits: Limits) -> Optional[str]:
    """Why a line (one column) or a pair (two) should go, or None."""
    if not all(cell and not cell.isspace() for cell in cells):
        return "empty"
    for symbol in limits.reserved:
        if any(symbol in cell for cell in cells):
            return f"with the reserved symbol {symbol}"
    if limits.max_characters and max(map(len, cells)) > limits.max_characters:
        return f"over {limits.max_characters} characters"
    words = list(map(count_words, cells, languages))
    if limits.max_words and max(words) > limits.max_words:
        return f"over {limits.max_words} words"
    if limits.max_ratio and max(words) > max(SHORT_LINE, limits.max_ratio * min(words)):
        return f"over {limits.max_ratio:g} times as long as the other side"
    return None


def make_filter(languages: list[str], limits: Limits) -> Callable[[Chunk], Result]:
    """Chunk -> the lines that fit the limits."""

    def keep(chunk: Chunk) -> Result:
        lines, dropped, kept = chunk.lines(), Counter(), []
        for cells in split_columns(lines, len(languages), dropped):
            reason = reason_to_drop(cells, languages, limits)
            if reason:
                dropped[reason] += 1
            else:
                kept.append("\t".join(cells))
        return Result(kept, len(lines), dropped)

    return keep


def add_limit_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that prepare.py has, too; None where one isn't given."""
    defaults = Limits()
    parser.add_argument("--max-words", type=int, help=f"default: {defaults.max_words}")
    parser.add_argument("--max-characters", type=int, help=f"default: {defaults.max_characters}")
    parser.add_argument(
        "--max-ratio", type=float,
        help=f"of pairs, in words, for lines of more than {SHORT_LINE} words (default: {defaults.max_ratio})",
    )  # fmt: skip


def limits_of(args: argparse.Namespace, **others) -> Limits:
    """The limits of the flags that are given, the defaults of the others."""
    given = {name: getattr(args, name) for name in LIMITS}
    return Limits(**{name: value for name, value in given.items() if value is not None}, **others)


def main() -> int:
    parser = Parser(prog="filter.py", description=__doc__.split("\n")[0])
    add_stream_flags(parser)
    add_limit_flags(parser)
    parser.add_argument(
        "--reserved", nargs="*", default=[MASK], metavar="SYMBOL",
        help="symbols that may not be in the text (default: %(default)s, which pre-training puts in itself)",
    )  # fmt: skip
    args = parser.parse_args()
    limits = limits_of(args, reserved=tuple(args.reserved))
    return run_tool("filter.py", make_filter, (args.languages, limits), args)


if __name__ == "__main__":
    sys.exit(exit_status("filter.py", main))
