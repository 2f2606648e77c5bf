"""Criterion ``mirror_bert``: InfoNCE over the two views of all strings of all processes."""

from fairseq.criterions import register_criterion

from mass_plugins.losses.info_nce import two_view_info_nce
from mass_plugins.modules.all_gather import all_gather_rows
from mass_plugins.modules.pooling import pool, real_slots
from mass_plugins.objectives.criterion import SummedCriterion
from mass_plugins.objectives.logs import log_bits, log_share

# the same keys, and tensors for the same ones, from every process: fairseq sums them key by key
LOGGED = ("loss", "correct", "ntokens", "nsentences", "sample_size")


@register_criterion("mirror_bert")
class MirrorBertCriterion(SummedCriterion):
    """One forward pass over the views of a batch, pooled, and :func:`two_view_info_nce`.

    Its settings (temperature, pooling) are the task's, for they depend on what the strings are.
    """

    def __init__(self, task):
        super().__init__(task)
        self.settings = task.settings

    @classmethod
    def build_criterion(cls, cfg, task):
        return cls(task)

    def forward(self, model, sample, reduce=True):
        """(summed loss in nats, anchors, logs).

        ``sample["dummy"]``: a dummy batch of a process that has no batch left; it takes part in what is
        collective and gives no negatives.
        """
        tokens = sample["net_input"]["src_tokens"]
        hidden = model(**sample["net_input"])
        real = real_slots(tokens, self.padding_idx)
        vectors = pool(hidden, real, self.settings.pooling).float()  # for sums over processes
        if sample.get("dummy"):
            gathered = all_gather_rows(vectors[:0])
            nothing = (gathered.rows.sum() + vectors.sum()) * 0
            zero = nothing.detach()
            return nothing, 0, dict(zip(LOGGED, (zero, zero, 0, 0, 0)))
        found = two_view_info_nce(vectors, self.settings.temperature, *all_gather_rows(vectors))
        logged = (found.loss.detach(), found.correct, sample["ntokens"], sample["nsentences"], found.anchors)
        return found.loss, found.anchors, dict(zip(LOGGED, logged))

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """``loss`` in bits, as fairseq's others; ``accuracy``: anchors that are closest to their other view, in %."""
        log_bits(logging_outputs, "loss", "loss", "sample_size")
        log_share(logging_outputs, "accuracy", "correct", "sample_size")
