"""The folder that a tool makes: built beside its place, moved there when it is whole, known again by its report."""

import fcntl
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Collection, Iterator, NamedTuple, Optional

from mass_plugins.errors import InputError


class Found(NamedTuple):
    """What the report in a folder says of it.

    Attributes:
        differences: from what is asked for now, in words; none if it was made of the same text and flags.
        files: paths in it that it must have, where nothing differs.
    """

    differences: list[str]
    files: Collection[str] = ()


def say(tool: str, message: str) -> None:
    """A line of ``tool``'s on stderr."""
    print(f"{tool}: {message}", file=sys.stderr, flush=True)


@contextmanager
def building(tool: str, destdir: Path) -> Iterator[Path]:
    """A folder beside ``destdir`` to build in; it is gone afterwards, whatever happens.

    Raises:
        InputError: another process builds there.
    """
    destdir = destdir.absolute()
    folder = destdir.with_name(destdir.name + ".building")
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for rest in folder.iterdir():  # of a run that was killed
            shutil.rmtree(rest) if rest.is_dir() else rest.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        raise InputError(f"another {tool} is making {destdir}; wait for it, or choose another --destdir") from None
    finally:
        os.close(lock)


def move_into_place(made: Path, destdir: Path) -> None:
    """Put what was made where it belongs, after setting an old folder aside."""
    destdir = destdir.absolute()
    old = destdir.with_name(destdir.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if destdir.exists():
        destdir.rename(old)
    made.rename(destdir)
    shutil.rmtree(old, ignore_errors=True)


def already_done(
    tool: str, destdir: Path, report_file: str, look: Callable[[Path], Optional[Found]], overwrite: bool
) -> bool:
    """Whether ``destdir`` holds just this data, whole. With a file missing, all is made anew.

    Args:
        tool: for messages.
        report_file: name of the report in it.
        look: folder -> what its report says, None if it has none of this tool's.
        overwrite: whether other data may be lost.

    Raises:
        InputError: it holds something else, or would lose it.
    """
    if not destdir.exists() or (destdir.is_dir() and not any(destdir.iterdir())):
        return False
    found = look(destdir)
    if found is None:
        raise InputError(f"--destdir {destdir} exists and holds no {report_file}; choose another folder")
    if not found.differences:
        return is_whole(tool, destdir, found.files, overwrite)
    if not overwrite:
        raise InputError(
            f"--destdir {destdir} holds data made from other text or flags ({', '.join(found.differences)}); give "
            "--overwrite, or another folder"
        )
    return False


def is_whole(tool: str, destdir: Path, files: Collection[str], overwrite: bool) -> bool:
    """Whether all ``files`` are in ``destdir``.

    Raises:
        InputError: some aren't, and there are others, which would be lost if it were made anew.
    """
    missing = sorted(name for name in files if not (destdir / name).is_file())
    if not missing:
        return True
    lacks = f"{destdir} lacks {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else "")
    there = {path.relative_to(destdir).as_posix() for path in destdir.rglob("*") if not path.is_dir()}
    others = sorted(there - set(files))
    if others and not overwrite:
        raise InputError(
            f"--destdir {lacks} and holds {others[0]}, which {tool} didn't write; move that away, or give "
            "--overwrite to lose it"
        )
    say(tool, f"{lacks}; making it again")
    return False
