"""--no-repeat-ngram-size, which fairseq's own code leaves without effect on a CPU."""

import random

import pytest
import torch
from fairseq.ngram_repeat_block import NGramRepeatBlock

import mass_plugins  # noqa: F401  applies the workaround


def forbidden(written, size):
    """By hand: the tokens after which an n-gram of ``written`` would be there twice."""
    grams = {tuple(written[i : i + size]) for i in range(len(written) - size + 1)}
    return {token for token in range(6) if tuple([*written, token][-size:]) in grams and len(written) + 1 >= size}


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_what_would_come_twice_is_forbidden_and_nothing_else(size):
    draw = random.Random(size)
    block = NGramRepeatBlock(size)
    for step in range(12):
        rows = [[draw.randrange(6) for _ in range(step)] for _ in range(8)]
        tokens = torch.full((8, 20), 1)  # a buffer, padded as the search has it
        tokens[:, 0] = 2
        tokens[:, 1 : step + 1] = torch.tensor(rows).reshape(8, step)
        scores = block(tokens, torch.zeros(8, 6), 4, 2, step)
        for row, score in zip(rows, scores):
            assert set((score == -torch.inf).nonzero().flatten().tolist()) == forbidden(row, size)
