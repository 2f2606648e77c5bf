"""Which tokens are a text's, and their vectors -> one vector a text."""

import torch
from torch import Tensor

POOLINGS = ("cls", "mean", "mean_with_padding")


def real_slots(tokens: Tensor, padding: int) -> Tensor:
    """Where a batch holds text: up to each row's last token that isn't padding.

    A text may hold the padding's symbol, written out, and is pooled and attended to with it, as in transformers. What
    tells the two apart is that every text ends in another token, [SEP].

    Args:
        tokens: (B, S) int64, right-padded.
        padding: id of the padding.

    Returns:
        (B, S) bool.
    """
    slots = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    return slots <= (tokens.ne(padding) * slots).amax(dim=1, keepdim=True)


def pool(hidden: Tensor, real: Tensor, how: str) -> Tensor:
    """Pool the last hidden states of a batch.

    Args:
        hidden: (B, S, D).
        real: (B, S) bool, False at padding; at least one slot of a row is real.
        how: ``cls``: the first token's state; ``mean``: over real tokens, the closing one included;
            ``mean_with_padding``: over all S slots, so that a vector depends on how far its batch is padded
            (the release of Mirror-BERT does it, at a fixed S; only to compare with its numbers).

    Returns:
        (B, D), the states' dtype; means are summed in float32 at least.
    """
    if how == "cls":
        return hidden[:, 0]
    if how == "mean":
        # Not a product with 0 and 1, which would let a NaN or an infinity at a padded slot through.
        total = hidden.masked_fill(~real.unsqueeze(-1), 0).sum(dim=1, dtype=_wide(hidden))
        return (total / real.sum(dim=1, keepdim=True)).to(hidden.dtype)
    if how == "mean_with_padding":
        return hidden.mean(dim=1, dtype=_wide(hidden)).to(hidden.dtype)
    raise ValueError(f"pooling {how!r} is not one of {', '.join(POOLINGS)}")


def _wide(hidden: Tensor) -> torch.dtype:
    return torch.promote_types(hidden.dtype, torch.float32)
