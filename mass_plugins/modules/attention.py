"""What attention may see."""

import torch
from torch import Tensor


def hide_slots(padding: Tensor, hidden: Tensor) -> Tensor:
    """Slots that cross-attention doesn't see: padding and ``hidden``, both (B, S) bool.

    A row where nothing would be left keeps all its real slots, for attention over nothing is NaN.
    """
    mask = padding | hidden
    return torch.where(mask.all(dim=1, keepdim=True), padding, mask)
