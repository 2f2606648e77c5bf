"""Task ``dupmae_pretraining``: an encoder learns to put a text into one vector and into a bag of words.

RetroMAE is DupMAE with ``--bow-weight 0 --decoder-queries plain``; with ``--bow-weight 0 --decoder-weight 0`` a masked
language model is left, with the same text, masks and batches.
"""

from dataclasses import dataclass, field

from fairseq.dataclass import ChoiceEnum
from fairseq.tasks import register_task

from mass_plugins.data.dupmae_masking import DupMaeMasker
from mass_plugins.data.replacement import Replacement
from mass_plugins.models.dupmae import DupMae, DupMaeOptions
from mass_plugins.objectives.dupmae.dataset import BOW_POSITIONS, BOW_TARGETS, DupMaeDataset
from mass_plugins.objectives.masked_text_task import TextConfig, TextTask
from mass_plugins.objectives.training_task import Metrics, refuse_idle


@dataclass
class DupMaePretrainingConfig(TextConfig):
    mask_ratio: float = field(
        default=0.3, metadata={"help": "share of the tokens masked for the encoder, whole words (papers: 0.3)"}
    )
    decoder_mask_ratio: float = field(
        default=0.5, metadata={"help": "share of the positions hidden from a row of the decoder (papers: 0.5)"}
    )
    bow_positions: ChoiceEnum(BOW_POSITIONS) = field(
        default="unmasked",
        metadata={
            "help": "where the bag of words has its maximum: unmasked ordinary tokens (paper), all_but_cls (release)"
        },
    )
    bow_targets: ChoiceEnum(BOW_TARGETS) = field(
        default="mean",
        metadata={
            "help": "over the distinct words of a text: their mean or sum (paper); counts: by occurrence (release)"
        },
    )
    tokens_per_sample: int = field(
        default=0,
        metadata={
            "help": "join lines to samples of up to this many tokens, [CLS] included (default 0: one line per sample)"
        },
    )


@register_task("dupmae_pretraining", dataclass=DupMaePretrainingConfig)
class DupMaePretrainingTask(TextTask):
    """Text of one language or more; the criterion is ``dupmae``, the architectures ``dupmae*``."""

    cfg: DupMaePretrainingConfig
    CRITERION = "dupmae"
    MODEL = DupMae

    def check_objective(self, criterion) -> None:
        model = self.model_options
        for weight, of_task, of_model in (
            ("decoder_weight", ["decoder_mask_ratio"], ["decoder_queries"]),
            ("bow_weight", ["bow_positions", "bow_targets"], ["bow_projection"]),
        ):
            if not criterion[weight]:
                where = f"on --{weight.replace('_', '-')} 0"
                refuse_idle(self.cfg, DupMaePretrainingConfig, of_task, where)
                refuse_idle(model, DupMaeOptions, of_model, where)

    def metrics(self, criterion) -> Metrics:
        parts = ["encoder", *["decoder"] * (criterion.decoder_weight > 0)]
        losses = [f"{part}_loss" for part in (*parts, *["bow"] * (criterion.bow_weight > 0))]
        return Metrics([f"{part}_accuracy" for part in parts], ["loss", *losses])

    def vector_pooling(self, cfg) -> str:
        return "cls"

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        folder, shards = self.shard(split, epoch)
        masker = DupMaeMasker(
            ratio=self.cfg.mask_ratio,
            decoder_ratio=self.cfg.decoder_mask_ratio,
            replacement=Replacement.parse(self.cfg.mask_keep_rand),
            vocabulary=self.text.vocabulary,
            marks=self.text.marks,
        )
        tokens = self.cfg.tokens_per_sample
        self.datasets[split] = DupMaeDataset(
            self.text_streams(folder, split, masker, "complete" if tokens else "eos", tokens),
            **self.mixture_options(split, shards),
            bow_positions=str(self.cfg.bow_positions),
            bow_targets=str(self.cfg.bow_targets),
        )
