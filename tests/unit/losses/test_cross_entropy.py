"""Chunked projections equal the plain ones, values and gradients, whatever the chunk; memory stays bounded."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mass_plugins.losses.cross_entropy import bag_of_words, projected_cross_entropy
from mass_plugins.modules.vocabulary_maximum import max_over_positions


def inputs(*shape, vocabulary=13, seed=0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(vocabulary, shape[-1], generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(vocabulary, generator=generator, dtype=torch.float64, requires_grad=True)
    return hidden, weight, bias


def gradients(loss, tensors):
    return torch.autograd.grad(loss, tensors)


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_cross_entropy_equals_torch(chunk):
    hidden, weight, bias = inputs(7, 5)
    target = torch.tensor([0, 12, 3, 3, 5, 1, 2])
    ours = projected_cross_entropy(hidden, weight, bias, target, chunk)
    logits = hidden @ weight.T + bias
    theirs = F.cross_entropy(logits, target, reduction="sum")
    assert torch.allclose(ours.loss, theirs) and ours.tokens == 7
    assert ours.correct == (logits.argmax(dim=1) == target).sum()
    for a, b in zip(gradients(3 * ours.loss, (hidden, weight, bias)), gradients(3 * theirs, (hidden, weight, bias))):
        assert torch.allclose(a, b)
    assert torch.autograd.gradcheck(
        lambda h, w, b: projected_cross_entropy(h, w, b, target, chunk).loss, (hidden, weight, bias)
    )


def test_cross_entropy_of_nothing_and_without_gradients():
    hidden, weight, bias = inputs(4, 5)
    none = projected_cross_entropy(hidden[:0], weight, bias, torch.empty(0, dtype=torch.int64))
    none.loss.backward()
    assert none.loss == 0 and weight.grad.abs().sum() == 0
    with torch.no_grad():
        found = projected_cross_entropy(hidden, weight, None, torch.tensor([1, 2, 3, 4]))
    assert torch.allclose(found.loss, F.cross_entropy(hidden @ weight.T, torch.tensor([1, 2, 3, 4]), reduction="sum"))


def test_cross_entropy_computes_no_gradient_where_none_is_asked_for():
    """In validation, too, where weights want gradients and autograd is off."""
    hidden, weight, _ = inputs(4, 5, vocabulary=1000)
    target = torch.tensor([1, 2, 3, 4])
    with torch.no_grad(), Largest() as without:
        projected_cross_entropy(hidden, weight, None, target)
    with Largest() as training:
        projected_cross_entropy(hidden, weight, None, target)
    assert without.made < training.made


def numpy_maximum(hidden, weight, bias, allowed):
    """Position after position: (B, V)."""
    found = np.zeros((len(hidden), len(weight)))
    for row in range(len(hidden)):
        places = [i for i in range(hidden.shape[1]) if allowed[row, i]]
        for entry in range(len(weight)):
            values = [float(hidden[row, i] @ weight[entry]) + float(bias[entry]) for i in places]
            found[row, entry] = max(values) if values else 0.0
    return found


@pytest.mark.parametrize("chunk", [1, 6, 9, 1000])
def test_maximum_equals_numpy_and_passes_the_gradient_check(chunk):
    hidden, weight, bias = inputs(3, 5, 4)
    allowed = torch.tensor([[0, 1, 1, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    mu = max_over_positions(hidden, weight, bias, allowed, chunk)
    expected = numpy_maximum(hidden.detach().numpy(), weight.detach().numpy(), bias.detach().numpy(), allowed.numpy())
    assert np.allclose(mu.detach().numpy(), expected)
    assert torch.autograd.gradcheck(lambda h, w, b: max_over_positions(h, w, b, allowed, chunk), (hidden, weight, bias))
    (of_hidden,) = gradients(mu.sum(), (hidden,))
    assert (of_hidden[~allowed] == 0).all()


def test_of_equal_maxima_the_first_position_has_the_gradient():
    hidden = torch.ones(1, 4, 2, requires_grad=True)
    mu = max_over_positions(hidden, torch.ones(3, 2), None, torch.tensor([[False, True, True, True]]), 1)
    mu.sum().backward()
    assert hidden.grad[0].sum(dim=1).tolist() == [0, 6, 0, 0]


def test_bag_of_words_by_hand():
    mu = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    rows, tokens = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 2])
    found = bag_of_words(mu, rows, tokens, torch.tensor([0.5, 0.5, 1.0]))
    assert found.item() == pytest.approx(-(np.log(0.5) + np.log(0.25)) / 2 - np.log(0.8))


def test_autocast_computes_in_bfloat16_and_sums_in_float32():
    hidden, weight, bias = (tensor.detach().float().requires_grad_() for tensor in inputs(50, 8, vocabulary=40))
    target = torch.arange(50) % 40
    exact = projected_cross_entropy(hidden, weight, bias, target)
    with torch.autocast("cpu", torch.bfloat16):
        rough = projected_cross_entropy(hidden, weight, bias, target)
        mu = max_over_positions(hidden.view(5, 10, 8), weight, bias, torch.ones(5, 10, dtype=torch.bool))
    assert rough.loss.dtype == mu.dtype == torch.float32
    assert 0 < abs(rough.loss - exact.loss) < 0.01 * exact.loss
    (of_weight,) = gradients(rough.loss, (weight,))
    assert of_weight.dtype == torch.float32


class Largest(TorchDispatchMode):
    """Elements of the largest tensor that any operation makes, backward included."""

    elements = made = 0  # of the largest; tensors

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self.elements, self.made = max(self.elements, tensor.numel()), self.made + 1
        return made


def largest_and_kept(work) -> tuple[int, int]:
    """Elements of the largest tensor of forward and backward; elements kept for backward."""
    kept = []

    def keep(tensor):
        kept.append(tensor.numel())
        return tensor

    with Largest() as largest, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        work().backward()
    return largest.elements, sum(kept)


def test_memory_is_that_of_a_chunk():
    """The logits of 1024 positions over 20 000 entries are never there at once, nor kept for backward."""
    hidden, weight = torch.randn(2, 512, 8, requires_grad=True), torch.randn(20000, 8, requires_grad=True)
    allowed = torch.ones(2, 512, dtype=torch.bool)
    chunk, logits = 2 * 64 * 20000, 2 * 512 * 20000
    ours = largest_and_kept(lambda: max_over_positions(hidden, weight, None, allowed, 64).logsumexp(dim=1).sum())
    naive = largest_and_kept(lambda: (hidden @ weight.T).logsumexp(dim=-1).sum())
    assert ours[0] <= chunk and ours[1] < logits / 2, ours
    assert min(naive) >= logits, naive
