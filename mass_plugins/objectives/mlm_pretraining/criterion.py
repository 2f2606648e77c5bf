"""Criterion ``masked_tokens``: cross-entropy of the tokens under the masks."""

import math

from fairseq import metrics, utils
from fairseq.criterions import FairseqCriterion, register_criterion

from mass_plugins.losses.masked_lm import masked_lm


@register_criterion("masked_tokens")
class MaskedTokensCriterion(FairseqCriterion):
    """The batch is that of :mod:`mass_plugins.data.masked_text`; only masked slots are projected to the vocabulary."""

    def forward(self, model, sample, reduce=True):
        """A batch -> the loss's sum in nats, its denominator (masked tokens), what is logged."""
        hidden = model(**sample["net_input"])
        slots = sample["masked_slots"]
        masked = hidden.reshape(-1, hidden.shape[-1]).index_select(0, slots)
        found = masked_lm(model.lm_logits(masked), sample["target"].reshape(-1).index_select(0, slots))
        logging_output = {
            "loss": found.loss.detach(),
            "correct": found.correct,
            "ntokens": sample["ntokens"],
            "nsentences": sample["nsentences"],
            "sample_size": found.tokens,
        }
        return found.loss, found.tokens, logging_output

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Log loss in bits a token, perplexity, and the share of tokens that the model ranks first."""
        total = {key: sum(log.get(key, 0) for log in logging_outputs) for key in ("loss", "correct", "sample_size")}
        count = total["sample_size"]
        if count == 0:
            return
        metrics.log_scalar("loss", total["loss"] / count / math.log(2), count, round=3)
        metrics.log_derived("ppl", lambda meters: utils.get_perplexity(meters["loss"].avg))
        metrics.log_scalar("accuracy", 100 * total["correct"] / count, count, round=2)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
