"""DupMAE's bag of words: the maximum over positions of a projection to the vocabulary, in bounded memory."""

from typing import Optional

import torch
from torch import Tensor

CHUNK = 1024  # positions, of all texts together, whose logits exist at once


def working_type(tensor: Tensor) -> torch.dtype:
    """What products of ``tensor`` are computed in: autocast's type, where it is on."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def max_over_positions(
    hidden: Tensor, weight: Tensor, bias: Optional[Tensor], allowed: Tensor, chunk: int = CHUNK
) -> Tensor:
    """``mu_v = max over allowed i of (W h_i + b)_v`` for each text: DupMAE, section 3.2.

    The gradient of an entry goes to the position that has its maximum, the first one if there are several.

    Args:
        hidden: (B, S, D).
        weight: (V, D).
        bias: (V,) or None.
        allowed: (B, S) bool.
        chunk: positions, of all texts together, at once.

    Returns:
        (B, V) float32 at least; zeros without a gradient for a text that has no allowed position.
    """
    return _MaxOverPositions.apply(hidden, weight, bias, allowed, max(1, chunk // max(1, len(hidden))))


class _MaxOverPositions(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, bias, allowed, slots):
        device, (texts, width, _) = hidden.device.type, hidden.shape
        dtype = working_type(hidden)
        wide = torch.promote_types(hidden.dtype, torch.float32)
        best = torch.full((texts, len(weight)), -torch.inf, dtype=wide, device=hidden.device)
        where = torch.zeros(best.shape, dtype=torch.int32, device=hidden.device)
        with torch.autocast(device, enabled=False):
            cast = weight.to(dtype).T
            for begin in range(0, width, slots):
                logits = (hidden[:, begin : begin + slots].to(dtype) @ cast).to(wide)
                logits.masked_fill_(~allowed[:, begin : begin + slots, None], -torch.inf)
                value, place = logits.max(dim=1)
                better = value > best
                best = torch.where(better, value, best)
                where = torch.where(better, (place + begin).int(), where)
        empty = ~allowed.any(dim=1, keepdim=True)
        if bias is not None:
            best += bias
        ctx.save_for_backward(hidden, weight, where, empty)
        ctx.has_bias = bias is not None
        return best.masked_fill(empty, 0)

    @staticmethod
    def backward(ctx, gradient):
        hidden, weight, where, empty = ctx.saved_tensors
        gradient = gradient.masked_fill(empty, 0)
        of_hidden, of_weight = torch.zeros_like(hidden), torch.zeros_like(weight)
        for text in range(len(hidden)):  # (V, D) at a time
            share, place = gradient[text, :, None].to(weight.dtype), where[text].long()
            of_weight += share * hidden[text, place]
            of_hidden[text].index_add_(0, place, (share * weight).to(hidden.dtype))
        return of_hidden, of_weight, gradient.sum(dim=0).to(weight.dtype) if ctx.has_bias else None, None, None
