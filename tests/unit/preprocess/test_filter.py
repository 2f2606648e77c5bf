"""Each reason to drop a line, at its limit and beyond it."""

import pytest

from mass_plugins.errors import InputError
from preprocess.filter import Limits, make_filter, reason_to_drop
from preprocess.streaming import Chunk

LIMITS = Limits(max_words=10, max_characters=40, max_ratio=2)


def words(count):
    return " ".join("w" * count)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["a"], None),
        ([""], "empty"),
        ([" \t"], "empty"),
        (["a", ""], "empty"),
        ([words(10)], None),
        ([words(11)], "over 10 words"),
        (["x" * 40], None),
        (["x" * 41], "over 40 characters"),
        (["a [MASK] b"], "with the reserved symbol [MASK]"),
        (["a", "b[MASK]"], "with the reserved symbol [MASK]"),
        ([words(3), words(6)], None),
        ([words(3), words(7)], "over 2 times as long as the other side"),
        ([words(7), words(3)], "over 2 times as long as the other side"),
        (["Danke.", words(5)], None),  # short lines may differ more
        (["Danke.", words(6)], "over 2 times as long as the other side"),
    ],
)
def test_reasons(cells, reason):
    assert reason_to_drop(cells, ["de", "en"][: len(cells)], LIMITS) == reason


def test_no_limits():
    assert reason_to_drop([words(3000), "a"], ["de", "en"], Limits(0, 0, 0)) is None


def test_without_spaces_two_characters_are_a_word():
    chinese = "男" * 20  # 10 words
    assert reason_to_drop([chinese, words(5)], ["zh_CN", "en"], LIMITS) is None
    assert reason_to_drop([chinese + "男", words(5)], ["zh_CN", "en"], LIMITS) == "over 10 words"
    assert reason_to_drop([chinese, words(4)], ["zh_CN", "en"], LIMITS) is not None


def test_what_is_kept_is_unchanged_and_counts_add_up():
    lines = ["a  b\tc ", "", "a\t", "a [MASK]\tb", "one\ttwo\tthree", "x\ty"]
    result = make_filter(["de", "en"], LIMITS)(Chunk("a", 0, "\n".join(lines).encode()))
    assert result.lines == ["a  b\tc ", "x\ty"]
    assert result.read == len(lines) == len(result.lines) + sum(result.dropped.values())


@pytest.mark.parametrize("limits", [{"max_words": -1}, {"max_characters": -5}, {"max_ratio": float("nan")}])
def test_impossible_limits(limits):
    with pytest.raises(InputError, match=r"^--max-\w+ \S+ is not a limit; give a positive number, or 0 for none$"):
        Limits(**limits)
