"""Raw lines in at stdin, raw lines out at stdout, as several commands do."""

import io
import re
import sys
from itertools import islice
from typing import Callable, Iterator, Sequence

from mass_plugins.errors import InputError


def convert_stdin(convert: Callable[[list[str]], Sequence[str]], buffer: int) -> None:
    """Print what ``convert`` makes of stdin's lines, ``buffer`` of them at a time: a line out for each line in.

    Raises:
        InputError: a line that isn't UTF-8, or that ``convert`` refuses as ``line N ..``; named by its number in stdin.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as stdin is read, whatever the locale
    lines, done = lines_of_stdin(), 0
    while batch := list(islice(lines, buffer)):
        try:
            converted = convert(batch)
        except InputError as error:
            raise InputError(_with_line_of_stdin(str(error), done)) from None
        for line in converted:
            print(line)
        sys.stdout.flush()
        done += len(batch)


def lines_of_stdin() -> Iterator[str]:
    """Lines of stdin without their ends; only \\n ends a line, so that lines out = lines in."""
    if sys.stdin is None:  # closed
        return
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            why = f"is not UTF-8 ({error.reason}); convert it, for instance with iconv"
            raise InputError(f"stdin, line {number} {why}") from None


def _with_line_of_stdin(message: str, before: int) -> str:
    """``"line 3 has .."``, counted within a buffer, as a line of stdin, with ``before`` lines ahead of it."""
    return re.sub(r"^line (\d+)", lambda found: f"stdin, line {before + int(found[1])}", message)
