"""Raw text files of one sentence per line, plain or compressed; every way that one can be wrong is told in one line."""

import bz2
import gzip
import hashlib
import lzma
import os
import sys
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Optional, Sequence

from mass_plugins.data.progress import Progress
from mass_plugins.errors import InputError

_OPENERS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}


def open_text(path: Path) -> BinaryIO:
    """Open a plain, .gz, .xz or .bz2 file; its first bytes tell which."""
    with open(path, "rb") as stream:
        start = stream.read(6)
    for magic, opener in _OPENERS.items():
        if start.startswith(magic):
            return opener(path, "rb")
    return open(path, "rb")


@contextmanager
def reading(path: Path, flag: str) -> Iterator[None]:
    """Tell what is wrong with a file that ``flag`` names while it is opened and read.

    Raises:
        InputError: it doesn't exist, is no file, or is damaged.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{flag}: {path} is a folder or a pipe; name files, which are read more than once")
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{flag}: {path} doesn't exist; check the path") from None
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        if getattr(error, "errno", None):  # the system's error, not the file's (bz2 and gzip raise OSError, too)
            raise
        raise InputError(f"{flag}: {path} is damaged or cut off ({error}); fetch it again") from None


def not_utf8(name: str, line: int, data: bytes = b"") -> InputError:
    """The error for a line that can't be decoded."""
    encoding = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "ISO-8859-1"
    return InputError(
        f"{name}, line {line} is not UTF-8; convert the file (iconv -f {encoding} -t UTF-8) or take the line out"
    )


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count`` of a corpus, by one of three rules: ``holds``, ``holds_number`` or ``stretch``."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """``"0/4"``: the first of four."""
        index, slash, count = text.partition("/")
        if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
            raise InputError(f"--shard {text} is not I/N with I from 0 to N-1; for four processes 0/4, 1/4, 2/4, 3/4")
        return cls(int(index), int(count))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def suffix(self) -> str:
        """Of file names: ``.0-of-4``; nothing where there is but one part."""
        return "" if self.count == 1 else f".{self.index}-of-{self.count}"

    def holds(self, line: bytes) -> bool:
        """By checksum: whether a line, with or without its end, is of this part.

        The text of a line decides, not its number: nothing need be known of the corpus, and lines that are equal but
        for their ASCII white space come into the same part, wherever they stand, so that none of them is left in two
        parts. Lines that cleaning alone makes equal (kinds of quotes, invisible characters) may be in two.
        """
        return self.count == 1 or zlib.crc32(b" ".join(line.split())) % self.count == self.index

    def holds_number(self, number: int) -> bool:
        """In turn: whether the text of this number, from 0 on, is of this part."""
        return number % self.count == self.index

    def stretch(self, lines: int) -> tuple[int, int]:
        """In one piece: the first line and the one after the last, from 0 on; the parts put together are the whole."""
        return self.index * lines // self.count, (self.index + 1) * lines // self.count


WHOLE = Shard(0, 1)


def count_lines(paths: Sequence[Path], flag: str, shard: Shard = WHOLE, progress: Optional[Progress] = None) -> int:
    """Read files from beginning to end; returns how many of their lines are of the shard.

    Raises:
        InputError: a file that is missing, empty, damaged or not UTF-8.
    """
    count = 0
    for path in paths:
        number = 0
        with reading(path, flag), open_text(path) as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    raise not_utf8(f"{flag}: {path}", number, line) from None
                count += shard.holds(line)
                if progress and number % 10_000 == 0:
                    progress.add(10_000)
        if number == 0:
            raise InputError(f"{flag}: {path} is empty; give a file with text, one sentence per line")
    return count


def read_text(path: Path, flag: str) -> list[str]:
    """All lines of a file, without their ends.

    Raises:
        InputError: it is missing, empty, damaged or not UTF-8.
    """
    lines = [line for _, line in read_lines([path], flag)]
    if not lines:
        raise InputError(f"{flag}: {path} is empty; give a file that has lines")
    return lines


def read_lines(paths: Sequence[Path], flag: str, shard: Shard = WHOLE, skip: int = 0) -> Iterator[tuple[int, str]]:
    """The lines of a shard without their ends, one file after the other; only a line feed ends a line.

    Args:
        skip: leave out this many lines of the files, whichever shard they are of.

    Yields:
        the number of each line in all files together, from 1 on, and its text.

    Raises:
        InputError: a file that is missing, damaged or not UTF-8.
    """
    number = 0
    for path in paths:
        before = number
        with reading(path, flag), open_text(path) as stream:
            for line in stream:
                number += 1
                if number > skip and shard.holds(line):
                    try:
                        yield number, line.decode("utf-8").removesuffix("\n").removesuffix("\r")
                    except UnicodeDecodeError:
                        raise not_utf8(f"{flag}: {path}", number - before, line) from None


def stdin_lines() -> Iterator[str]:
    """Lines of stdin without their ends, as :func:`read_lines` has those of files.

    Raises:
        InputError: a line that is not UTF-8.
    """
    if sys.stdin is None:  # closed
        return
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            yield line.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise not_utf8("stdin", number, line) from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file at once: it is whole or as it was, whatever happens to the machine.

    Raises:
        OSError: there is no such folder, the disk is full, ..
    """
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary file's name to write to; it is given the name ``path`` in the end, or removed after an error."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def digest(path: Path) -> str:
    """Of a file's content, 32 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def fingerprint(path: Path) -> str:
    """A file's name, size and content in few letters: what a run that goes on compares.

    Raises:
        InputError: it can't be read.
    """
    try:
        return f"{path.name} ({path.stat().st_size} bytes, {digest(path)})"
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); check the path") from None
