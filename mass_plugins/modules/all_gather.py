"""Rows of all processes, with gradients: negatives across ranks."""

from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor


class Gathered(NamedTuple):
    """``rows[offset : offset + n]`` are the n rows that this process gave."""

    rows: Tensor  # (N, D)
    offset: int


def all_gather_rows(rows: Tensor) -> Gathered:
    """(n, D) of each process, n may differ and be 0 → (N, D), rank after rank; alone, the rows as they are.

    The gradient of a row is the **sum** over processes of the gradients of their losses. It is right for
    fairseq's scale: each process sums the loss of its own anchors; DDP averages over W processes, and the
    trainer multiplies by W / (the sum of their sample sizes), so that what stays is the gradient of the sum of all
    losses over the number of all anchors, as if one process had held the whole batch. (A gather that lets
    gradients through its own rows only loses what the others' losses say about them.)

    It is a collective, forward and backward: every process has to call it in each of its steps, and its loss
    has to depend on the result, with 0 rows and a factor of 0 if it has nothing to say.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return Gathered(rows, 0)
    own = torch.tensor([len(rows)], device=rows.device)
    counts = [torch.zeros_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, own)
    sizes = [int(count) for count in counts]
    return Gathered(_AllGather.apply(rows, sizes), sum(sizes[: dist.get_rank()]))


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        padded = rows.new_zeros(max(sizes), rows.shape[1])
        padded[: len(rows)] = rows
        everyone = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(everyone, padded)  # wants equal shapes
        return torch.cat([part[:size] for part, size in zip(everyone, sizes)])

    @staticmethod
    def backward(ctx, gradient: Tensor):
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        begin = sum(ctx.sizes[: dist.get_rank()])
        return total[begin : begin + ctx.sizes[dist.get_rank()]], None
