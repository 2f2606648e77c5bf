"""InfoNCE against an independent NumPy implementation, its properties, and one value by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from mass_plugins.losses.info_nce import info_nce, two_view_info_nce


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def by_numpy(views, temperature):
    """NT-Xent, anchor by anchor, in float64."""
    views = views.numpy().astype(np.float64)
    half, losses, correct = len(views) // 2, [], 0
    for i, anchor in enumerate(views):
        cosines = {
            j: anchor @ other / np.linalg.norm(anchor) / np.linalg.norm(other)
            for j, other in enumerate(views)
            if j != i
        }
        positive = cosines[(i + half) % len(views)]
        losses.append(logsumexp(np.array(list(cosines.values())) / temperature) - positive / temperature)
        correct += positive == max(cosines.values())
    return sum(losses), correct


@pytest.mark.parametrize("strings", [2, 3, 17])
@pytest.mark.parametrize("temperature", [0.04, 0.2, 1.0])
def test_two_views_equal_numpy(strings, temperature):
    views = drawn(2 * strings, 8, seed=strings)
    found = two_view_info_nce(views, temperature)
    loss, correct = by_numpy(views, temperature)
    assert float(found.loss) == pytest.approx(loss, rel=1e-5, abs=1e-6)
    assert (int(found.correct), found.anchors) == (correct, 2 * strings)


def test_a_value_by_hand():
    """Two strings at right angles, whose views are equal: e^2 against e^2 + 1 + 1 at temperature 1/2."""
    views = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 0.0], [0.0, 1.0]])
    found = two_view_info_nce(views, temperature=0.5)
    assert float(found.loss) == pytest.approx(4 * math.log(1 + 2 * math.exp(-2)), rel=1e-6)
    assert int(found.correct) == 4


def test_length_of_vectors_does_not_count():
    views = drawn(10, 4)
    assert torch.allclose(two_view_info_nce(views, 0.1).loss, two_view_info_nce(views * 7, 0.1).loss)


def test_order_of_strings_does_not_count():
    views, order = drawn(12, 4), torch.randperm(6, generator=torch.Generator().manual_seed(1))
    mixed = torch.cat([views[:6][order], views[6:][order]])
    assert torch.allclose(two_view_info_nce(views, 0.1).loss, two_view_info_nce(mixed, 0.1).loss)


def test_views_may_be_swapped():
    views = drawn(12, 4)
    assert torch.allclose(
        two_view_info_nce(views, 0.1).loss, two_view_info_nce(torch.cat([views[6:], views[:6]]), 0.1).loss
    )


def test_one_string_alone_has_nothing_to_learn():
    views = drawn(2, 4).requires_grad_()
    found = two_view_info_nce(views, 0.04)
    found.loss.backward()
    assert float(found.loss) == 0 and torch.count_nonzero(views.grad) == 0


def test_identical_strings_lose_as_by_chance_and_none_is_right():
    found = two_view_info_nce(torch.ones(8, 4), 0.04)
    assert float(found.loss) / found.anchors == pytest.approx(math.log(7), rel=1e-6)
    assert int(found.correct) == 0


def test_parts_of_a_batch_add_up():
    """Each process has its own anchors and everyone's keys: together they are the whole."""
    first, second = drawn(5, 6), drawn(5, 6, seed=1)
    whole = two_view_info_nce(torch.cat([first, second]), 0.1)
    parts = [torch.cat([first[:2], second[:2]]), torch.cat([first[2:], second[2:]])]
    found = [two_view_info_nce(part, 0.1, torch.cat(parts), offset) for part, offset in zip(parts, (0, 4))]
    assert float(sum(one.loss for one in found)) == pytest.approx(float(whole.loss), rel=1e-5)
    assert sum(int(one.correct) for one in found) == int(whole.correct)
    assert sum(one.anchors for one in found) == whole.anchors


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_queries_against_keys_equal_numpy(similarity):
    queries, keys, positives = drawn(4, 5), drawn(9, 5, seed=1), torch.tensor([3, 0, 8, 3])
    found = info_nce(queries, keys, positives, 0.7, similarity)
    q, k = queries.double().numpy(), keys.double().numpy()
    if similarity == "cosine":
        q, k = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, k))
    logits = q @ k.T / 0.7
    expected = (logsumexp(logits, axis=1) - logits[np.arange(4), positives.numpy()]).sum()
    assert float(found.loss) == pytest.approx(expected, rel=1e-5)
    assert int(found.correct) == int((logits.argmax(axis=1) == positives.numpy()).sum())


def test_a_hidden_key_is_as_if_it_were_not_there():
    queries, keys, positives = drawn(3, 5), drawn(6, 5, seed=1), torch.tensor([0, 1, 2])
    hidden = torch.zeros(3, 6, dtype=torch.bool)
    hidden[:, 4] = True
    without = info_nce(queries, keys[[0, 1, 2, 3, 5]], positives, 0.3)
    assert torch.allclose(info_nce(queries, keys, positives, 0.3, hidden=hidden).loss, without.loss)


def test_gradients_are_those_of_finite_differences():
    views = drawn(6, 3).double().requires_grad_()
    # the loss itself is in float32: a coarse step and tolerance
    assert torch.autograd.gradcheck(lambda x: two_view_info_nce(x, 0.5).loss, views, eps=1e-2, atol=1e-2)


def test_half_precision_loses_nothing_after_the_encoder():
    views = drawn(20, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = two_view_info_nce(views, 0.04)
    assert float(found.loss) == pytest.approx(by_numpy(views.float(), 0.04)[0], rel=1e-5)


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"temperature": 0.1, "similarity": "euclid"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="not"):
        info_nce(drawn(2, 3), drawn(2, 3), torch.tensor([0, 1]), **wrong)
