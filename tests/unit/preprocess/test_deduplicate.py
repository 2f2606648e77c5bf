"""The first of equal lines stays, wherever the others come."""

import pytest

from mass_plugins.data.seen_hashes import SeenHashes
from preprocess.deduplicate import keep_new, make_hasher
from preprocess.streaming import Chunk


@pytest.mark.parametrize("lines", [["a", "b", "a", "A", "a ", "b"], ["a"] * 3, [""]])
def test_the_first_one_stays(lines):
    seen, hash_chunk, kept, dropped = SeenHashes(), make_hasher(), [], 0
    for start in range(0, len(lines), 2):
        data = "\n".join(lines[start : start + 2]).encode() + b"\n"
        result = keep_new(*hash_chunk(Chunk("a", start, data)), seen)
        kept += result.lines
        dropped += result.dropped["duplicates"]
    assert kept == list(dict.fromkeys(lines))
    assert dropped == len(lines) - len(kept)
