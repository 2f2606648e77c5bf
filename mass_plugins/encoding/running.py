"""Where and how an encoder computes."""

from contextlib import nullcontext
from typing import Optional

import torch
from torch import nn

from mass_plugins.devices import choose_device, tokens_at_once
from mass_plugins.errors import InputError
from mass_plugins.modules.prepacked_linear import prepacked


class Running:
    """Device, precision, and how much at once.

    Args:
        device: None: a GPU if there is one.
        dtype: ``float32`` (None), ``bfloat16`` or, on a GPU, ``float16``.
        batch_tokens: padding included, at once; None: as many as the device is fast with.

    Raises:
        InputError: one of them can't be.
    """

    def __init__(self, device: Optional[str] = None, dtype: Optional[str] = None, batch_tokens: Optional[int] = None):
        self.dtype = dtype or "float32"
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise InputError(f"dtype {dtype!r} is not float32, bfloat16 or float16")
        if batch_tokens is not None and batch_tokens < 1:
            raise InputError(f"batch_tokens={batch_tokens} is not 1 or more")
        self.device = choose_device(device, getattr(torch, self.dtype))
        self.batch_tokens = batch_tokens or tokens_at_once(self.device)

    def place(self, model: nn.Module) -> nn.Module:
        """Put a model on the device; returns what computes: on a CPU the same weights, laid out for it."""
        model.to(self.device).eval()
        return prepacked(model) if self.device.type == "cpu" and self.dtype == "float32" else model

    def autocast(self):
        if self.dtype == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.dtype))
