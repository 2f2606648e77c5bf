"""The same numbers as the layer that it was, wherever it computes."""

import copy
import pickle

import pytest
import torch
from torch import nn

from mass_plugins.modules import prepacked_linear
from mass_plugins.modules.prepacked_linear import PrepackedLinear, prepacked, prepacked_product


@pytest.fixture
def layers():
    torch.manual_seed(1)
    inner = nn.Sequential(nn.Linear(24, 40), nn.GELU(), nn.Linear(40, 24, bias=False))
    return nn.ModuleList([inner, nn.Bilinear(24, 24, 3), nn.LayerNorm(24)])


@pytest.mark.parametrize("shape", [(24,), (7, 24), (3, 5, 24), (0, 24)])
def test_equals_linear_and_shares_its_weights(layers, shape):
    x, network = torch.randn(shape), layers[0]
    expected = network(x).detach()
    fast = prepacked(layers)[0]
    assert [type(layer) for layer in fast[::2]] == [PrepackedLinear] * 2 and type(network[0]) is nn.Linear
    assert fast.state_dict().keys() == network.state_dict().keys() and fast[0].weight is network[0].weight
    with torch.inference_mode():
        assert torch.allclose(fast(x), expected, atol=1e-6)


def test_it_follows_the_weights(layers):
    """A model that is trained on, or loaded anew, answers by its new weights; so does a copy that has its own."""
    x, network = torch.randn(5, 24), layers[0]
    fast = prepacked(network)
    with torch.no_grad():
        before = fast(x)
        copied = copy.deepcopy(fast)
        network[0].weight.mul_(2)
        assert torch.allclose(fast(x), network(x), atol=1e-6) and not torch.allclose(fast(x), before)
        assert torch.allclose(copied(x), before, atol=1e-6)
        network.load_state_dict({name: torch.randn_like(value) for name, value in network.state_dict().items()})
        assert torch.allclose(fast(x), network(x), atol=1e-4)
        assert torch.allclose(pickle.loads(pickle.dumps(fast))(x), network(x), atol=1e-4)


def test_elsewhere_it_computes_as_before(layers):
    x, network = torch.randn(5, 24), layers[0]
    with torch.autocast("cpu", torch.bfloat16):
        coarse = network(x)
    fast = prepacked(network)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert fast(x).equal(coarse)
    fast(x).sum().backward()
    assert network[0].weight.grad.any()
    with torch.no_grad():
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            fast(torch.randn(5, 23))
    assert fast.double()(x.double()).dtype == torch.float64


def test_weights_made_in_inference_mode(layers):
    """torch doesn't count their changes."""
    x = torch.randn(5, 24)
    with torch.inference_mode():
        network = copy.deepcopy(layers[0])
        fast = prepacked(network)
        for _ in range(2):
            assert fast[0].weight.is_inference() and torch.allclose(fast(x), network(x), atol=1e-6)
            network[0].weight.mul_(2)


def test_a_machine_that_gains_nothing_keeps_its_layers(layers, monkeypatch):
    monkeypatch.setattr(prepacked_linear.platform, "machine", lambda: "arm64")
    assert type(prepacked(layers)[0][0]) is nn.Linear


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("bias", [None, torch.randn(40)])
def test_a_product_alone(dtype, bias):
    torch.manual_seed(1)
    x, weight = torch.randn(6, 24, dtype=dtype), torch.randn(40, 24, dtype=dtype)
    bias = bias if bias is None else bias.to(dtype)
    with torch.no_grad():
        expected, product = nn.functional.linear(x, weight, bias), prepacked_product(weight, bias)
        assert torch.allclose(product(x), expected, rtol=1e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-5)
