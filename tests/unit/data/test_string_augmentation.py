"""Spans of characters cut out of strings, for hundreds of random strings."""

import string

import numpy as np
import pytest

from mass_plugins.data.random_state import derive_keys, sentence_keys, uniform
from mass_plugins.data.string_augmentation import SHORTEST, cut_spans

ALPHABET = list(string.ascii_letters + " äßжы語にほ😀\u0301")


def drawn(count, shortest=0, longest=90, seed=0):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(ALPHABET, rng.integers(shortest, longest + 1))) for _ in range(count)]


def keys(count, epoch=1, seed=7):
    return sentence_keys(seed, epoch, np.arange(count))


@pytest.mark.parametrize("span", [1, 2, 5, 29])
def test_what_is_cut_is_one_span_of_that_length(span):
    strings = drawn(400)
    for text, cut in zip(strings, cut_spans(strings, span, keys(400)), strict=True):
        if len(text) < SHORTEST:
            assert cut is None
        else:
            assert len(cut.left) + span + len(cut.right) == len(text)
            assert text.startswith(cut.left) and text.endswith(cut.right)


def test_strings_of_29_characters_are_left_alone_and_of_30_are_not():
    assert cut_spans(["a" * 29, "a" * 30], 5, keys(2))[0] is None
    assert cut_spans(["a" * 29, "a" * 30], 5, keys(2))[1] is not None


def test_nothing_is_cut_with_span_0_or_where_all_would_go():
    strings = ["a" * 40, "b" * 35]
    assert cut_spans(strings, 0, keys(2)) == [None, None]
    assert cut_spans(strings, 35, keys(2))[1] is None and cut_spans(strings, 35, keys(2))[0] is not None
    assert cut_spans([], 5, keys(0)) == []


def test_every_place_is_as_likely():
    strings = ["x" * 32] * 28_000
    starts = [len(cut.left) for cut in cut_spans(strings, 5, keys(28_000))]
    counts = np.bincount(starts)
    assert len(counts) == 28  # 0 .. 27, both ends
    assert abs(counts - 1000).max() < 5 * 1000**0.5


def test_a_draw_depends_on_seed_epoch_and_index_alone():
    strings = drawn(50, shortest=SHORTEST)
    whole = cut_spans(strings, 5, keys(50))
    assert cut_spans(strings[10:20], 5, keys(50)[10:20]) == whole[10:20]
    assert cut_spans(strings, 5, keys(50)) == whole
    for other in (keys(50, epoch=2), keys(50, seed=8)):
        assert sum(a != b for a, b in zip(cut_spans(strings, 5, other), whole)) > 40


def test_a_value_by_hand():
    """The place is the key's first number times the number of places."""
    text, key = "abcdefghijklmnopqrstuvwxyz0123456789", keys(1)
    number = uniform(derive_keys(key, 51), 1)[0, 0]
    start = int(number * 32)
    assert cut_spans([text], 5, key) == [(text[:start], text[start + 5 :])]
