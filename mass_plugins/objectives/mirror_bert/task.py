"""Task ``mirror_bert``: a text encoder learns from raw strings which of them are the same."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import torch
from fairseq.dataclass import ChoiceEnum
from fairseq.tasks import register_task

from mass_plugins.data.string_augmentation import SHORTEST
from mass_plugins.data.text_files import read_lines
from mass_plugins.errors import InputError
from mass_plugins.modules.pooling import POOLINGS
from mass_plugins.objectives.encoder_task import EncoderTask, EncoderTaskConfig
from mass_plugins.objectives.mirror_bert.dataset import MirrorDataset
from mass_plugins.objectives.mirror_bert.settings import MODES, resolve
from mass_plugins.objectives.mirror_bert.validation import SimilarityDataset, log_similarity, similarity_logs
from mass_plugins.objectives.training_task import Metrics

logger = logging.getLogger(__name__)

PADDED_TO = 64  # tokens, in encoding with mean_with_padding: the release's evaluation
MANY_EQUAL = 0.9  # share of strings without a second view from which on the loss means little


@dataclass
class MirrorBertConfig(EncoderTaskConfig):
    strings: Optional[str] = field(
        default=None, metadata={"help": "raw text to learn from, one string per line; plain, .gz, .xz or .bz2"}
    )
    mode: ChoiceEnum(tuple(MODES)) = field(
        default="sentence",
        metadata={
            "help": "what the strings are; sets the defaults of the four flags below: sentence 5, 0.04, 50, mean; "
            "phrase 2, 0.04, 25, cls; word 0, 0.2, 25, cls"
        },
    )
    span_characters: Optional[int] = field(
        default=None,
        metadata={"help": "characters masked in the second view of strings of 30 or more; 0: dropout alone"},
    )
    contrast_temperature: Optional[float] = field(default=None, metadata={"help": "of InfoNCE"})
    max_string_tokens: Optional[int] = field(
        default=None, metadata={"help": "tokens of a string, [CLS] and [SEP] included; longer ones lose their ends"}
    )
    pooling: Optional[ChoiceEnum(POOLINGS)] = field(
        default=None,
        metadata={
            "help": "token vectors to one vector: cls (the paper's for RoBERTa), mean over real tokens, "
            "mean_with_padding (the authors' code: over --max-string-tokens slots)"
        },
    )
    language: Optional[str] = field(
        default=None,
        metadata={"help": "of the strings, where the text pipeline cleans by language (default: its first)"},
    )
    random_batches: bool = field(
        default=False,
        metadata={"help": "batches of strings of all lengths, as the authors'; by default of similar length, faster"},
    )
    valid_pairs: Optional[str] = field(
        default=None,
        metadata={
            "help": "files of scored pairs, comma-separated, like stsb-en-dev.csv: validation logs the mean of "
            "their Spearman correlations x 100 as spearman"
        },
    )


@register_task("mirror_bert", dataclass=MirrorBertConfig)
class MirrorBertTask(EncoderTask):
    """Mirror-BERT (Liu et al. 2021), with the criterion ``mirror_bert``.

    ``data`` is a folder with the text pipeline, like the one that ``--pretrained-checkpoint`` is in.
    """

    cfg: MirrorBertConfig
    CRITERION = "mirror_bert"
    METRICS = Metrics(["spearman"])

    def __init__(self, cfg: MirrorBertConfig, text):
        super().__init__(cfg, text)
        pooling = None if cfg.pooling is None else str(cfg.pooling)
        self.settings = resolve(
            str(cfg.mode), cfg.span_characters, cfg.contrast_temperature, cfg.max_string_tokens, pooling
        )
        self.vectors_before: dict[str, Any] = {}  # how the model that it starts from makes them
        self.noisy = True  # whether dropout tells views apart that have the same tokens; the model's options say it
        text.check_language(cfg.language)

    def build_model(self, cfg, from_checkpoint=False):
        model = super().build_model(cfg, from_checkpoint)
        if self.settings.max_tokens > model.max_positions():
            raise InputError(
                f"--max-string-tokens {self.settings.max_tokens} is more than the model's {model.max_positions()} "
                "positions; lower it"
            )
        if not (self.cfg.pretrained_checkpoint or from_checkpoint):
            logger.warning("no --pretrained-checkpoint: Mirror-BERT brings out what a masked language model knows")
        self._describe_vectors(model.max_positions())
        self.noisy = max(cfg.dropout, cfg.attention_dropout, cfg.activation_dropout, cfg.drop_head) > 0
        # It has no part in the loss: DDP would wait for its gradients, weight decay would shrink it.
        model.lm_head.requires_grad_(False)
        return model

    def adopt(self, state: dict[str, Any], origin: str) -> None:
        super().adopt(state, origin)
        self.vectors_before = state.get("vectors", {})

    def _describe_vectors(self, positions: int) -> None:
        """Pooled as they are trained; unit length and longest text stay those of the model that it starts from."""
        pooling, before = self.settings.pooling, self.vectors_before
        if before and before["pooling"] != pooling:
            logger.warning(
                "the pretrained checkpoint makes vectors by %s; they are trained, and will be made, by %s (--pooling "
                "%s stays with the former)", before["pooling"], pooling, before["pooling"],
            )  # fmt: skip
        longest = before.get("max_tokens")
        if "mean_with_padding" in (pooling, before.get("pooling")):  # whose length is its padding's
            longest = min(PADDED_TO, positions) if pooling == "mean_with_padding" else None
        self.describe_vectors(pooling, before.get("normalize", False), longest)

    # -- data

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        if split != self.cfg.train_subset:
            self.datasets[split] = self._validation_set()
            return
        if not self.cfg.strings:
            raise InputError("no text to learn from; set --strings FILE, one string per line")
        settings = self.settings
        strings = [line for _, line in read_lines([Path(self.cfg.strings)], "--strings")]
        dataset = MirrorDataset(
            strings,
            self.text,
            settings.span,
            settings.max_tokens,
            self.cfg.seed,
            language=self.cfg.language,
            random_batches=self.cfg.random_batches,
            pad_to=settings.max_tokens if settings.pooling == "mean_with_padding" else 0,
        )
        if not self.noisy and dataset.equal_views() > MANY_EQUAL * len(dataset):
            logger.warning(
                "without dropout the two views of %d of %d strings are the same: of them it learns only to push others "
                "away; set --dropout 0.1, or --span-characters and strings of %d characters or more",
                dataset.equal_views(), len(dataset), SHORTEST,
            )  # fmt: skip
        self.datasets[split] = dataset

    def _validation_set(self) -> SimilarityDataset:
        paths = [Path(name) for name in (self.cfg.valid_pairs or "").split(",") if name.strip()]
        if not paths:
            raise InputError(
                "nothing to validate on; set --valid-pairs FILE, scored pairs like stsb-en-dev.csv, "
                "or --disable-validation"
            )
        return SimilarityDataset(paths, self.text, self.settings, self.cfg.language)

    # -- steps

    def valid_step(self, sample, model, criterion):
        """Spearman of the sets of pairs in ``sample``."""
        with torch.no_grad(), self.autocast(model):
            logs = similarity_logs(sample, model, self.settings.pooling, self.text.vocabulary.pad)
        return 0.0, logs["sample_size"], logs

    def reduce_metrics(self, logging_outputs, criterion):
        if any("_spearman" in log for log in logging_outputs):
            log_similarity(logging_outputs)
        else:
            super().reduce_metrics(logging_outputs, criterion)
