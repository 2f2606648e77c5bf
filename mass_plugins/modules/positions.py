"""Learned positions that may be given; the only place that knows fairseq's padding offset."""

from typing import Optional

import torch.nn.functional as F
from fairseq.modules import LearnedPositionalEmbedding
from torch import Tensor, nn


class Positions(LearnedPositionalEmbedding):
    """``num_positions`` learned vectors, looked up by zero-based positions or by a token's slot.

    fairseq's table keeps rows 0 .. padding_idx for padding and starts at ``padding_idx + 1``, and its
    module asserts against explicit positions; this one has the same parameters and takes both.
    """

    def __init__(self, num_positions: int, dim: int, padding_idx: int):
        super().__init__(num_positions + padding_idx + 1, dim, padding_idx)
        nn.init.normal_(self.weight, mean=0, std=dim**-0.5)
        nn.init.constant_(self.weight[padding_idx], 0)

    def forward(
        self,
        tokens: Tensor,
        incremental_state: Optional[dict] = None,
        positions: Optional[Tensor] = None,
    ) -> Tensor:
        """(B, T) tokens -> (B, T, D); with ``incremental_state`` the last slot's vector, (B, 1, D).

        Args:
            positions: (B, T) int64, zero-based; default each token's own slot, padding apart.
        """
        if positions is None:
            return super().forward(tokens, incremental_state)
        return F.embedding(positions + self.padding_idx + 1, self.weight)
