"""The passages of a collection by their id, read as they are asked for."""

from pathlib import Path
from typing import Iterator, Optional

import numpy as np

from mass_plugins.data.lines_by_place import LinesByPlace
from mass_plugins.data.retrieval_files import Passage, parse_passage, passage_header
from mass_plugins.data.seen_hashes import hash_lines
from mass_plugins.data.tsv_header import Header
from mass_plugins.errors import InputError


class PassageStore:
    """Passages by their id: 24 bytes a passage in memory, the text stays in the file.

    Raises:
        InputError: a file that can't be read, an id that comes twice.
    """

    def __init__(self, path: Path, flag: str = "--corpus"):
        self._lines = LinesByPlace(Path(path), flag)
        self._header: Optional[Header] = None
        offsets, ids, hashes = [], [], []
        for offset, place, line in self._passages():
            offsets.append(offset)
            ids.append(parse_passage(line, place, self._header).id)
            if len(ids) == 1 << 16:
                hashes.append(hash_lines(ids))
                ids = []
        hashes.append(hash_lines(ids))
        found = np.concatenate(hashes)
        order = np.argsort(found, kind="stable")
        self._hashes, self._offsets = found[order], np.array(offsets, dtype=np.int64)[order]
        same = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        if len(same):
            second = int(self._offsets[same[0] + 1])
            place, line = next((place, line) for offset, place, line in self._passages() if offset == second)
            twice = parse_passage(line, place, self._header).id
            raise InputError(f"{place}: the id {twice} came before; ids must be unique")

    def _passages(self) -> Iterator[tuple[int, str, str]]:
        """The lines that are passages, as :meth:`LinesByPlace.scan` has them; finds the header."""
        for number, (offset, place, line) in enumerate(self._lines.scan()):
            if number == 0:
                self._header = passage_header(line, place)
            if number or not self._header:
                yield offset, place, line

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def __getitem__(self, name: str) -> Passage:
        """Raises KeyError: no passage has this id."""
        found = self._find(name)
        if found is None:
            raise KeyError(name)
        place, line = self._lines.at(int(self._offsets[found]))
        return parse_passage(line, place, self._header)

    def _find(self, name: str) -> Optional[int]:
        value = hash_lines([name])[0]
        place = int(np.searchsorted(self._hashes, value))
        return place if place < len(self._hashes) and self._hashes[place] == value else None
