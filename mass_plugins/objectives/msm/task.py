"""Task ``msm_pretraining``: an encoder learns vectors from which a document's missing unit can be told.

Batches of documents and of masked running text alternate at random; the criterion is ``msm``.
"""

import logging
from dataclasses import dataclass, field
from typing import Optional, Sequence

import numpy as np
from fairseq import utils
from fairseq.data import data_utils
from fairseq.tasks import register_task
from omegaconf import II

from mass_plugins.data.binarized import monolingual_languages
from mass_plugins.data.concatenated import ConcatenatedDataset
from mass_plugins.data.documents import DocumentDataset, DocumentStream, document_languages, open_documents
from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.errors import InputError
from mass_plugins.models.msm import Msm
from mass_plugins.objectives.masked_text_task import MaskedTextConfig, MaskedTextTask
from mass_plugins.objectives.msm.criterion import MsmCriterionConfig
from mass_plugins.objectives.training_task import Metrics, refuse_idle

logger = logging.getLogger(__name__)


@dataclass
class MsmPretrainingConfig(MaskedTextConfig):
    documents: Optional[str] = field(
        default=None,
        metadata={
            "help": "folder of documents, as preprocess/prepare_documents.py writes it, or several shards a:b; required"
        },
    )
    text_share: float = field(
        default=0.5, metadata={"help": "share of the batches that are masked running text (0: documents alone)"}
    )
    max_tokens: Optional[int] = II("dataset.max_tokens")
    batch_size: Optional[int] = II("dataset.batch_size")
    required_batch_size_multiple: int = II("dataset.required_batch_size_multiple")


_SAMPLED = 100  # batches of text that are masked to know how many tokens of one are

# What documents don't read.
_OF_TEXT = ("mask_ratio", "whole_words", "mask_keep_rand", "mask_sets", "sample_break_mode", "tokens_per_sample",
            "long_lines", "separate_languages")  # fmt: skip


