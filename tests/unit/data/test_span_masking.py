"""Properties of slots over hundreds of random lengths, 1 and 2 included."""

import numpy as np
import pytest

from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.span_masking import (
    sample_scattered,
    sample_spans,
    sample_windows,
    span_lengths,
)

LENGTHS = np.concatenate([[1, 2, 1, 2, 3], np.random.default_rng(0).integers(1, 120, 400)])
KEYS = sentence_keys(1, 1, np.arange(len(LENGTHS)))
RATIOS = [0.1, 0.25, 0.5, 0.9, 1.0]


def rows(slots):
    return [row[:count].tolist() for row, count in zip(slots.slots, slots.counts)]


@pytest.mark.parametrize("ratio", RATIOS)
def test_spans_are_contiguous_and_inside_their_own_sentence(ratio):
    for row, length in zip(rows(sample_spans(LENGTHS, ratio, KEYS)), LENGTHS):
        assert len(row) == min(max(int(ratio * length + 0.5), 1), length)
        assert row == list(range(row[0], row[0] + len(row)))
        assert 0 <= row[0] and row[-1] < length


@pytest.mark.parametrize("ratio", RATIOS)
def test_scattered_slots_are_as_many_distinct_and_ascending(ratio):
    scattered = rows(sample_scattered(LENGTHS, ratio, KEYS))
    assert [len(row) for row in scattered] == span_lengths(LENGTHS, ratio).tolist()
    for row, length in zip(scattered, LENGTHS):
        assert row == sorted(set(row)) and 0 <= row[0] and row[-1] < length


@pytest.mark.parametrize("ratio", RATIOS)
def test_each_window_has_one_span_of_its_own(ratio):
    for row, length in zip(rows(sample_windows(LENGTHS, ratio, KEYS, 16)), LENGTHS):
        for start in range(0, length, 16):
            size = min(16, length - start)
            inside = [slot for slot in row if start <= slot < start + size]
            assert len(inside) == span_lengths(np.array([size]), ratio)[0]
            assert inside == list(range(inside[0], inside[0] + len(inside)))
        assert row == sorted(row)


def test_windows_differ_from_each_other():
    starts = [row[::8] for row in rows(sample_windows(np.full(50, 64), 0.5, KEYS[:50], 16))]
    offsets = {tuple(slot % 16 for slot in row) for row in starts}
    assert len(offsets) > 40


def test_placement_is_20_20_60():
    lengths = np.full(20000, 101)
    start = sample_spans(lengths, 0.5, sentence_keys(5, 1, np.arange(20000))).slots[:, 0]
    last = 101 - 51
    # 60 % uniform over 51 starts adds 0.6 / 51 to either end
    for place in (0, last):
        assert abs((start == place).mean() - (0.2 + 0.6 / 51)) < 0.012
    middle = start[(start > 0) & (start < last)]
    counts = np.bincount(middle, minlength=last)[1:]
    assert counts.min() > 0.6 / 51 * 20000 * 0.7 and counts.max() < 0.6 / 51 * 20000 * 1.3


def test_every_slot_can_be_masked_whatever_else_is_in_the_batch():
    """The release lays its span by the batch's shortest sentence and never masks longer ones' tails."""
    lengths = np.tile([3, 40], 2000)
    spans = sample_spans(lengths, 0.5, sentence_keys(2, 1, np.arange(4000)))
    seen = np.zeros(40, dtype=int)
    for row in rows(spans)[1::2]:
        seen[row] += 1
    assert seen.min() > 0


def test_a_sentence_keeps_its_span_in_another_batch():
    alone = sample_spans(LENGTHS[7:8], 0.5, KEYS[7:8])
    together = sample_spans(LENGTHS, 0.5, KEYS)
    assert rows(alone)[0] == rows(together)[7]
    scattered = sample_scattered(LENGTHS[7:8], 0.5, KEYS[7:8])
    assert rows(scattered)[0] == rows(sample_scattered(LENGTHS, 0.5, KEYS))[7]
