"""Task ``mlm_pretraining``: a text encoder learns to restore masked tokens (Devlin et al. 2019).

What fairseq's own ``masked_lm`` lacks for it: whole-word masking without a BPE of fairseq's, several languages drawn by
temperature, masks that workers and batches don't change, a dictionary with a tokenizer's own ids, accuracy.
"""

from dataclasses import dataclass

from fairseq.tasks import register_task

from mass_plugins.objectives.masked_text_task import MaskedTextConfig, MaskedTextTask
from mass_plugins.objectives.training_task import Metrics


@dataclass
class MlmPretrainingConfig(MaskedTextConfig):
    """The options of masked text, and no others."""


@register_task("mlm_pretraining", dataclass=MlmPretrainingConfig)
class MlmPretrainingTask(MaskedTextTask):
    """Text of one language or more; the criterion is ``masked_tokens``."""

    cfg: MlmPretrainingConfig
    CRITERION = "masked_tokens"
    METRICS = Metrics(["accuracy"], ["loss", "ppl"])

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        self.datasets[split] = self.masked_text(split, epoch)
