"""Defaults by what the strings are, what is given wins, and what is out of range."""

import pytest

from mass_plugins.errors import InputError
from mass_plugins.objectives.mirror_bert.settings import MODES, MirrorSettings, resolve


def test_the_paper_s_settings():
    assert resolve("sentence", None, None, None, None) == (5, 0.04, 50, "mean")
    assert resolve("phrase", None, None, None, None) == (2, 0.04, 25, "cls")
    assert resolve("word", None, None, None, None) == (0, 0.2, 25, "cls")


@pytest.mark.parametrize("mode", MODES)
def test_what_is_given_wins(mode):
    assert resolve(mode, 0, 0.5, 9, "mean_with_padding") == MirrorSettings(0, 0.5, 9, "mean_with_padding")


@pytest.mark.parametrize(
    ("given", "flag"),
    [((-1, None, None), "--span-characters"), ((None, 0.0, None), "--contrast-temperature"),
     ((None, float("nan"), None), "--contrast-temperature"), ((None, float("inf"), None), "--contrast-temperature"),
     ((None, 1e-30, None), "--contrast-temperature"), ((None, None, 2), "--max-string-tokens")],
)  # fmt: skip
def test_out_of_range(given, flag):
    with pytest.raises(InputError, match=flag):
        resolve("sentence", *given, None)
