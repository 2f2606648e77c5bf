"""The masked language model's loss against NumPy, and half batches against a whole one."""

import numpy as np
import torch

from mass_plugins.losses.masked_lm import masked_lm


def test_against_numpy():
    random = np.random.default_rng(1)
    logits, labels = random.normal(size=(7, 11)), random.integers(0, 11, size=7)
    found = masked_lm(torch.tensor(logits, dtype=torch.float32), torch.tensor(labels))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.isclose(found.loss.item(), -np.log(shares[np.arange(7), labels]).sum(), atol=1e-5)
    assert found.correct.item() == (logits.argmax(1) == labels).sum() and found.tokens == 7


def test_two_half_batches_add_up():
    logits, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    whole, parts = masked_lm(logits, labels), [masked_lm(logits[i::2], labels[i::2]) for i in (0, 1)]
    assert torch.isclose(whole.loss, sum(part.loss for part in parts))
    assert whole.correct == sum(part.correct for part in parts)


def test_nothing_masked_is_a_loss_of_zero_with_a_gradient():
    logits = torch.zeros(0, 5, requires_grad=True)
    found = masked_lm(logits, torch.zeros(0, dtype=torch.int64))
    found.loss.backward()
    assert found.loss.item() == 0 and found.tokens == 0
