"""``mass-plugins chat``: flags and commands that would change nothing are refused."""

import pytest

from mass_plugins import cli
from mass_plugins.commands.chat import _command
from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.errors import InputError
from mass_plugins.generation.chat import Conversation, Generation


@pytest.mark.parametrize("flags, named", [
    ("--beam 2 --temperature 0.1", "--temperature has no effect with --beam"),
    ("--beam 2 --seed 3", "--seed has no effect with --beam"),
    ("--beam 2 --sampling-topk 4", "--sampling-topk has no effect with --beam"),
    ("--no-repeat-ngram 2", "--no-repeat-ngram has no effect without --beam"),
    ("--sampling-topp nan", "--sampling-topp nan is not a share"),
    ("--min-len 5 --max-len 3", "--min-len 5 exceeds --max-len 3; lower the former or raise the latter"),
    ("--sampling-topp -1", "--sampling-topp -1.0 is not a share"),
])  # fmt: skip
def test_flags_without_effect(flags, named, capsys):
    assert cli.main(["chat", "no-checkpoint-is-read", *flags.split()]) == 1
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("sampling", [True, False])
def test_a_temperature_is_for_draws(sampling):
    conversation = Conversation(None, "en", DialogueSettings(), Generation(sampling=sampling))
    if sampling:
        assert _command(conversation, "/temperature 0.5") == "(temperature 0.5)"
        assert conversation.generation.temperature == 0.5
    else:
        with pytest.raises(InputError, match="has no effect"):
            _command(conversation, "/temperature 0.5")
