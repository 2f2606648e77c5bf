"""distinct-n by hand, and its limits."""

import pytest

from mass_plugins.scoring.distinct import distinct


def test_by_hand():
    responses = ["I do not know.", "I do not care."]  # 13a: the full stops are words
    one, two = distinct(responses, 1), distinct(responses, 2)
    assert (one.different, one.total, one.score) == (6, 10, 60)
    assert (two.different, two.total, two.score) == (6, 8, 75)
    assert one.signature.startswith("n:1|") and two.signature.startswith("n:2|")


def test_limits():
    assert distinct(["a b", "c d"], 1).score == 100
    assert distinct(["same"] * 50, 1).score == 2
    assert distinct(["Case", "case"], 1).score == 50 and distinct(["Case", "case"], 1, lowercase=False).score == 100
    assert distinct(["a", ""], 2).score == 0 and distinct([], 1).score == 0
    with pytest.raises(ValueError, match="order 0"):
        distinct(["a"], 0)
