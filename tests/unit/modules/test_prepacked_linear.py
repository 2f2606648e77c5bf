"""The same numbers as the layer that it was, wherever it computes."""

import pytest
import torch
from torch import nn

from mass_plugins.modules import prepacked_linear
from mass_plugins.modules.prepacked_linear import PrepackedLinear, prepack, prepacked_product


@pytest.fixture
def layers():
    torch.manual_seed(1)
    inner = nn.Sequential(nn.Linear(24, 40), nn.GELU(), nn.Linear(40, 24, bias=False))
    return nn.ModuleList([inner, nn.Bilinear(24, 24, 3), nn.LayerNorm(24)])


@pytest.mark.parametrize("shape", [(24,), (7, 24), (3, 5, 24), (0, 24)])
def test_equals_linear(layers, shape):
    x, network = torch.randn(shape), layers[0]
    expected, names = network(x).detach(), layers.state_dict().keys()
    prepack(layers)
    assert [type(layer) for layer in network[::2]] == [PrepackedLinear] * 2
    with torch.inference_mode():
        assert torch.allclose(network(x), expected, atol=1e-6)
    assert layers.state_dict().keys() == names


def test_elsewhere_it_computes_as_before(layers):
    x, network = torch.randn(5, 24), layers[0]
    with torch.autocast("cpu", torch.bfloat16):
        coarse = network(x)
    prepack(layers)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert network(x).equal(coarse)
    network(x).sum().backward()
    assert network[0].weight.grad.any()
    assert network.double()(x.double()).dtype == torch.float64


def test_a_machine_that_gains_nothing_keeps_its_layers(layers, monkeypatch):
    monkeypatch.setattr(prepacked_linear.platform, "machine", lambda: "arm64")
    prepack(layers)
    assert type(layers[0][0]) is nn.Linear


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("bias", [None, torch.randn(40)])
def test_a_product_alone(dtype, bias):
    torch.manual_seed(1)
    x, weight = torch.randn(6, 24, dtype=dtype), torch.randn(40, 24, dtype=dtype)
    bias = bias if bias is None else bias.to(dtype)
    with torch.no_grad():
        expected, product = nn.functional.linear(x, weight, bias), prepacked_product(weight, bias)
        assert torch.allclose(product(x), expected, rtol=1e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-5)
