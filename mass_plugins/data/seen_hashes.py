"""Which lines came before, in a few bytes a line: how text is deduplicated in constant memory a line."""

from hashlib import blake2b

import numpy as np


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
