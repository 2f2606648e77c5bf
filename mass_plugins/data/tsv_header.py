"""Columns of a tab-separated file: by the names in its first line, if that is a header.

A header is a line whose first cell names an id, or in which every column that is needed has its name. What it names
decides, in any order (DPR has ``id <tab> text <tab> title``); one that leaves out what is needed is an error, for its
lines would be read in the wrong columns.
"""

from typing import Mapping, NamedTuple, Optional, Sequence

from mass_plugins.errors import InputError

DOCUMENT_IDS = ("_id", "docid", "doc_id", "id", "pid", "corpus-id", "corpus_id")
QUERY_IDS = ("_id", "query_id", "qid", "id", "query-id")
_IDS = {*DOCUMENT_IDS, *QUERY_IDS}


class Header(NamedTuple):
    """The columns that were asked for.

    Attributes:
        columns: what it is -> its place from 0 on.
        width: of all columns.
    """

    columns: dict[str, int]
    width: int

    def named(self, cells: Sequence[str], place: str) -> dict[str, str]:
        """What it is -> its cell in a later line, in the order in which it was asked for.

        Raises:
            InputError: the line has more or fewer columns.
        """
        if len(cells) != self.width:
            raise InputError(f"{place} has {len(cells)} columns and the header {self.width}; mend that line")
        return {name: cells[column].strip() for name, column in self.columns.items()}


def find_header(
    cells: Sequence[str], place: str, needed: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]]
) -> Optional[Header]:
    """The header that the first line of a file is; None: it is none.

    Args:
        needed, optional: what a column is -> the names that it may have, in small letters; the first one that is there
            counts.

    Raises:
        InputError: a header that lacks what is needed.
    """
    names = [cell.strip().lower() for cell in cells]
    columns: dict[str, int] = {}
    for what, possible in {**needed, **optional}.items():
        if found := [name for name in possible if name in names]:
            columns[what] = names.index(found[0])
    missing = [what for what in needed if what not in columns]
    if not missing:
        return Header(columns, len(names))
    if names[0] not in _IDS:
        return None
    what, known = missing[0], " or ".join(needed[missing[0]][:2])
    raise InputError(f"{place} is a header without a column for the {what}; name it {known}, or take the line out")
