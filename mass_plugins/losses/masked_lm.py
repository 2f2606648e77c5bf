"""The masked language model's loss."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class MaskedLm(NamedTuple):
    """Sums over a batch; divided by ``tokens`` they are means a token."""

    loss: Tensor  # (), float32, in nats
    correct: Tensor  # (), int64: predictions that are the label
    tokens: int


def masked_lm(logits: Tensor, labels: Tensor) -> MaskedLm:
    """Cross-entropy of the tokens that stood at the masked slots (Devlin et al. 2019, section 3.1).

    ``loss = - sum over n of log softmax(logits_n)[labels_n]``, computed in float32.

    Args:
        logits: (N, V), of the masked slots alone; N may be 0.
        labels: (N,) int64.
    """
    loss = F.cross_entropy(logits.float(), labels, reduction="sum")
    return MaskedLm(loss, (logits.detach().argmax(dim=-1) == labels).sum(), len(labels))
