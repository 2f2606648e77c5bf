"""What a finished data-bin remembers of its flags."""

import dataclasses

import pytest

from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.data.text import TextSettings
from preprocess.filter import Limits
from preprocess.pipeline import Flags
from preprocess.report import differences, fingerprint, flags_as_dict
from preprocess.stages import Cleaning


def make_flags(**settings) -> Flags:
    cleaning = Cleaning(TextSettings(**settings), Limits(), keep_duplicates=False)
    return Flags(cleaning, sample=None, vocab_size=None, max_pieces=511, valid_lines=1000, shards=1)


def test_every_flag_is_remembered():
    flags = dataclasses.replace(make_flags(reserve=("<BT>",)), running_text=True, dialogue=DialogueSettings())
    found = {}
    stack = [flags_as_dict(flags)]
    while stack:
        for name, value in stack.pop().items():
            stack.append(value) if isinstance(value, dict) else found.update({name: value})
    assert found["reserve"] == ["<BT>"]
    for part in (flags, flags.cleaning.limits, flags.cleaning.settings):
        assert {field.name for field in dataclasses.fields(part)} - {"cleaning", "dialogue"} <= set(found)
    assert found["turns"] == 1


def test_without_later_flags_the_record_is_what_it_was_before_there_were_such():
    record = str(flags_as_dict(make_flags()))
    assert "reserve'" not in record and "running_text" not in record and "dialogue" not in record


@pytest.mark.parametrize("change, words", [
    ({"lowercase": True}, "lowercase was False and is True"),
    ({"reserve": ("<BT>",)}, "reserve was None and is ['<BT>']"),
], ids=str)  # fmt: skip
def test_what_changed(change, words):
    before, after = make_flags(), make_flags(**change)
    assert fingerprint(before, {}) != fingerprint(after, {})
    assert differences(flags_as_dict(before), flags_as_dict(after), {}, {}) == [words]
    old, _, new = words.partition(" and is ")
    name, _, value = old.partition(" was ")
    assert differences(flags_as_dict(after), flags_as_dict(before), {}, {}) == [f"{name} was {new} and is {value}"]
