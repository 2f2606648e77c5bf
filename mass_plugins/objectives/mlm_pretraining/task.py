"""Task ``mlm_pretraining``: a text encoder learns to restore masked tokens (Devlin et al. 2019).

What fairseq's own ``masked_lm`` lacks for it: whole-word masking without a BPE of fairseq's, several languages drawn by
temperature, masks that workers and batches don't change, a dictionary with a tokenizer's own ids, accuracy.
"""

from dataclasses import dataclass

from fairseq.tasks import register_task

from mass_plugins.errors import InputError
from mass_plugins.objectives.masked_text_task import MaskedTextConfig, MaskedTextTask
from mass_plugins.objectives.pretrained import PretrainedEmbeddingsConfig, load_pretrained_embeddings
from mass_plugins.objectives.training_task import Metrics


@dataclass
class MlmPretrainingConfig(PretrainedEmbeddingsConfig, MaskedTextConfig):
    """Those of masked text, and vectors to start from."""


@register_task("mlm_pretraining", dataclass=MlmPretrainingConfig)
class MlmPretrainingTask(MaskedTextTask):
    """Text of one language or more; the criterion is ``masked_tokens``."""

    cfg: MlmPretrainingConfig
    CRITERION = "masked_tokens"
    METRICS = Metrics(["accuracy"], ["loss", "ppl"])

    @classmethod
    def setup_task(cls, cfg: MlmPretrainingConfig, **kwargs):
        if cfg.pretrained_embeddings and cfg.pretrained_checkpoint:
            raise InputError(
                "--pretrained-embeddings has no effect beside --pretrained-checkpoint, which has its own; leave one of "
                "them out"
            )
        return super().setup_task(cfg, **kwargs)

    def build_model(self, cfg, from_checkpoint=False):
        model = super().build_model(cfg, from_checkpoint)
        if self.cfg.pretrained_embeddings and not from_checkpoint:
            vectors = self.cfg.pretrained_embeddings
            load_pretrained_embeddings(vectors, self, self.text.vocabulary, [model.embed_tokens])
        return model

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        self.datasets[split] = self.masked_text(split, epoch)
