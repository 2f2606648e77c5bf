"""Cross-entropy of many positions over a vocabulary in bounded memory, and the bag-of-words loss.

The logits of N positions over V entries are the largest arrays of pre-training (32 texts of 512 tokens over 30 522
entries: 2 GB, and autograd keeps several of them). Here they exist for ``chunk`` positions at a time.
"""

from typing import NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from mass_plugins.modules.vocabulary_maximum import CHUNK, working_type


class TokenLoss(NamedTuple):
    """Sums over positions."""

    loss: Tensor  # scalar, nats
    correct: Tensor  # scalar int64: positions whose token is ranked first
    tokens: int


def projected_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Optional[Tensor], target: Tensor, chunk: int = CHUNK
) -> TokenLoss:
    """``sum_n -log softmax(W h_n + b)[t_n]``.

    Gradients are computed chunk by chunk in the forward pass, while a chunk's logits are there, so they are never kept
    nor computed twice. Under autocast products are in its type, softmax and sums in float32.

    Args:
        hidden: (N, D).
        weight: (V, D).
        bias: (V,) or None.
        target: (N,) int64.
        chunk: positions at once.
    """
    if len(hidden) == 0:  # gradients of zero, without a pass over the vocabulary
        nothing = hidden.sum() + weight[:0].sum() + (0 if bias is None else bias[:0].sum())
        none_right = torch.zeros((), dtype=torch.int64, device=hidden.device)
        return TokenLoss(nothing.to(torch.promote_types(nothing.dtype, torch.float32)), none_right, 0)
    learning = torch.is_grad_enabled()  # which it isn't inside, nor do the inputs tell
    loss, correct = _ProjectedCrossEntropy.apply(hidden, weight, bias, target, chunk, learning)
    return TokenLoss(loss, correct, len(hidden))


class _ProjectedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, bias, target, chunk, learning):
        dtype = working_type(hidden)
        wanted = learning and any(ctx.needs_input_grad[:3])
        of_hidden = torch.empty_like(hidden) if wanted else None
        of_weight = torch.zeros_like(weight) if wanted else None
        of_bias = torch.zeros_like(bias) if wanted and bias is not None else None
        loss = torch.zeros((), dtype=torch.promote_types(hidden.dtype, torch.float32), device=hidden.device)
        correct = torch.zeros((), dtype=torch.int64, device=hidden.device)
        with torch.autocast(hidden.device.type, enabled=False):
            cast = weight.to(dtype)
            for begin in range(0, len(hidden), chunk):
                rows, wanted_ids = hidden[begin : begin + chunk].to(dtype), target[begin : begin + chunk, None]
                logits = (rows @ cast.T).to(loss.dtype)
                if bias is not None:
                    logits += bias
                top, best = logits.max(dim=1, keepdim=True)
                correct += (best == wanted_ids).sum()
                own = logits.gather(1, wanted_ids)
                shares = logits.sub_(top).exp_()
                total = shares.sum(dim=1, keepdim=True)
                loss += (total.log() + top - own).sum()
                if wanted:
                    shares /= total
                    shares.scatter_add_(1, wanted_ids, torch.full_like(own, -1))
                    if of_bias is not None:
                        of_bias += shares.sum(dim=0)
                    shares = shares.to(dtype)
                    of_hidden[begin : begin + chunk] = shares @ cast
                    of_weight += shares.T @ rows
        if wanted:
            ctx.save_for_backward(of_hidden, of_weight, *(() if of_bias is None else (of_bias,)))
        ctx.mark_non_differentiable(correct)
        return loss, correct

    @staticmethod
    def backward(ctx, gradient, _):
        of_hidden, of_weight, *of_bias = ctx.saved_tensors
        scaled = [found * gradient.to(found.dtype) for found in (of_hidden, of_weight, *of_bias)]
        return scaled[0], scaled[1], scaled[2] if of_bias else None, None, None, None


def bag_of_words(mu: Tensor, rows: Tensor, tokens: Tensor, shares: Tensor) -> Tensor:
    """``L_bow = - sum over (row, token) of share * log softmax(mu_row)[token]``, summed over texts.

    Args:
        mu: (B, V).
        rows, tokens: (M,) int64, the words that each text must give back.
        shares: (M,) what each counts; 1 / (distinct tokens of its text) makes it a mean over them.
    """
    logs = F.log_softmax(mu, dim=-1)
    return -(shares * logs[rows, tokens]).sum()
