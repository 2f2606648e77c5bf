"""A ``.npy`` file that grows by whole chunks; a run that was cut off at any moment goes on.

OUT.json   what was asked for, and how far it has come; replaced at each commit
OUT.part   the file so far; cut back to what OUT.json tells when a run goes on
OUT        in the end, in the place of the part
"""

import fcntl
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from mass_plugins.data.growing import GrowingArray, open_array
from mass_plugins.data.json_file import read_dataclass, write_json
from mass_plugins.errors import InputError

VERSION = 1


@dataclass
class Record:
    """What ``OUT.json`` holds.

    Attributes:
        settings: flag -> value, of all that decides the vectors.
        position: lines of this part of the input that are done with.
        checksum: of these lines, so that a run goes on with the same text only.
        rows: vectors written.
        cut: texts that were longer than the most tokens.
        tokens, unknown: of all texts, and those of them that the tokenizer doesn't know.
    """

    settings: dict[str, Any]
    position: int = 0
    checksum: int = 0
    rows: int = 0
    cut: int = 0
    tokens: int = 0
    unknown: int = 0
    finished: bool = False


class VectorFile:
    """Writes rows; a context that holds the part open and locked.

    Args:
        path: of the file, ``.npy``.
        dim, dtype: of its rows.
        settings: see :class:`Record`; a run goes on with the same only.
        overwrite: give up a file that was made otherwise, when the first rows are there to take its place.

    Raises:
        InputError: there is a file that was made otherwise, or another process writes it; a folder of that name.
    """

    def __init__(self, path: Path, dim: int, dtype: np.dtype, settings: dict[str, Any], overwrite: bool = False):
        self.path, self.dim, self.dtype = path, dim, np.dtype(dtype)
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file")
        self.part, self.json = (path.with_name(path.name + end) for end in (".part", ".json"))
        found = self._found(settings, overwrite)
        self.resumed = found is not None
        self.record = found or Record(settings)

    def _found(self, settings: dict[str, Any], overwrite: bool) -> Optional[Record]:
        """The record of an earlier run with the same settings; None: start anew."""
        try:
            record = read_dataclass(self.json, VERSION, Record, "give --overwrite to start over")
        except InputError:
            if overwrite:
                return None
            raise
        if record is None:
            if self.path.exists() and not overwrite:
                raise InputError(f"{self.path} exists without {self.json.name}; give another name, or --overwrite")
            return None
        if record.settings == settings and not record.finished and self._has_its_name(record):
            self.record = record
            self._finish_record()
        if record.settings == settings and (self.path if record.finished else self.part).exists():
            return record
        if not overwrite:
            names = [n for n in {**record.settings, **settings} if record.settings.get(n) != settings.get(n)]
            differ = ", ".join(f"{n} was {record.settings.get(n)} and is {settings.get(n)}" for n in names)
            raise InputError(
                f"{self.json} is from another run ({differ or 'its vectors are gone'}); give another name, or "
                "--overwrite"
            )
        return None

    @property
    def finished(self) -> bool:
        return self.record.finished

    def start_anew(self) -> None:
        """Give up what an earlier run made."""
        self.resumed, self.record = False, Record(self.record.settings)

    def _has_its_name(self, record: Record) -> bool:
        """Whether a run was cut off between the last two steps: the file is whole, and not yet called so."""
        if self.part.exists() or not self.path.exists():
            return False
        try:
            found = open_array(self.path)
        except InputError:
            return False
        return found.shape == (record.rows, self.dim) and found.dtype == self.dtype

    def __enter__(self) -> "VectorFile":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            lock = stack.enter_context(open(self.part, "ab"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"another process is writing {self.path}; wait for it, or give another name") from None
            try:
                self._array = GrowingArray(self.part, self.record.rows, (self.dim,), self.dtype)
            except OSError as error:
                raise self._unwritable(error) from None
            stack.callback(self._array.close)
            if not self.resumed and not self.path.exists():  # the record is of a part, which is given up here
                self.json.unlink(missing_ok=True)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        if not self.record.rows:  # none was committed, nor by an earlier run
            self.part.unlink(missing_ok=True)
        with suppress(OSError):  # of a full disk, which has been told
            self._open.close()

    def commit(self, vectors: np.ndarray) -> None:
        """Add (N, D) vectors; with the record as it is now, they stay.

        Raises:
            InputError: the disk is full, for instance.
        """
        try:
            self._array.append(vectors)
            self._array.commit()
            if not self.record.rows:
                self.path.unlink(missing_ok=True)  # what --overwrite gives up
            self.record.rows = self._array.rows
            self._write_record()
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> InputError:
        how = "fix this and re-run the command, which resumes from there"
        return InputError(f"{self.path} can't be written ({error.strerror}); {how}")

    def finish(self) -> None:
        """Give the file its name."""
        self.part.replace(self.path)
        self._finish_record()

    def _finish_record(self) -> None:
        self.record.finished = True
        self._write_record()

    def _write_record(self) -> None:
        write_json(self.json, {"version": VERSION, **asdict(self.record)})
