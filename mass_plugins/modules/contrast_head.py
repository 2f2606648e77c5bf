"""The head that takes a vector into the space where it is compared, thrown away after pre-training."""

from torch import Tensor, nn

from mass_plugins.modules.rank_batch_norm import RankBatchNorm


class ContrastHead(nn.Module):
    """Linear, batch-norm, ReLU, linear, batch-norm without scale and shift (MSM, as in BYOL); no biases.

    Args:
        dim: width of what comes in.
        inner: between the two layers.
        out: of what comes out.
        across: batch-norm over the rows of all processes.
    """

    def __init__(self, dim: int, inner: int, out: int, across: bool = True):
        super().__init__()
        self.inner = nn.Linear(dim, inner, bias=False)
        self.inner_norm = RankBatchNorm(inner, across=across)
        self.outer = nn.Linear(inner, out, bias=False)
        self.outer_norm = RankBatchNorm(out, affine=False, across=across)

    def forward(self, rows: Tensor) -> Tensor:
        """(N, D) -> (N, out), float32; not yet of unit length."""
        return self.outer_norm(self.outer(self.inner_norm(self.inner(rows)).relu())).float()
