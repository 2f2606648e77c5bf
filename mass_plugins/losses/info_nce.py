"""InfoNCE (van den Oord et al. 2018): tell the one positive from the negatives, by similarity.

    loss_i = - log( exp(s(q_i, k_p) / t) / sum_j exp(s(q_i, k_j) / t) )

``info_nce`` is the general form, queries against keys: a retriever's questions against passages, where
the negatives are the other questions' passages and hard ones. (MSM's is in ``losses/hierarchical.py``.)
``two_view_info_nce`` is Mirror-BERT's (Liu et al. 2021, section 2.2), also known as NT-Xent: the vectors
of two views of each string are anchors all, and all the others are keys.

Sums and counts are returned, so that two half batches add up to one; keys of other processes come from
``modules/all_gather.py``.
"""

from typing import NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor

SIMILARITIES = ("cosine", "dot")


class Contrast(NamedTuple):
    """Sums over the anchors of one process.

    Attributes:
        loss: scalar, nats.
        correct: scalar int64; anchors whose positive is more similar than any negative.
        anchors: their number, the denominator of both.
    """

    loss: Tensor
    correct: Tensor
    anchors: int


def info_nce(
    queries: Tensor,
    keys: Tensor,
    positives: Tensor,
    temperature: float,
    similarity: str = "cosine",
    hidden: Optional[Tensor] = None,
) -> Contrast:
    """The loss of ``queries`` among ``keys``.

    Args:
        queries: (Q, D).
        keys: (K, D), the positives among them.
        positives: (Q,) int64, the place of each query's positive in ``keys``.
        temperature: divides the similarities; DPR and its like use dot products and 1.
        similarity: ``cosine`` or ``dot``.
        hidden: (Q, K) bool, keys that are neither positive nor negative to a query: itself, or a passage that
            answers it as well. A positive mustn't be hidden.

    Raises:
        ValueError: an unknown similarity, a temperature that isn't positive.
    """
    if similarity not in SIMILARITIES:
        raise ValueError(f"similarity {similarity!r} is not one of {', '.join(SIMILARITIES)}")
    if not temperature > 0:
        raise ValueError(f"temperature {temperature} is not positive")
    # float32 whatever the encoder computes in: at 0.04 an error of bfloat16's size is a tenth of a logit
    queries, keys = queries.float(), keys.float()
    if similarity == "cosine":
        queries, keys = F.normalize(queries, dim=-1), F.normalize(keys, dim=-1)
    with torch.autocast(queries.device.type, enabled=False):
        logits = queries @ keys.T / temperature  # (Q, K)
    if hidden is not None:
        logits = logits.masked_fill(hidden, -torch.inf)
    return Contrast(F.cross_entropy(logits, positives, reduction="sum"), ranked_first(logits, positives), len(queries))


@torch.no_grad()
def ranked_first(logits: Tensor, positives: Tensor) -> Tensor:
    """How many rows of ``logits`` (Q, K) have their positive, a column, above all others: scalar int64.

    One that is as good as the positive is not told from it: identical strings count as wrong.
    """
    return ((logits >= logits.gather(1, positives[:, None])).sum(dim=1) == 1).sum()


def two_view_info_nce(
    views: Tensor,
    temperature: float,
    everyone: Optional[Tensor] = None,
    offset: int = 0,
) -> Contrast:
    """Mirror-BERT's loss: for each of 2B anchors the other view against all other vectors (equation 1).

        loss_i = - log( exp(cos(z_i, z_i') / t) / sum_{j != i} exp(cos(z_i, z_j) / t) )

    The sum holds the positive and 2B - 2 negatives.

    Args:
        views: (2B, D): row ``i`` and row ``B + i`` are the two views of string ``i``.
        temperature: the paper's are 0.04 for sentences and biomedical phrases, 0.2 for words.
        everyone: (N, D), the vectors of all processes; default ``views``.
        offset: the row of ``everyone`` where ``views`` begins.
    """
    if everyone is None:
        everyone, offset = views, 0
    size = len(views)
    own = torch.arange(size, device=views.device)
    positives = offset + (own + size // 2) % size
    itself = torch.zeros(size, len(everyone), dtype=torch.bool, device=views.device)
    itself[own, offset + own] = True
    return info_nce(views, everyone, positives, temperature, hidden=itself)
