"""Lines of a plain text file in any order, by their places in it."""

import os
from pathlib import Path
from typing import BinaryIO, Iterator, Optional

from mass_plugins.data.retrieval_files import decode_line
from mass_plugins.data.text_files import not_utf8, open_text, reading
from mass_plugins.errors import InputError

_AT_ONCE = 1 << 14  # bytes; most lines are shorter


class LinesByPlace:
    """Random access to the lines of a file, whose places are found in one pass.

    Raises:
        InputError: it is compressed, or isn't there.
    """

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
