"""Batches of rows of like length."""

import numpy as np
import pytest

from mass_plugins.data.collate import batches_by_length


@pytest.mark.parametrize("longest_first", [True, False])
def test_every_row_is_in_one_batch_that_is_as_large_as_it_may_be(longest_first):
    lengths = np.random.default_rng(1).integers(1, 60, size=200).tolist()
    batches = batches_by_length(lengths, 100, longest_first)
    assert sorted(sum(batches, [])) == list(range(200))
    widths = [max(lengths[number] for number in batch) for batch in batches]
    assert all(len(batch) == 1 or len(batch) * width <= 100 for batch, width in zip(batches, widths))
    for batch, width, following in zip(batches, widths, batches[1:]):
        assert (len(batch) + 1) * max(width, lengths[following[0]]) > 100


def test_order_by_hand():
    lengths = [2, 3, 2, 7, 1]  # equal ones as they came, a row that is too long alone
    assert batches_by_length(lengths, 6) == [[3], [1, 0], [2, 4]]
    assert batches_by_length(lengths, 6, longest_first=False) == [[4, 0, 2], [1], [3]]
    assert batches_by_length([], 6) == []
