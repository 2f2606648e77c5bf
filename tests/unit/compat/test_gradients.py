"""Where gradients become NaN, fairseq says where, whatever its modules return."""

import logging
import re

import pytest
import torch
from fairseq.nan_detector import NanDetector

import mass_plugins  # noqa: F401  applies the workaround


class Poison(torch.autograd.Function):
    """Numbers forward, NaN backward."""

    @staticmethod
    def forward(context, values):
        return values.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * torch.nan


class Inner(torch.nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.wrap, self.layer = wrap, torch.nn.Linear(3, 3)

    def forward(self, values):
        return self.wrap(self.layer(values))


class Outer(torch.nn.Module):
    def __init__(self, wrap, unwrap, poison):
        super().__init__()
        self.inner, self.unwrap, self.poison = Inner(wrap), unwrap, poison

    def forward(self, values):
        hidden = self.unwrap(self.inner(values))
        return (Poison.apply(hidden) if self.poison else hidden).sum()


OUTPUTS = {
    "tensor": (lambda x: x, lambda x: x),
    "tuple": (lambda x: (x, None), lambda x: x[0]),
    "lists": (lambda x: {"encoder_out": [x], "encoder_states": []}, lambda x: x["encoder_out"][0]),
}


@pytest.mark.parametrize("kind", OUTPUTS)
@pytest.mark.parametrize("poison", [True, False])
def test_the_module_whose_gradient_is_nan_is_named(kind, poison, caplog):
    model = Outer(*OUTPUTS[kind], poison)
    with caplog.at_level(logging.WARNING), NanDetector(model):
        model(torch.randn(2, 3)).backward()
    assert len(caplog.messages) == poison  # the first module is enough
    for message in caplog.messages:
        assert re.fullmatch(r"NaN detected in output of inner(\.layer)?, shape: .*, backward", message)
