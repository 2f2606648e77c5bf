"""The masked-LM loss of a batch, as every criterion with masked text computes and logs it."""

from typing import Optional

from fairseq import metrics, utils
from torch import Tensor

from mass_plugins.losses.cross_entropy import TokenLoss, projected_cross_entropy
from mass_plugins.objectives.logs import log_bits, log_share, total


def token_loss(model, states: Tensor, slots: Tensor, targets: Tensor) -> TokenLoss:
    """The MLM head's loss at some slots; no others are projected to the vocabulary.

    Args:
        model: a ``TextEncoder``.
        states: (B, S, D).
        slots: (N,) int64, of the flattened batch.
        targets: (N,) int64, the tokens to restore there.
    """
    rows = states.reshape(-1, states.shape[-1]).index_select(0, slots)
    return projected_cross_entropy(model.lm_head.transform(rows), model.output_weight, model.lm_head.bias, targets)


def masked_token_loss(model, hidden: Tensor, sample: dict) -> TokenLoss:
    """Hidden states (B, S, D) of a batch of masked text -> its loss (Devlin et al. 2019, section 3.1)."""
    slots = sample["masked_slots"]
    return token_loss(model, hidden, slots, sample["target"].reshape(-1).index_select(0, slots))


def log_masked_tokens(logging_outputs, prefix: str = "") -> None:
    """Log loss in bits a token, perplexity, and the share of tokens that the model ranks first.

    Of each of ``logging_outputs`` ``<prefix>loss``, ``<prefix>correct`` and ``<prefix>sample_size`` are added up. Where
    an interval has no such tokens, perplexity is None as the loss is, which fairseq's own would make 0.
    """
    loss, count = f"{prefix}loss", f"{prefix}sample_size"
    log_bits(logging_outputs, loss, loss, count)
    if total(logging_outputs, count):
        metrics.log_derived(f"{prefix}ppl", lambda meters: _perplexity(meters[loss].avg))
    log_share(logging_outputs, f"{prefix}accuracy", f"{prefix}correct", count)


def _perplexity(bits: Optional[float]) -> Optional[float]:
    return None if bits is None else utils.get_perplexity(bits)
