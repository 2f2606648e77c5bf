"""Criterion ``masked_tokens``: cross-entropy of the tokens under the masks."""

from fairseq.criterions import register_criterion

from mass_plugins.objectives.criterion import SummedCriterion
from mass_plugins.objectives.masked_tokens import log_masked_tokens, masked_token_loss


@register_criterion("masked_tokens")
class MaskedTokensCriterion(SummedCriterion):
    """The batch is that of :mod:`mass_plugins.data.masked_text`; only masked slots are projected to the vocabulary."""

    def forward(self, model, sample, reduce=True):
        """A batch -> the loss's sum in nats, its denominator (masked tokens), what is logged."""
        hidden = model(**sample["net_input"])
        found = masked_token_loss(model, hidden, sample)
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
        log_masked_tokens(logging_outputs)
