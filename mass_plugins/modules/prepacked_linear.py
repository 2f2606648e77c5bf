"""Matrix products with fixed weights on a CPU: oneDNN's kernel on weights that are laid out for it once.

torch sends float32 products to MKL. On processors that aren't Intel's oneDNN is faster, most of all where few rows meet
a large vocabulary; there bfloat16 gains, too. torch's compiler uses the same operator.
"""

import copy
import platform
from functools import partial
from typing import Callable, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _usable(dtype: torch.dtype) -> bool:
    known = platform.machine() in ("x86_64", "AMD64") and torch.backends.mkldnn.is_available()
    if not known or not all(
        hasattr(torch.ops.mkldnn, name) for name in ("_linear_pointwise", "_reorder_linear_weight")
    ):
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def prepacked_product(weight: Tensor, bias: Optional[Tensor]) -> Callable[[Tensor], Tensor]:
    """The function (.., D) -> (.., E) of a (E, D) and b (E,), x in their precision, for inference.

    It goes on with the weights as they were when it was made, if this machine gains by a layout of its own.
    """
    if weight.device.type != "cpu" or not _usable(weight.dtype):
        return partial(F.linear, weight=weight, bias=bias)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")


class PrepackedLinear(nn.Linear):
    """A layer with the weights of another, laid out at the first product, and anew when they have changed.

    In training, in another precision or on another device it computes as the other does; so it does with weights that
    were made in inference mode, of which torch doesn't tell when they change.
    """

    def __init__(self, linear: nn.Linear):
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self._packed: Optional[Tensor] = None
        self._version: Optional[tuple[int, int]] = None  # of the weight that was laid out

    def forward(self, input: Tensor) -> Tensor:
        """(..., D) -> (..., E)."""
        packed = self._layout() if self._can_pack(input) else None
        if packed is None:
            return F.linear(input, self.weight, self.bias)
        return torch.ops.mkldnn._linear_pointwise(input, packed, self.bias, "none", [], "")

    def _can_pack(self, input: Tensor) -> bool:
        others = torch.is_grad_enabled() or torch.is_autocast_enabled("cpu") or self.weight.is_inference()
        fits = input.device.type == "cpu" and input.dtype == self.weight.dtype
        return fits and not others and self.weight.device.type == "cpu" and input.shape[-1] == self.in_features

    def _layout(self) -> Optional[Tensor]:
        """The weight laid out, anew if it has changed; None where nothing is gained by it."""
        version = (self.weight.data_ptr(), self.weight._version)
        if version != self._version:
            usable = _usable(self.weight.dtype)
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach()) if usable else None
            self._version = version
        return self._packed

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), "_packed": None, "_version": None}  # a layout can't be written


def prepacked(model: nn.Module) -> nn.Module:
    """The same model, parameters and buffers shared, with prepacked linear layers where this machine gains by them.

    The model that is given stays as it is: with its hooks, and with the layers that quantization and tracing know. The
    layouts take the memory of the linear layers once more.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    copied = copy.deepcopy(model, shared)
    for module in list(copied.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear and child.weight.device.type == "cpu" and _usable(child.weight.dtype):
                setattr(module, name, PrepackedLinear(child))
    return copied
