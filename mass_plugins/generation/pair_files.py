"""The two files of synthetic pairs: they grow by whole chunks, and a run that was cut off at any moment goes on.

PREFIX.json             what was asked for, how far it has come, counts; replaced at each commit
PREFIX.<language>.part  a side; cut back to the size in PREFIX.json when a run goes on
PREFIX.seen.part        8 bytes a line, to know the lines that came before; locked by the process that writes
PREFIX.<language>       in the end, in the place of the parts
"""

import fcntl
import os
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Optional, Sequence

import numpy as np

from mass_plugins.data.json_file import read_dataclass, write_json
from mass_plugins.errors import InputError

VERSION = 1
_HASHES_AT_A_TIME = 1 << 16
_SEEN = "seen"


@dataclass
class Record:
    """What ``PREFIX.json`` holds."""

    settings: dict[str, Any]  # flag -> value, of all that decides the pairs
    total: int  # lines to read
    position: int = 0  # lines of the input files that are done with, those of other shards included
    read: int = 0  # of ``total``
    pairs: int = 0  # written
    copies: int = 0  # translations that are equal to what they translate, written or not
    left_out: dict[str, int] = field(default_factory=dict)  # reason -> lines
    sizes: dict[str, int] = field(default_factory=dict)  # file -> bytes that are good
    finished: bool = False

    def count(self, read: int, pairs: int, copies: int, left_out: Counter) -> None:
        """Add the counts of a chunk."""
        self.read, self.pairs, self.copies = self.read + read, self.pairs + pairs, self.copies + copies
        self.left_out = dict(sorted((Counter(self.left_out) + left_out).items()))

    def write(self, path: Path) -> None:
        """Replace ``path``, whole or not at all."""
        write_json(path, {"version": VERSION, **asdict(self)})


def changed(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What differs between settings, in words: ``--beam was 1 and is 4``."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(
        f"{name} was {old.get(name)} and is {new.get(name)}" if name.startswith("--") else f"{name} is another one"
        for name in names
    )


class PairFiles:
    """Writes pairs; a context that holds the files open and locked.

    Args:
        prefix: of the files' names.
        languages: endings of the two sides.
        record: how far an earlier run has come, or a fresh one.

    Raises:
        InputError: another process writes the same files, or they are not those that the record tells of.
    """

    def __init__(self, prefix: Path, languages: Sequence[str], record: Record):
        self.prefix, self.languages, self.record = prefix, tuple(languages), record

    def __enter__(self) -> "PairFiles":
        self.prefix.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self._files: dict[str, BinaryIO] = {}
            for ending in (_SEEN, *self.languages):  # the one with the lock first
                path = self._part(ending)
                path.touch()
                self._files[ending] = stack.enter_context(open(path, "r+b"))
                if ending == _SEEN:
                    self._lock(self._files[ending])
                    self._clear()
                self._cut_back(ending)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        with suppress(OSError):  # of a full disk, which has been told
            self._stack.close()

    def _part(self, ending: str) -> Path:
        return Path(f"{self.prefix}.{ending}.part")

    def _lock(self, file: BinaryIO) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process is writing {self.prefix}.*; wait for it, or give another --shard or --destdir"
            ) from None

    def _clear(self) -> None:
        """Before a run that starts anew: what --overwrite gives up."""
        if not self.record.sizes:
            for path in (_json(self.prefix), *_whole(self.prefix, self.languages)):
                path.unlink(missing_ok=True)

    def _cut_back(self, ending: str) -> None:
        """To what was committed: what a cut-off run wrote after that is done again."""
        file, good = self._files[ending], self.record.sizes.get(ending, 0)
        if os.fstat(file.fileno()).st_size < good:
            raise InputError(
                f"{self._part(ending)} is shorter than {self.prefix}.json says; give --overwrite to start over"
            )
        file.truncate(good)
        file.seek(good)

    def seen_hashes(self) -> Iterator[np.ndarray]:
        """All hashes that were committed, (N,) uint64 at a time."""
        file = self._files[_SEEN]
        file.seek(0)
        while data := file.read(8 * _HASHES_AT_A_TIME):
            yield np.frombuffer(data, dtype="<u8")

    def commit(self, sides: Sequence[Sequence[str]], hashes: np.ndarray) -> None:
        """Add lines to both files, and the hashes of lines that were looked at; with the record, they stay.

        Raises:
            InputError: the disk is full, for instance.
        """
        try:
            self._files[_SEEN].write(hashes.astype("<u8").tobytes())
            for language, lines in zip(self.languages, sides):
                self._files[language].write("".join(line + "\n" for line in lines).encode("utf-8"))
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
            self.record.sizes = {ending: file.tell() for ending, file in self._files.items()}
            self.record.write(_json(self.prefix))
        except OSError as error:
            raise InputError(
                f"{self.prefix}.* can't be written ({error.strerror}); fix this and re-run the command, which "
                "resumes from there"
            ) from None

    def finish(self) -> None:
        """Give the files their names."""
        self.record.finished = True
        self.record.write(_json(self.prefix))
        complete(self.prefix, self.languages)

    def discard(self) -> None:
        """Leave nothing behind."""
        for path in (_json(self.prefix), *map(self._part, self._files)):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # there are other files in it
            self.prefix.parent.rmdir()


def _json(prefix: Path) -> Path:
    return Path(f"{prefix}.json")


def _whole(prefix: Path, languages: Sequence[str]) -> list[Path]:
    return [Path(f"{prefix}.{language}") for language in languages]


def complete(prefix: Path, languages: Sequence[str]) -> None:
    """The last steps of a finished run, as far as they haven't been done.

    Raises:
        InputError: a file is gone.
    """
    for path in _whole(prefix, languages):
        part = Path(f"{path}.part")
        if part.exists():
            part.replace(path)
        if not path.exists():
            raise InputError(
                f"{path} is missing, though {_json(prefix)} calls it finished; give --overwrite to make it again"
            )
    Path(f"{prefix}.{_SEEN}.part").unlink(missing_ok=True)


def find_record(prefix: Path, languages: Sequence[str], settings: dict[str, Any], overwrite: bool) -> Optional[Record]:
    """The record of an earlier run with the same settings; None: start anew.

    Raises:
        InputError: there are pairs that were made otherwise, and ``overwrite`` is not given.
    """
    path, whole = _json(prefix), _whole(prefix, languages)
    try:
        record = read_dataclass(path, VERSION, Record, "give --overwrite to start over")
    except InputError:
        if not overwrite:
            raise
        return None
    if record is not None and record.settings == settings:
        gone = record.finished and not all(p.exists() or Path(f"{p}.part").exists() for p in whole)
        return None if gone and overwrite else record
    if overwrite:
        return None
    if record is not None:
        raise InputError(
            f"{path} is from another back-translation ({changed(record.settings, settings)}); give another --destdir, "
            "or --overwrite to lose it"
        )
    found = [p for p in whole if p.exists()]
    if found:
        raise InputError(f"{found[0]} exists without {path.name}; give another --destdir, or --overwrite to lose it")
    return None
