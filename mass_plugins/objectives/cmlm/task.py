"""Task ``cmlm_pretraining``: restore a text's masked tokens with the help of the vector of the text before it."""

from dataclasses import dataclass, field

from fairseq.tasks import register_task
from omegaconf import MISSING

from mass_plugins.data.documents import document_languages, open_documents
from mass_plugins.errors import InputError
from mass_plugins.models.cmlm import Cmlm
from mass_plugins.objectives.cmlm.dataset import PairDataset, PairStream
from mass_plugins.objectives.masked_text_task import MaskingConfig, MaskingTask
from mass_plugins.objectives.training_task import Metrics


@dataclass
class CmlmPretrainingConfig(MaskingConfig):
    data: str = field(
        default=MISSING,
        metadata={
            "help": "folder of documents, as preprocess/prepare_documents.py writes it, or several shards a:b, one per "
            "epoch"
        },
    )


@register_task("cmlm_pretraining", dataclass=CmlmPretrainingConfig)
class CmlmPretrainingTask(MaskingTask):
    """Adjacent units of documents; the criterion is ``masked_tokens``, the architectures ``cmlm*``."""

    cfg: CmlmPretrainingConfig
    CRITERION = "masked_tokens"
    METRICS = Metrics(["accuracy"], ["loss", "ppl"])
    MODEL = Cmlm

    def vector_pooling(self, cfg) -> str:
        return str(cfg.condition_pooling)

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        folder, shards = self.shard(split, epoch)
        masker, streams = self.build_masker(), []
        for language in self.languages(folder, split, document_languages):
            documents = open_documents(folder, split, language, self.text.dictionary)
            if documents.counts.max() < 2:
                raise InputError(
                    f"{folder}, {split} {language}: no document has two units, and no unit a neighbour; prepare the "
                    "documents with shorter units (prepare_documents.py --unit-tokens or --no-packing)"
                )
            streams.append(PairStream(f"{folder}, {split} {language}", documents, masker, self.text.cls))
        self.datasets[split] = PairDataset(streams, **self.mixture_options(split, shards))
