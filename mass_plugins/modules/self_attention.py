"""Self-attention of an encoder, batch first, on torch's fused kernel."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def drop_heads(context: Tensor, share: float) -> Tensor:
    """Zero whole attention heads of (B, H, S, d), drawn for each sequence by itself; survivors are rescaled.

    A sequence whose heads would all go keeps them all, unscaled. Source: Zhou et al. 2020 (DropHead), section 3; for
    Mirror-BERT's views Liu et al. 2021, section 2.
    """
    kept = torch.rand(context.shape[:2], device=context.device) >= share  # (B, H)
    kept = kept | ~kept.any(dim=1, keepdim=True)
    scale = kept.shape[1] / kept.sum(dim=1, keepdim=True)
    return context * (kept * scale)[:, :, None, None].to(context.dtype)


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence over itself, with the parameters and the signature of fairseq's.

    Args:
        dim: width D of the model.
        heads: their number, a divisor of ``dim``.
        dropout: on attention weights.
        drop_head: share of heads dropped in training.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0, drop_head: float = 0.0):
        super().__init__()
        self.heads, self.dropout, self.drop_head = heads, dropout, drop_head
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(dim, dim) for _ in range(4))

    def forward(
        self,
        query: Tensor,
        key: Optional[Tensor] = None,
        value: Optional[Tensor] = None,
        key_padding_mask: Optional[Tensor] = None,
        need_weights: bool = False,
        attn_mask: Optional[Tensor] = None,
    ) -> tuple[Tensor, None]:
        """(B, S, D) -> (B, S, D), and None in the place of attention weights.

        Args:
            key, value: what fairseq's layers pass, the query again; not looked at.
            key_padding_mask: (B, S) bool, True where nothing is seen; None: all is.
            need_weights, attn_mask: not supported.
        """
        assert not need_weights and attn_mask is None
        batch, slots, dim = query.shape
        q, k, v = (
            project(query).view(batch, slots, self.heads, dim // self.heads).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        seen = None if key_padding_mask is None else ~key_padding_mask[:, None, None, :]
        dropout = self.dropout if self.training else 0.0
        context = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=dropout)
        if self.training and self.drop_head > 0:
            context = drop_heads(context, self.drop_head)
        return self.out_proj(context.transpose(1, 2).reshape(batch, slots, dim)), None
