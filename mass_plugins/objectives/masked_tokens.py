"""The masked-LM loss of a batch, as every criterion with masked text computes and logs it."""

import math

from fairseq import metrics, utils
from torch import Tensor

from mass_plugins.losses.masked_lm import MaskedLm, masked_lm


def masked_token_loss(model, hidden: Tensor, sample: dict) -> MaskedLm:
    """Hidden states (B, S, D) of a batch -> its loss; only masked slots are projected to the vocabulary."""
    slots = sample["masked_slots"]
    masked = hidden.reshape(-1, hidden.shape[-1]).index_select(0, slots)
    return masked_lm(model.lm_logits(masked), sample["target"].reshape(-1).index_select(0, slots))


def log_masked_tokens(logging_outputs, prefix: str = "") -> None:
    """Log loss in bits a token, perplexity, and the share of tokens that the model ranks first.

    Of each of ``logging_outputs`` ``<prefix>loss``, ``<prefix>correct`` and ``<prefix>sample_size`` are added up.
    """
    names = ("loss", "correct", "sample_size")
    loss, correct, count = (sum(log.get(prefix + name, 0) for log in logging_outputs) for name in names)
    if count == 0:
        return
    metrics.log_scalar(f"{prefix}loss", loss / count / math.log(2), count, round=3)
    metrics.log_derived(f"{prefix}ppl", lambda meters: utils.get_perplexity(meters[f"{prefix}loss"].avg))
    metrics.log_scalar(f"{prefix}accuracy", 100 * correct / count, count, round=2)
