"""Raw lines in at stdin, raw lines out at stdout, as several commands do."""

import io
import re
import sys
from itertools import islice
from typing import Callable, Sequence

from mass_plugins.data.text_files import stdin_lines
from mass_plugins.errors import InputError


def convert_stdin(convert: Callable[[list[str]], Sequence[str]], buffer: int) -> None:
    """Print what ``convert`` makes of stdin's lines, ``buffer`` of them at a time: a line out for each line in.

    Raises:
        InputError: a line that isn't UTF-8, or that ``convert`` refuses as ``line N ..``; named by its number in stdin.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as stdin is read, whatever the locale
    lines, done = stdin_lines(), 0
    while batch := list(islice(lines, buffer)):
        try:
            converted = convert(batch)
        except InputError as error:
            raise InputError(_with_line_of_stdin(str(error), done)) from None
        for line in converted:
            print(line)
        sys.stdout.flush()
        done += len(batch)


def _with_line_of_stdin(message: str, before: int) -> str:
    """``"line 3 has .."``, counted within a buffer, as a line of stdin, with ``before`` lines ahead of it."""
    return re.sub(r"^line (\d+)", lambda found: f"stdin, line {before + int(found[1])}", message)
