"""The set of hashes is like Python's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mass_plugins.data.seen_hashes import SeenHashes, hash_lines


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 60), max_size=40), max_size=12),
    st.sampled_from([1, 2, 1 << 61, (1 << 64) // 61]),  # few slots for all, or spread
)
def test_like_a_set(batches, spread):
    """Against Python's set, from a table of two slots on; 0, which means a free slot, is a hash as well."""
    seen, table = set(), SeenHashes(slots=2)
    for batch in batches:
        hashes = np.array([number * spread % (1 << 64) for number in batch], dtype=np.uint64)
        expected = []
        for value in hashes.tolist():
            value = value or 1  # 0 and 1 are one
            expected.append(value not in seen)
            seen.add(value)
        assert table.add(hashes).tolist() == expected
        assert len(table) == len(seen)


def test_many_lines():
    """Several times through every growth of the table."""
    table, hashes = SeenHashes(), hash_lines([f"line {i}" for i in range(200_000)])
    for part in np.array_split(hashes, 7):
        assert table.add(part).all()
    assert len(table) == 200_000
    for part in np.array_split(hashes[::-1], 5):
        assert not table.add(part).any()


def test_hashes_are_the_same_everywhere():
    assert [hex(value) for value in hash_lines(["", "schön"]).tolist()] == ["0xb4b2797457a0a6e4", "0xde6bb6a246fc9744"]
