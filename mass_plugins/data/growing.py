""".npy files that grow by rows and survive a kill: a header says how many rows are good, the rest is cut off."""

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from mass_plugins.errors import InputError


class GrowingArray:
    """A .npy file of rows; NumPy keeps room in its header for the number of rows to grow.

    Args:
        path: the file; made where there is none, cut off after ``rows``.
        rows: good rows that an earlier run has left.
        shape: of a row.
        dtype: little-endian in the file.

    Raises:
        InputError: the file is shorter than that.
    """

    def __init__(self, path: Path, rows: int, shape: tuple[int, ...], dtype):
        self.path, self.rows, self._shape = path, rows, shape
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._file: BinaryIO = _open(path)
        self._write_header()
        size = self._file.tell() + rows * self._dtype.itemsize * int(np.prod(shape))
        if os.fstat(self._file.fileno()).st_size < size:
            self._file.close()
            raise InputError(f"{path} is shorter than its record says; give --overwrite to start anew")
        self._file.truncate(size)
        self._file.seek(size)

    def _write_header(self) -> None:
        self._file.seek(0)
        header = {
            "descr": npy.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self.rows, *self._shape),
        }  # fmt: skip
        npy.write_array_header_1_0(self._file, header)
        self._file.flush()

    def append(self, rows: np.ndarray) -> None:
        """(n, *shape), converted to the file's type."""
        if rows.shape[1:] != self._shape:
            raise ValueError(f"rows of shape {rows.shape[1:]}, the file's are {self._shape}")
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).tobytes())
        self.rows += len(rows)

    def commit(self) -> int:
        """Rows so far are on the disk afterwards; returns the file's size."""
        end = self._file.tell()
        self._write_header()
        self._file.seek(end)
        self._file.flush()
        os.fsync(self._file.fileno())
        return end

    def close(self) -> None:
        self._file.close()


class GrowingLines:
    """A text file of a line a row, as :class:`GrowingArray`; ``size`` are the bytes that are good."""

    def __init__(self, path: Path, size: int):
        self.path = path
        self._file: BinaryIO = _open(path)
        if os.fstat(self._file.fileno()).st_size < size:
            self._file.close()
            raise InputError(f"{path} is shorter than its record says; give --overwrite to start anew")
        self._file.truncate(size)
        self._file.seek(size)

    def append(self, lines: list[str]) -> None:
        self._file.write("".join(line + "\n" for line in lines).encode("utf-8"))

    def commit(self) -> int:
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def _open(path: Path) -> BinaryIO:
    path.touch()
    return open(path, "r+b")


def open_array(path: Path, mend: str = "make it anew") -> np.ndarray:
    """A .npy file of numbers, its rows read as they are used; errors end in ``mend``.

    Raises:
        InputError: missing, truncated, or no such file.
    """
    try:
        return npy.open_memmap(path, mode="r")  # np.load would take an .npz, too
    except FileNotFoundError:
        raise InputError(f"{path} doesn't exist; {mend}") from None
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path} is damaged or cut off ({error}); {mend}") from None
