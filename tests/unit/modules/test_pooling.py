"""Pooling: padding says nothing, and one value by hand."""

import pytest
import torch

from mass_plugins.modules.pooling import POOLINGS, pool, real_slots

HIDDEN = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [8.0, 1.0]], [[4.0, 4.0], [0.0, 2.0], [5.0, 5.0]]])
REAL = torch.tensor([[True, True, False], [True, True, True]])


@pytest.mark.parametrize(
    "how, expected",
    [
        ("cls", [[1.0, 2.0], [4.0, 4.0]]),
        ("mean", [[2.0, 4.0], [3.0, 11 / 3]]),
        ("mean_with_padding", [[4.0, 3.0], [3.0, 11 / 3]]),
    ],
)
def test_by_hand(how, expected):
    assert torch.allclose(pool(HIDDEN, REAL, how), torch.tensor(expected))


@pytest.mark.parametrize("how", ["cls", "mean"])
def test_what_stands_at_padding_says_nothing(how):
    other = HIDDEN.clone()
    other[0, 2] = float("nan")
    assert torch.equal(pool(other, REAL, how), pool(HIDDEN, REAL, how))


def test_means_are_summed_in_float32():
    """A sum of 4000 ones is none that bfloat16 knows."""
    hidden = torch.ones(1, 4001, 1, dtype=torch.bfloat16)
    found = pool(hidden, torch.ones(1, 4001, dtype=torch.bool), "mean")
    assert found.dtype == torch.bfloat16 and found.item() == 1


def test_padding_is_what_stands_behind_the_last_token():
    tokens = torch.tensor([[2, 0, 7, 3, 0, 0], [0, 0, 3, 0, 0, 0], [2, 5, 6, 7, 0, 3], [0, 0, 0, 0, 0, 0]])
    assert real_slots(tokens, 0).sum(dim=1).tolist() == [4, 3, 6, 0]
    assert real_slots(tokens, 0)[:2].tolist() == [[True] * 4 + [False] * 2, [True] * 3 + [False] * 3]
    assert real_slots(tokens + 1, 1).equal(real_slots(tokens, 0)) and real_slots(tokens[:0], 0).shape == (0, 6)


def test_an_unknown_pooling():
    with pytest.raises(ValueError, match=", ".join(POOLINGS)):
        pool(HIDDEN, REAL, "max")
