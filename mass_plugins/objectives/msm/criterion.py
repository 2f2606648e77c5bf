"""Criterion ``msm``: masked tokens of running text, masked units of documents."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from fairseq.criterions import register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from mass_plugins.errors import InputError
from mass_plugins.losses.hierarchical import Units, hierarchical_contrast
from mass_plugins.losses.info_nce import Contrast
from mass_plugins.modules.all_gather import all_gather_rows
from mass_plugins.objectives.criterion import SummedCriterion, check_not_negative, check_positive
from mass_plugins.objectives.logs import log_bits, log_share
from mass_plugins.objectives.masked_tokens import log_masked_tokens, masked_token_loss


@dataclass
class MsmCriterionConfig(FairseqDataclass):
    temperature: float = field(default=0.1, metadata={"help": "divides the cosines (paper: 0.1)"})
    hierarchical_alpha: float = field(
        default=0.5,
        metadata={
            "help": "how far negatives of the same document are lowered (paper: 0.5); 0: not at all, nor without "
            "negatives of either kind"
        },
    )
    without_intra_negatives: bool = field(
        default=False, metadata={"help": "no negatives of the same document (an ablation of the paper's)"}
    )
    without_cross_negatives: bool = field(
        default=False, metadata={"help": "no negatives of other documents (an ablation of the paper's)"}
    )
    negatives_across_ranks: bool = field(
        default=False, metadata={"help": "negatives of the other processes, too, with gradient (release: no)"}
    )
    document_weight: float = field(
        default=0.0,
        metadata={
            "help": "masked tokens that a unit counts for in the loss; 0: as many as make both kinds of batches count "
            "alike, masked tokens of a batch of text over units of a batch of documents (release: 8.64)"
        },
    )


@register_criterion("msm", dataclass=MsmCriterionConfig)
class MsmCriterion(SummedCriterion):
    """A batch has masked text or documents; both parts are computed of every batch, of no rows where it has none.

    So every process takes part in the collectives whichever kind its batch is, and no parameter is without gradient.
    """

    def __init__(self, task, temperature, hierarchical_alpha, without_intra_negatives, without_cross_negatives,
                 negatives_across_ranks, document_weight):  # fmt: skip
        super().__init__(task)
        check_positive("--temperature", temperature, "; the paper's is 0.1")
        check_not_negative("--hierarchical-alpha", hierarchical_alpha)
        check_not_negative("--document-weight", document_weight)
        if without_intra_negatives and without_cross_negatives:
            raise InputError("--without-intra-negatives and --without-cross-negatives leave no negatives; drop one")
        self.temperature, self.alpha, self.document_weight = temperature, hierarchical_alpha, document_weight
        self.intra, self.cross = not without_intra_negatives, not without_cross_negatives
        self.across_ranks = negatives_across_ranks

    def forward(self, model, sample, reduce=True):
        """A batch -> the loss's sum, its denominator, what is logged.

        A unit counts ``--document-weight`` tokens in the loss, and in the denominator as many as make both kinds of
        batches count alike, whatever the weight: were it the same in both, the weight would cancel in an update that
        has documents alone, as every other update has with one process and one batch an update.
        """
        hidden = model(**sample["net_input"])
        text = masked_token_loss(model, hidden, sample)
        found = self.compare(model, hidden, sample)
        weight = self.document_weight or self.task.balance
        loss, size = text.loss + weight * found.loss, text.tokens + self.task.balance * found.anchors
        logged = {
            "loss": loss.detach(),
            "sample_size": size,
            "mlm_loss": text.loss.detach(),
            "mlm_correct": text.correct,
            "mlm_sample_size": text.tokens,
            "unit_loss": found.loss.detach(),
            "unit_correct": found.correct,
            "units": found.anchors,
            "ntokens": sample["ntokens"],
            "nsentences": sample["nsentences"],
        }
        return loss, size, logged

    def compare(self, model, hidden: Tensor, sample: dict) -> Contrast:
        """The documents' part, of hidden states (N, S, D) of their units; a batch of text has none."""
        documents = sample.get("documents")
        if documents is None or sample.get("dummy", False):
            nothing = torch.zeros(0, dtype=torch.int64, device=hidden.device)
            documents = {"real": nothing[:, None].bool(), "document": nothing, "copy": nothing, "language": nothing}
        real, units = documents["real"], Units(*(documents[name] for name in Units._fields))
        tokens = sample["net_input"]["src_tokens"]
        vectors = model.unit_vectors(hidden[: len(units.document)], tokens[: len(units.document)])  # (N, D), s_t
        padded = vectors.new_zeros(*real.shape, vectors.shape[1]).index_put((real,), vectors)
        queries = F.normalize(model.query_head(model.predict_units(padded, real)), dim=-1)
        keys = F.normalize(model.key_head(vectors), dim=-1)
        offset, key_units = 0, units
        if self.across_ranks:
            keys, offset = all_gather_rows(keys)
            key_units = Units(*all_gather_rows(torch.stack(units, dim=1)).rows.unbind(dim=1))
        positives = offset + torch.arange(len(queries), device=queries.device)
        return hierarchical_contrast(
            queries, keys, units, key_units, positives, self.temperature, self.alpha, self.intra, self.cross
        )

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Log each part in bits, and how often the masked unit comes before all others."""
        log_bits(logging_outputs, "loss", "loss", "sample_size")
        log_masked_tokens(logging_outputs, "mlm_")
        log_bits(logging_outputs, "unit_loss", "unit_loss", "units")
        log_share(logging_outputs, "unit_accuracy", "unit_correct", "units")
