"""Criteria ``retrieval`` (a retriever's) and ``relevance`` (a cross-encoder's)."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from fairseq.criterions import register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from mass_plugins.errors import InputError
from mass_plugins.losses.info_nce import info_nce, ranked_first
from mass_plugins.losses.retrieval import as_rows, distillation, group_scores, hidden_positives
from mass_plugins.models.retriever import Represented
from mass_plugins.modules.all_gather import all_gather_rows
from mass_plugins.objectives.criterion import SummedCriterion, check_not_negative, check_positive
from mass_plugins.objectives.logs import log_bits, log_share


@dataclass
class RetrievalCriterionConfig(FairseqDataclass):
    temperature: float = field(default=1.0, metadata={"help": "divides the scores in the contrast (paper: 1)"})
    contrastive_weight: float = field(
        default=1.0,
        metadata={"help": "of the contrast with the passages of the whole batch, across processes"},
    )
    distillation_weight: float = field(
        default=0.0, metadata={"help": "of the teacher's scores of a query's own passages (the paper's third stage)"}
    )
    distillation_temperature: float = field(default=1.0, metadata={"help": "divides both sides' scores"})


@register_criterion("retrieval", dataclass=RetrievalCriterionConfig)
class RetrievalCriterion(SummedCriterion):
    """Each query against the passages of all queries, and its own group's in the order of a teacher."""

    def __init__(self, task, temperature, contrastive_weight, distillation_weight, distillation_temperature):
        super().__init__(task)
        check_positive("--temperature", temperature)
        check_positive("--distillation-temperature", distillation_temperature)
        check_not_negative("--contrastive-weight", contrastive_weight)
        check_not_negative("--distillation-weight", distillation_weight)
        if contrastive_weight + distillation_weight == 0:
            raise InputError("--contrastive-weight and --distillation-weight are 0, nothing is left; set one of them")
        self.temperature, self.distillation_temperature = temperature, distillation_temperature
        self.contrastive_weight, self.distillation_weight = contrastive_weight, distillation_weight

    def forward(self, model, sample, reduce=True):
        """A batch -> the loss's sum over queries, their number, what is logged."""
        queries = model(sample["queries"], role="queries")
        return self.compare(queries, model(sample["passages"], role="documents"), sample)

    def compare(self, queries: Represented, passages: Represented, sample):
        """The loss of represented texts: apart from the encoder, for gradient caching.

        A dummy batch, which only keeps this process in step with the others, gives no passages away.
        """
        dummy = sample.get("dummy", False)
        count, keep = sample["nsentences"], 0 if dummy else None
        everyone, offset, keys = self._gather(passages, sample["passage_keys"], keep)
        vocabulary = 0 if queries.values is None else queries.values.shape[1]
        own = as_rows(*queries, vocabulary)
        if dummy:
            nothing = 0 * (everyone.sum() + own.sum() + sum(part.sum() for part in passages.differentiable()))
            return nothing, count, self._log(nothing, nothing, nothing, 0, 0)
        group = len(sample["passages"]) // count
        place = offset + group * torch.arange(count, device=own.device)
        hidden = hidden_positives(keys, sample["positive_keys"], place)
        contrast = info_nce(own, everyone, place, self.temperature, "dot", hidden)
        distilled = own.new_zeros(())
        if self.distillation_weight:
            theirs = as_rows(*passages, vocabulary).view(count, group, -1)
            distilled = distillation(group_scores(own, theirs), sample["teacher"], self.distillation_temperature)
        loss = self.contrastive_weight * contrast.loss + self.distillation_weight * distilled
        return loss, count, self._log(loss, contrast.loss, distilled, contrast.correct, count)

    def _gather(self, passages: Represented, keys: Tensor, keep) -> tuple[Tensor, int, Tensor]:
        """Rows of the passages of all processes, where one's own begin, and their keys."""
        parts = [None if part is None else part[:keep] for part in passages]
        compact = all_gather_rows(torch.cat([part for part in parts[:2] if part is not None], dim=1))
        entries = None if parts[2] is None else all_gather_rows(parts[2]).rows
        width = 0 if passages.cls is None else passages.cls.shape[1]
        cls = compact.rows[:, :width] if width else None
        values = compact.rows[:, width:] if entries is not None else None
        rows = as_rows(cls, values, entries, self.task.vocabulary_size)
        return rows, compact.offset, all_gather_rows(keys[:keep, None]).rows.squeeze(1)

    @staticmethod
    def _log(loss, contrast, distilled, correct, count) -> dict:
        parts = {"loss": loss, "contrast": contrast, "distilled": distilled}
        logged = {name: torch.as_tensor(value).detach() for name, value in parts.items()}
        # A tensor of a dummy batch's, too: fairseq adds up tensors and numbers of the processes apart from each other
        logged["correct"] = torch.as_tensor(correct, device=loss.device)
        return logged | {"nsentences": count, "sample_size": count, "ntokens": count}

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Log losses in bits a query and the share of queries whose positive is ahead of all else in the batch."""
        for name in ("loss", "contrast", "distilled"):
            log_bits(logging_outputs, name, name, "sample_size")
        log_share(logging_outputs, "accuracy", "correct", "sample_size")


@register_criterion("relevance")
class RelevanceCriterion(SummedCriterion):
    """A cross-encoder's cross-entropy of the positive among its group (Nogueira and Cho 2019, with a softmax)."""

    def forward(self, model, sample, reduce=True):
        """A batch -> the loss's sum over queries, their number, what is logged."""
        count = sample["nsentences"]
        scores = model(sample["pairs"]).view(count, -1)
        first = torch.zeros(count, dtype=torch.int64, device=scores.device)
        loss = F.cross_entropy(scores, first, reduction="sum")
        correct = ranked_first(scores, first)
        logged = {"loss": loss.detach(), "correct": correct, "nsentences": count, "sample_size": count}
        return loss, count, logged | {"ntokens": sample["ntokens"]}

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Log the loss in bits a query and the share of queries whose positive comes first."""
        log_bits(logging_outputs, "loss", "loss", "sample_size")
        log_share(logging_outputs, "accuracy", "correct", "sample_size")
