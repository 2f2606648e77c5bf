"""Perplexity: of a model that knows nothing the number of tokens, whatever the batches; by hand of one that knows."""

import contextlib
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mass_plugins.errors import InputError
from mass_plugins.generation.perplexity import perplexity

SIZE, PAD, EOS, UNK = 20, 1, 2, 3


class Fake:
    """Lines are numbers between spaces; ``logits(net_input)`` stands in for a model."""

    device = torch.device("cpu")

    def __init__(self, logits):
        self.task = SimpleNamespace(
            vocabulary=SimpleNamespace(eos=EOS, pad=PAD), language_index=lambda language, flag: 0,
            state_dict=lambda: {"dictionary": "abc"}, dictionary=SimpleNamespace(unk=lambda: UNK),
        )  # fmt: skip
        self.codec = SimpleNamespace(settings=SimpleNamespace(subwords="sentencepiece"))
        self.model = type("Model", (), {
            "max_positions": lambda _: (50, 50), "__call__": lambda _, **net_input: (logits(net_input), None),
        })()  # fmt: skip
        self.precision = contextlib.nullcontext

    def longest_source(self, truncate=None):
        return truncate or 50

    def encode(self, lines, language, truncate=None, limit=None):
        return [np.array([*map(int, line.split()), EOS])[-(truncate or 99) :] for line in lines]


def lines(count, seed):
    draw = np.random.default_rng(seed)
    return [" ".join(map(str, draw.integers(3, SIZE, draw.integers(0, 9)))) for _ in range(count)]


@pytest.mark.parametrize("batch_tokens", [1, 30, 4000])
def test_who_knows_nothing_is_as_perplexed_as_there_are_tokens(batch_tokens):
    fake = Fake(lambda net_input: torch.zeros(*net_input["prev_output_tokens"].shape, SIZE))
    sources, targets = lines(40, 1), lines(40, 2)
    found = perplexity(fake, sources, targets, "en", "en", batch_tokens=batch_tokens)
    assert found.perplexity == pytest.approx(SIZE, rel=1e-6) and found.lines == 40
    assert found.tokens == sum(len(line.split()) + 1 for line in targets)
    assert found.unknown == " ".join(targets).split().count("3") > 0
    counts = f"tokens:{found.tokens}|unk:{found.unknown}"
    assert found.signature == f"ppl:subword|eos:yes|subwords:sentencepiece|dict:abc|{counts}|source:50|dtype:float32"


def test_one_value_by_hand():
    """After </s> the right token has 1/2, after it </s> 1/4: perplexity is sqrt(8)."""

    def logits(net_input):
        assert net_input["prev_output_tokens"].tolist() == [[EOS, 7]]
        shares = torch.full((1, 2, SIZE), 1e-30)
        shares[0, 0, 7], shares[0, 0, 3], shares[0, 1, EOS], shares[0, 1, 9] = 0.5, 0.5, 0.25, 0.75
        return shares.log()

    assert perplexity(Fake(logits), ["5"], ["7"], "en", "en").perplexity == pytest.approx(math.sqrt(8))


def test_nothing_to_score():
    with pytest.raises(InputError, match="no line"):
        perplexity(Fake(None), [], [], "en", "en")
