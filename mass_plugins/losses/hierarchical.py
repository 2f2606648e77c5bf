"""MSM's hierarchical contrastive loss (Zhang et al. 2023, section 3.3): which unit was masked, among all of the batch.

    z_tj = q_t . k_j / temperature
    z_tj <- z_tj - alpha * stop_gradient(mean_intra_t - mean_cross_t)      for the other units j of t's own document
    loss = sum_t - log( exp(z_tt) / sum_j exp(z_tj) )

Units of the same document are much harder negatives than those of other documents; lowered by a share of the distance
of the two kinds' means, they don't drown the others. A document that is in the batch twice, or in those of two
processes, is none of its own negatives: nothing could tell its copies' units apart. One (Q, K) matrix of products is
all that is ever made of pairs.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mass_plugins.losses.info_nce import Contrast, ranked_first


class Units(NamedTuple):
    """What is known of each of N units."""

    document: Tensor  # (N,) int64: equal for units of one document
    copy: Tensor  # (N,) int64: equal for units of one copy of it
    language: Tensor  # (N,) int64


def hierarchical_contrast(
    queries: Tensor,
    keys: Tensor,
    query_units: Units,
    key_units: Units,
    positives: Tensor,
    temperature: float,
    alpha: float = 0.5,
    intra: bool = True,
    cross: bool = True,
) -> Contrast:
    """The loss of predicted units among the units themselves.

    Args:
        queries: (Q, D) predictions, unit vectors.
        keys: (K, D) the units of all documents, unit vectors; no gradient is stopped.
        query_units, key_units: of each row; a unit of another language is no negative, nor is one of another copy of
            the same document.
        positives: (Q,) int64, the place in ``keys`` of the unit that was masked.
        temperature: the paper's is 0.1.
        alpha: share of the means' distance that intra-document negatives are lowered by (paper: 0.5); 0 leaves them.
        intra: False leaves out the negatives of the same document (an ablation of the paper's).
        cross: False leaves out those of other documents.

    Returns:
        the sum over the queries, and how many of them score their own unit higher than every unit that may be a
        negative, before any is lowered or left out.

    Raises:
        ValueError: a temperature that isn't positive.
    """
    if not temperature > 0:
        raise ValueError(f"temperature {temperature} is not positive")
    with torch.autocast(queries.device.type, enabled=False):
        scores = queries.float() @ keys.float().T / temperature  # (Q, K)
    own = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, positives[:, None], True)
    same, same_copy, of_language = (of[:, None] == to[None, :] for of, to in zip(query_units, key_units))
    within, across = same_copy & ~own, ~same & of_language
    # by the scores as they are, so that settings of the loss compare
    correct = ranked_first(scores.detach().masked_fill(~(own | within | across), -torch.inf), positives)
    if alpha and intra and cross:
        scores = scores - within * alpha * mean_distance(scores.detach(), within, across)[:, None]
    seen = own | (within if intra else False) | (across if cross else False)
    scores = scores.masked_fill(~seen, -torch.inf)
    return Contrast(F.cross_entropy(scores, positives, reduction="sum"), correct, len(queries))


def mean_distance(scores: Tensor, within: Tensor, across: Tensor) -> Tensor:
    """``mean_intra - mean_cross`` of each row, (Q,); 0 where a row has negatives of one kind only.

    Args:
        scores: (Q, K).
        within, across: (Q, K) bool, the two kinds of negatives.
    """

    def mean(kind: Tensor) -> Tensor:
        return scores.masked_fill(~kind, 0).sum(dim=1) / kind.sum(dim=1).clamp(min=1)

    both = within.any(dim=1) & across.any(dim=1)
    return (mean(within) - mean(across)) * both
