"""RetroMAE's enhanced decoding: one post-norm Transformer layer whose queries and keys are different things."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def visible_rows(seen: Tensor, of_row: Tensor) -> Tensor:
    """Patterns -> what each row sees: never itself, always slot 0.

    Args:
        seen: (B, N, S) bool.
        of_row: (B, S) int64, each row's pattern.

    Returns:
        (B, S, S) bool, row by position.
    """
    texts = torch.arange(len(seen), device=seen.device)
    rows = seen[texts[:, None], of_row]  # copies whole rows; gather would look up position by position
    rows.diagonal(dim1=1, dim2=2).fill_(False)
    rows[:, :, 0] = True  # row 0, [CLS], would see nothing otherwise; it has no label
    return rows


class EnhancedDecoder(nn.Module):
    """``LN(q + drop(W_o attend(q, K, V)))``, then ``LN(y + drop(FFN(y)))`` (Xiao et al. 2022, section 3.3, eq. 4 to 6).

    Args:
        dim: width D.
        inner: of the feed-forward block.
        heads: of the attention.
        dropout, attention_dropout: as the encoder's.
        epsilon: of the layer-norms.
    """

    def __init__(
        self, dim: int, inner: int, heads: int, dropout: float, attention_dropout: float, epsilon: float, activation
    ):
        super().__init__()
        self.heads, self.attention_dropout = heads, attention_dropout
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(dim, dim) for _ in range(4))
        self.attention_norm, self.final_norm = nn.LayerNorm(dim, eps=epsilon), nn.LayerNorm(dim, eps=epsilon)
        self.fc1, self.fc2 = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.dropout, self.activation = nn.Dropout(dropout), activation

    def forward(self, queries: Tensor, memory: Tensor, seen: Tensor) -> Tensor:
        """Rows that each attend to their own choice of positions.

        Args:
            queries: (B, R, D).
            memory: (B, S, D), keys and values.
            seen: (B, R, S) bool; each row sees one position at least.

        Returns:
            (B, R, D).
        """
        batch, rows, dim = queries.shape

        def split(x: Tensor) -> Tensor:
            return x.view(batch, -1, self.heads, dim // self.heads).transpose(1, 2)

        context = F.scaled_dot_product_attention(
            split(self.q_proj(queries)), split(self.k_proj(memory)), split(self.v_proj(memory)),
            attn_mask=seen[:, None], dropout_p=self.attention_dropout if self.training else 0.0,
        )  # fmt: skip
        context = self.out_proj(context.transpose(1, 2).reshape(batch, rows, dim))
        x = self.attention_norm(queries + self.dropout(context))
        return self.final_norm(x + self.dropout(self.fc2(self.activation(self.fc1(x)))))
