"""Contexts and answers: the order of turns, what is kept of long contexts, and what is written beside the data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mass_plugins.data.dialogue import SETTINGS_FILE, DialogueSettings
from mass_plugins.errors import InputError

TURNS = ["How are you?", "Fine | and you?", "Well.", "Good to hear."]
WORDS = st.lists(st.lists(st.sampled_from(["a", "b", "|", ""]), max_size=4).map(" ".join), max_size=6)


def test_turns_are_answered_in_their_order():
    assert list(DialogueSettings().pairs(TURNS)) == [
        ("How are you?", "Fine and you?"), ("Fine and you?", "Well."), ("Well.", "Good to hear."),
    ]  # fmt: skip
    assert list(DialogueSettings(turns=2).pairs(TURNS))[2] == ("Fine and you? | Well.", "Good to hear.")
    assert DialogueSettings(turns=3, separator="<t>").context(TURNS[:3]) == "How are you? <t> Fine | and you? <t> Well."


def test_of_a_long_context_the_end_stays():
    settings = DialogueSettings(turns=4, max_words=3)
    assert settings.context(["a b c", "d e"]) == "| d e".removeprefix("| ")
    assert settings.context(["a b c", "d"]) == "c | d"


def test_without_spaces_two_characters_are_a_word():
    settings = DialogueSettings(turns=3, max_words=4, spaces=False)
    assert settings.context(["\u4f60\u597d" * 700]) == "\u4f60\u597d" * 4
    assert settings.context(["abcdef", "gh", "ijkl"]) == "gh | ijkl"
    assert settings.context(["abcdef", "ghij"]) == "def | ghij"


@given(WORDS, st.integers(1, 4), st.integers(1, 6))
def test_a_context_never_begins_with_a_separator_and_no_side_is_empty(turns, number, words):
    settings = DialogueSettings(turns=number, max_words=words)
    for source, target in settings.pairs(turns):
        assert source and target and "|" not in target.split()
        assert len(source.split()) <= words and source.split().count("|") < number
        assert source.split()[0] != "|" and source.split()[-1] != "|"


def test_a_turn_without_a_word_is_neither_answered_nor_an_answer():
    assert list(DialogueSettings(turns=2).pairs(["a", " | ", "b", "c"])) == [("a | b", "c")]


def test_settings_are_kept_beside_the_data(tmp_path):
    settings = DialogueSettings(3, "<t>", 40)
    settings.save(tmp_path)
    assert DialogueSettings.load(tmp_path) == settings
    assert DialogueSettings.load(tmp_path / "none") == DialogueSettings()
    (tmp_path / SETTINGS_FILE).write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        DialogueSettings.load(tmp_path)


@pytest.mark.parametrize("wrong", [{"turns": 0}, {"separator": "a b"}, {"separator": ""}, {"max_words": 0}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(InputError):
        DialogueSettings(**wrong)
