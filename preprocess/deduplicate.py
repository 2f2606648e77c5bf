"""Drop lines (or tab-separated pairs) that came before, stdin to stdout; the first one stays.

    python preprocess/deduplicate.py < good.de > unique.de

A line is remembered as 8 bytes, its hash, in a table of 12 to 24 bytes a line (36 for a moment
when it grows): 100 million lines need about 2 GB. Of 100 million different lines, the chance that
even one is dropped by mistake is 3 in 10 000.
"""

import sys
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Callable

import numpy as np

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401

from preprocess.streaming import Chunk, Parser, Result, add_run_flags, exit_status, run_tool


def hash_lines(lines: list[str]) -> np.ndarray:
    """(N,) uint64, the same in every process and on every machine."""
    digests = b"".join(blake2b(line.encode("utf-8"), digest_size=8).digest() for line in lines)
    return np.frombuffer(digests, dtype="<u8")


class SeenHashes:
    """A set of 64-bit hashes in one flat table (a Python set takes 70 bytes an entry).

    Open addressing: an entry lies in the slot of its lowest bits, or in the next free one.
    """

    def __init__(self, slots: int = 1 << 16):
        self._table = np.zeros(slots, dtype=np.uint64)  # 0 means free
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, hashes: np.ndarray) -> np.ndarray:
        """Add (N,) hashes; returns (N,) bool, True where a hash wasn't there before."""
        values = np.where(hashes == 0, np.uint64(1), hashes.astype(np.uint64))
        values, first = np.unique(values, return_index=True)
        while 3 * (self._count + len(values)) > 2 * len(self._table):
            self._grow()
        new = np.zeros(len(hashes), dtype=bool)
        new[first[self._insert(values)]] = True
        return new

    def _insert(self, values: np.ndarray) -> np.ndarray:
        """Insert distinct values; (N,) bool, True for the new ones."""
        new = np.zeros(len(values), dtype=bool)
        last = np.uint64(len(self._table) - 1)
        waiting, slots = np.arange(len(values)), values & last
        while len(waiting):
            free = self._table[slots] == 0
            # Of several values that reach for one free slot the last one written gets it.
            self._table[slots[free]] = values[waiting[free]]
            settled = self._table[slots] == values[waiting]
            new[waiting[settled & free]] = True
            waiting, slots = waiting[~settled], (slots[~settled] + np.uint64(1)) & last
        self._count += int(new.sum())
        return new

    def _grow(self) -> None:
        old = self._table
        self._table = np.zeros(2 * len(old), dtype=np.uint64)
        self._count = 0
        for part in np.array_split(old, max(1, len(old) >> 18)):  # the work arrays stay small
            self._insert(part[part != 0])


def make_hasher() -> Callable[[Chunk], tuple[Result, np.ndarray]]:
    """Chunk -> its lines and their hashes: the part of the work that several processes can share."""

    def hash_chunk(chunk: Chunk) -> tuple[Result, np.ndarray]:
        lines = chunk.lines()
        return Result(lines, len(lines)), hash_lines(lines)

    return hash_chunk


def keep_new(result: Result, hashes: np.ndarray, seen: SeenHashes) -> Result:
    """The lines of a result whose hashes are new, in order."""
    new = seen.add(hashes)
    lines = [line for line, fresh in zip(result.lines, new) if fresh]
    dropped = result.dropped + Counter(duplicates=len(result.lines) - len(lines))
    return Result(lines, result.read, dropped)


def main() -> int:
    parser = Parser(prog="deduplicate.py", description=__doc__.split("\n")[0])
    add_run_flags(parser)
    args = parser.parse_args()
    seen = SeenHashes()
    return run_tool("deduplicate.py", make_hasher, (), args, after=lambda both: keep_new(*both, seen))


if __name__ == "__main__":
    sys.exit(exit_status("deduplicate.py", main))
