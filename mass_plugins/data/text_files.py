"""Raw text files of one sentence a line, plain or compressed, with every way that one can be wrong told in one line."""

import bz2
import gzip
import lzma
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator

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
