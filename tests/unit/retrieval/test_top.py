"""The best K of blocks of scores are those of a stable sort of all of them, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mass_plugins.retrieval.top import RunningTop
from tests.unit.retrieval.synthetic import ranked


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 60), st.integers(1, 9), st.integers(1, 30), st.integers(1, 6), st.integers(0, 9)
)
def test_any_blocks_give_the_stable_sort(queries, documents, size, block, levels, seed):
    scores = np.random.default_rng(seed).integers(0, levels, (queries, documents)).astype(np.float32)
    top = RunningTop(queries, size)
    for begin in range(0, documents, block):
        top.add(scores[:, begin : begin + block], begin)
    kept = min(size, documents)
    assert (top.result().rows[:, :kept] == ranked(scores, kept)).all()
    assert (top.result().scores[:, :kept] == -np.sort(-scores, axis=1)[:, :kept]).all()
    assert (top.result().rows[:, kept:] == -1).all() and np.isneginf(top.result().scores[:, kept:]).all()


def test_candidates_in_any_order_and_none():
    top = RunningTop(2, 2)
    top.add_candidates(np.array([[9, 4, -1], [-1, -1, -1]]), np.array([[1, 1, 5], [7, 7, 7]], dtype=np.float32))
    top.add_candidates(np.array([[3], [2]]), np.array([[1], [-np.inf]], dtype=np.float32))
    assert top.result().rows.tolist() == [[3, 4], [-1, -1]]


@pytest.mark.parametrize("block", [1, 5, 100])
def test_left_out_documents_are_never_taken(block):
    scores = np.full((1, 100), -np.inf, dtype=np.float32)
    scores[0, 37] = -5
    top = RunningTop(1, 3)
    for begin in range(0, 100, block):
        top.add(scores[:, begin : begin + block], begin)
    assert top.result().rows.tolist() == [[37, -1, -1]]
