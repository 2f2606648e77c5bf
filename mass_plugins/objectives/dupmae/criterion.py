"""Criterion ``dupmae``: ``L_enc + w_dec * L_dec + w_bow * L_bow``."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from fairseq.criterions import register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from mass_plugins.losses.cross_entropy import TokenLoss, bag_of_words
from mass_plugins.objectives.criterion import SummedCriterion, check_not_negative
from mass_plugins.objectives.logs import log_bits, log_share
from mass_plugins.objectives.masked_tokens import token_loss

PARTS = ("encoder", "decoder", "bow")


@dataclass
class DupMaeCriterionConfig(FairseqDataclass):
    decoder_weight: float = field(
        default=1.0,
        metadata={"help": "of the decoder's loss; 0 leaves it out (with --bow-weight 0 an MLM is left)"},
    )
    bow_weight: float = field(
        default=1.0,
        metadata={
            "help": "of the bag-of-words loss (paper: 1 with sums, release: 0.1); 0 leaves it out (RetroMAE, with "
            "--decoder-queries plain)"
        },
    )


class Losses(NamedTuple):
    """Each part's sum with its denominator: masked tokens, ordinary tokens, texts."""

    encoder: TokenLoss
    decoder: TokenLoss
    bow: Tensor
    texts: int


@register_criterion("dupmae", dataclass=DupMaeCriterionConfig)
class DupMaeCriterion(SummedCriterion):
    """The batch is that of ``objectives/dupmae/dataset.py``; only slots that carry a loss are projected."""

    def __init__(self, task, decoder_weight: float, bow_weight: float):
        super().__init__(task)
        check_not_negative("--decoder-weight", decoder_weight)
        check_not_negative("--bow-weight", bow_weight)
        self.decoder_weight, self.bow_weight = decoder_weight, bow_weight

    def forward(self, model, sample, reduce=True):
        """A batch -> loss, sample size, what is logged.

        Each part is the mean of its own denominator within the batch, as in the paper, and their sum counts once for
        each text: of several batches or processes the mean of a text is taken.
        """
        losses, count = self.losses(model, sample), sample["nsentences"]
        means = {
            "encoder": losses.encoder.loss / max(1, losses.encoder.tokens),
            "decoder": losses.decoder.loss / max(1, losses.decoder.tokens),
            "bow": losses.bow / max(1, losses.texts),
        }
        loss = means["encoder"] + self.decoder_weight * means["decoder"] + self.bow_weight * means["bow"]
        logged = {
            "loss": loss.detach() * count,
            "nsentences": count,
            "sample_size": count,
            "ntokens": sample["ntokens"],
        }
        sums = (losses.encoder.loss, losses.decoder.loss, losses.bow)
        for part, total, size in zip(PARTS, sums, (losses.encoder.tokens, losses.decoder.tokens, losses.texts)):
            logged |= {f"{part}_loss": total.detach(), f"{part}_count": size}
        logged |= {"encoder_correct": losses.encoder.correct, "decoder_correct": losses.decoder.correct}
        return loss * count, count, logged

    def losses(self, model, sample) -> Losses:
        """The three parts; one whose weight is 0 is not computed."""
        hidden = model(**sample["net_input"])
        text, masked, slots = sample["text"], sample["masked_slots"], sample["ordinary_slots"]
        tokens = text.reshape(-1)
        encoder = token_loss(model, hidden, masked, tokens.index_select(0, masked))
        decoder, bow, texts = TokenLoss(hidden.new_zeros(()), tokens.new_zeros(()), 0), hidden.new_zeros(()), 0
        if self.decoder_weight and len(slots):
            states = model.decode(hidden[:, 0], text, sample["seen"], sample["of_row"])
            width = text.shape[1]  # the decoder leaves out the first and the last row
            of_decoder = slots // width * (width - 2) + slots % width - 1
            decoder = token_loss(model, states, of_decoder, tokens.index_select(0, slots))
        if self.bow_weight and len(sample["bow_rows"]):
            mu = model.bag_of_words(hidden, sample["bow_positions"])
            bow = bag_of_words(mu, sample["bow_rows"], sample["bow_tokens"], sample["bow_shares"])
            texts = int(torch.unique(sample["bow_rows"]).numel())
        return Losses(encoder, decoder, bow, texts)

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Log each part in bits: a token's, a text's mean over its words."""
        log_bits(logging_outputs, "loss", "loss", "sample_size")
        for part in PARTS:
            log_bits(logging_outputs, f"{part}_loss", f"{part}_loss", f"{part}_count")
        for part in ("encoder", "decoder"):
            log_share(logging_outputs, f"{part}_accuracy", f"{part}_correct", f"{part}_count")
