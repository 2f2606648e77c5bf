"""Batch normalization over the rows of all processes, on any device (``SyncBatchNorm`` refuses a CPU's tensors)."""

from typing import Optional

import torch
import torch.distributed as dist
from torch import Tensor, nn


def sum_over_ranks(values: Tensor) -> Tensor:
    """The sum of all processes' ``values``, equal in all; the gradient of each is the sum of all processes' gradients.

    As in :func:`mass_plugins.modules.all_gather.all_gather_rows`, whose scale is right for fairseq's trainer. A
    collective, forward and backward. Alone, the values as they are.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return values
    return _SumOverRanks.apply(values)


class _SumOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor) -> Tensor:
        total = values.detach().contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor):
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class RankBatchNorm(nn.Module):
    """Batch normalization (Ioffe and Szegedy 2015) with the moments of all processes' rows, any number each, 0 too.

    In evaluation, and where all processes together have fewer than two rows, by the running moments.

    Args:
        dim: width D.
        affine: learn a scale and a shift.
        epsilon: added to the variance.
        momentum: share of a batch's moments in the running ones.
        across: take the moments over all processes; else over one's own rows.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, dim: int, affine: bool = True, epsilon: float = 1e-5, momentum: float = 0.1, across: bool = True
    ):
        super().__init__()
        self.epsilon, self.momentum, self.across = epsilon, momentum, across
        self.weight: Optional[nn.Parameter] = nn.Parameter(torch.ones(dim)) if affine else None
        self.bias: Optional[nn.Parameter] = nn.Parameter(torch.zeros(dim)) if affine else None
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def forward(self, rows: Tensor) -> Tensor:
        """(N, D) -> (N, D) of the weights' dtype, float32 under autocast; computed in float32: moments in 16 bits are
        too coarse."""
        rows, dtype = rows.float(), self.running_mean.dtype
        mean, variance = self.running_mean.float(), self.running_var.float()
        if self.training:
            total = sum_over_ranks if self.across else lambda values: values
            sums = total(torch.cat([rows.sum(dim=0), rows.new_tensor([float(len(rows))])]))
            count = sums[-1].detach()
            found = sums[:-1] / count.clamp(min=1)
            spread = total((rows - found).square().sum(dim=0)) / count.clamp(min=1)  # twice over the rows: exact
            if count >= 2:
                mean, variance = found, spread
                self._keep(mean.detach(), variance.detach() * count / (count - 1))
            else:  # in step with the others, and with their gradients
                mean, variance = mean + 0 * found, variance + 0 * spread
        normed = (rows - mean) * torch.rsqrt(variance + self.epsilon)
        if self.weight is not None and self.bias is not None:
            normed = normed * self.weight + self.bias
        return normed.to(dtype)

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var), self.momentum)
