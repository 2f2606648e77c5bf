"""A talk: which turns an answer goes by, what is forgotten, and draws that come again."""

import pytest
import torch

from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.errors import InputError
from mass_plugins.generation.chat import Conversation, Generation


class Parrot:
    """Answers with what it was given, the options, and a draw."""

    def __init__(self):
        self.given = []

    def longest_source(self):
        return 50

    def translate(self, lines, source, target, truncate, keep_end, **options):
        assert (source, target, truncate, keep_end) == ("en", "en", 50, True)  # the answered turn stays
        self.given.append((lines[0], options))
        return [f"answer {len(self.given)}"]


class Dice(Parrot):
    def translate(self, lines, *_, **options):
        return [f"{torch.rand(1).item():.9f}"]


def talk(model=None, **options):
    return Conversation(model or Parrot(), "en", DialogueSettings(turns=3), **options)


def test_an_answer_goes_by_the_last_turns_its_own_included():
    conversation = talk()
    for turn in ("one", "two | and", "three"):
        conversation.answer(turn)
    contexts = [context for context, _ in conversation.translator.given]
    assert contexts == ["one", "one | answer 1 | two and", "two and | answer 2 | three"]
    assert conversation.turns == ["one", "answer 1", "two | and", "answer 2", "three", "answer 3"]
    conversation.reset()
    conversation.answer("four")
    assert conversation.translator.given[-1][0] == "four" and len(conversation.turns) == 2


def test_a_turn_without_a_word_changes_nothing():
    conversation = talk()
    conversation.answer("one")
    with pytest.raises(InputError, match="nothing to answer"):
        conversation.answer(" | ")
    assert conversation.turns == ["one", "answer 1"]


def test_equal_seeds_draw_alike_each_turn_anew_and_leave_others_draws_alone():
    torch.manual_seed(1)
    free = torch.rand(1)
    torch.manual_seed(1)
    first, again, other = (talk(Dice(), seed=seed) for seed in (5, 5, 6))
    answers = [[one.answer("a"), one.answer("a")] for one in (first, again, other)]
    assert answers[0] == answers[1] != answers[2] and answers[0][0] != answers[0][1]
    assert torch.rand(1) == free
    assert talk(Dice()).answer("a") != talk(Dice()).answer("a")


def test_how_an_answer_is_found():
    drawn = Generation(temperature=0.5, sampling_topk=7, max_len=9).as_arguments()
    assert drawn["sampling"] and (drawn["temperature"], drawn["sampling_topk"], drawn["max_len_b"]) == (0.5, 7, 9)
    everything = Generation(sampling_topp=0).as_arguments()
    assert everything["sampling_topk"] == everything["sampling_topp"] == -1  # as fairseq has it
    assert "beam" not in drawn and "no_repeat_ngram" not in drawn
    searched = Generation(sampling=False, beam=4).as_arguments()
    assert not searched["sampling"] and (searched["beam"], searched["no_repeat_ngram"]) == (4, 3)
    assert "temperature" not in searched


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0},
        {"temperature": 1e-38},
        {"temperature": float("inf")},
        {"sampling_topp": 1.5},
        {"sampling_topp": -1.0},
        {"sampling_topp": float("nan")},
        {"min_len": 70},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError):
        Generation(**wrong)
