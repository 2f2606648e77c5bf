"""Losses of a retriever: contrast among all passages of a batch, and a teacher's order of a query's own."""

import torch
import torch.nn.functional as F
from torch import Tensor


def as_rows(cls: Tensor | None, values: Tensor | None, entries: Tensor | None, vocabulary: int) -> Tensor:
    """One row a text, so that a dot product of two rows is the score of DupMAE, section 3.3.

    Args:
        cls: (B, d) or None.
        values: (B, V), or (B, k) with their ``entries`` (B, k) int64; or None.

    Returns:
        (B, d + V): what isn't among a document's entries is 0.
    """
    if values is not None and entries is not None:
        values = values.new_zeros(len(values), vocabulary).scatter(1, entries, values)
    return torch.cat([part for part in (cls, values) if part is not None], dim=1)


def group_scores(queries: Tensor, passages: Tensor) -> Tensor:
    """The score of each query for the passages of its own group, float32 whatever the encoder computes in.

    Autocast would round scores of some hundreds to whole numbers: what a teacher tells apart would be equal.

    Args:
        queries: (Q, D).
        passages: (Q, G, D).

    Returns:
        (Q, G).
    """
    with torch.autocast(queries.device.type, enabled=False):
        return torch.einsum("qd,qgd->qg", queries.float(), passages.float())


def distillation(scores: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """``sum_q KL(softmax(teacher_q / t) || softmax(scores_q / t))`` over each query's own passages.

    Args:
        scores, teacher: (Q, G).
    """
    wanted = F.log_softmax(teacher.float() / temperature, dim=1)
    found = F.log_softmax(scores.float() / temperature, dim=1)
    return F.kl_div(found, wanted, reduction="sum", log_target=True)


def hidden_positives(passages: Tensor, positives: Tensor, own: Tensor) -> Tensor:
    """Passages that answer a query as well as its own positive does: neither positive nor negative.

    Args:
        passages: (P,) int64, keys of the passages of all.
        positives: (Q, A) int64, keys of all that answer a query; -1 where there are fewer.
        own: (Q,) int64, the place of each query's positive among ``passages``.

    Returns:
        (Q, P) bool.
    """
    hidden = torch.zeros(len(positives), len(passages), dtype=torch.bool, device=passages.device)
    for column in positives.T:  # a few; (Q, P, A) at once would be large
        hidden |= (column[:, None] == passages) & (column[:, None] >= 0)
    return hidden.scatter(1, own[:, None], False)