@register_task("msm_pretraining", dataclass=MsmPretrainingConfig)
class MsmPretrainingTask(MaskedTextTask):
    """Documents of one language or more beside masked text of the same; the architectures are ``msm*``."""

    cfg: MsmPretrainingConfig
    CRITERION = "msm"
    MODEL = Msm
    balance: Optional[float] = None  # masked tokens of a batch of text over units of a batch of documents
    positions: float = np.inf  # of the model
    most_units: float = np.inf  # of a document, by the model

    @classmethod
    def setup_task(cls, cfg: MsmPretrainingConfig, **kwargs):
        if not cfg.documents:
            raise InputError(
                "no documents to learn from; set --documents to a folder of preprocess/prepare_documents.py"
            )
        task = super().setup_task(cfg, **kwargs)
        if not 0 <= cfg.text_share < 1:
            raise InputError(f"--text-share {cfg.text_share} is not in [0, 1); without documents take mlm_pretraining")
        for folder in utils.split_paths(cfg.documents):
            if not task.text.equals(EncoderText.load(folder)):
                raise InputError(
                    f"{folder} was prepared with another tokenizer than {cfg.data}; prepare the documents with "
                    "prepare_documents.py --like of that folder"
                )
        return task

    def check_flags(self, model) -> None:
        super().check_flags(model)
        if not self.cfg.text_share:
            refuse_idle(self.cfg, MsmPretrainingConfig, _OF_TEXT, "on --text-share 0")

    def check_objective(self, criterion) -> None:
        for name in ("without_intra_negatives", "without_cross_negatives"):
            if criterion[name]:
                idle = ["hierarchical_alpha", *["negatives_across_ranks"] * ("cross" in name)]
                refuse_idle(criterion, MsmCriterionConfig, idle, f"beside --{name.replace('_', '-')}")

    def metrics(self, criterion) -> Metrics:
        scores, losses = ["unit_accuracy"], ["loss", "unit_loss"]
        if self.cfg.text_share:
            return Metrics([*scores, "mlm_accuracy"], [*losses, "mlm_loss", "mlm_ppl"])
        return Metrics(scores, losses)

    def build_model(self, cfg, from_checkpoint=False):
        model = super().build_model(cfg, from_checkpoint)
        self.positions, self.most_units = model.max_positions(), cfg.units_per_document
        return model

    def vector_pooling(self, cfg) -> str:
        return str(cfg.unit_pooling)

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        training, share = split == self.cfg.train_subset, self.cfg.text_share
        documents = self.load_documents(split, epoch)
        if not share:
            self.balance = 1.0
            self.datasets[split] = ConcatenatedDataset({"documents": documents})
            return
        text = self.masked_text(split, epoch)
        self._warn_of_missing_languages(split, epoch)
        if training:
            of_documents, of_text = self.cut(documents), self.cut(text)
            units = sum(int(documents.counts[batch].sum()) for batch in of_documents) / len(of_documents)
            self.balance = masked_tokens(text, of_text) / units
            places = len(text) * len(of_documents) * share / (1 - share) / len(of_text)
            text = self.masked_text(split, epoch, max(1, round(places)))
        elif self.balance is None:  # without a training set; its loss goes by the slots of a unit
            self.balance = float(self.build_masker().ratio * documents.source_sizes.sum() / documents.units)
        self.datasets[split] = ConcatenatedDataset({"documents": documents, "text": text})

    def _warn_of_missing_languages(self, split: str, epoch: int) -> None:
        """Log the languages that only text or only documents have; with ``--langs`` both have all."""
        of_text = set(self.languages(self.shard(split, epoch)[0], split, monolingual_languages))
        of_documents = set(self.languages(self.shard(split, epoch, self.cfg.documents)[0], split, document_languages))
        for what, other, found in (
            ("text", "documents", of_text - of_documents),
            ("documents", "text", of_documents - of_text),
        ):
            if found:
                logger.warning("%s: %s without %s in %s", split, what, other, ", ".join(sorted(found)))

    def has_sharded_data(self, split: str) -> bool:
        """Whether fairseq loads the split anew for each epoch: shards of text, of documents, or of both."""
        return super().has_sharded_data(split) or len(utils.split_paths(self.cfg.documents)) > 1

    def cut(self, dataset: MixtureDataset) -> list[Sequence[int]]:
        """The batches of an epoch; what is too long for the model ends it as fairseq's own batching would.

        Raises:
            InputError: nothing is left of it.
        """
        limit = min(self.positions, self.cfg.max_tokens or np.inf)
        with data_utils.numpy_seed(self.cfg.seed):  # lengths that are equal come in any order
            order = dataset.ordered_indices()
        indices, _ = dataset.filter_indices_by_size(order, limit)
        batches = dataset.batch_by_size(
            indices,
            max_tokens=self.cfg.max_tokens,
            max_sentences=self.cfg.batch_size,
            required_batch_size_multiple=self.cfg.required_batch_size_multiple,
        )
        if not batches:
            raise InputError(
                f"--long-lines {self.cfg.long_lines} leaves no text to train on; raise --max-positions or --max-tokens"
            )
        return batches

    def load_documents(self, split: str, epoch: int) -> DocumentDataset:
        """The split's documents of all languages.

        Raises:
            InputError: documents that are missing, damaged, or longer than the model's.
        """
        folder, shards = self.shard(split, epoch, self.cfg.documents)
        streams = []
        for number, language in enumerate(self.languages(folder, split, document_languages)):
            documents = open_documents(folder, split, language, self.text.dictionary)
            name = f"{folder}, {split} {language}"
            stream = DocumentStream(name, documents, number, self.text.vocabulary, self.text.cls)
            longest = int(documents.counts.argmax())
            if documents.counts[longest] > self.most_units:
                raise InputError(
                    f"{stream.locate(longest)} has {documents.counts[longest]} units, more than --units-per-document "
                    f"{self.most_units}; raise it, or prepare shorter documents (prepare_documents.py --units)"
                )
            streams.append(stream)
        fixed = split != self.cfg.train_subset
        return DocumentDataset(streams, self.cfg.seed, self.cfg.language_alpha, fixed, shards)


def masked_tokens(text: MixtureDataset, batches: list[Sequence[int]]) -> float:
    """Of a batch of masked text, the mean over an epoch, by up to 100 batches of all lengths."""
    chosen = batches[:: -(-len(batches) // _SAMPLED)]
    return sum(text.collater([text[int(place)] for place in batch])["ntokens"] for batch in chosen) / len(chosen)
