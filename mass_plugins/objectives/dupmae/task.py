"""Task ``dupmae_pretraining``: an encoder learns to put a text into one vector and into a bag of words.

RetroMAE is DupMAE with ``--bow-weight 0 --decoder-queries plain``; with ``--bow-weight 0 --decoder-weight 0`` a masked
language model is left, with the same text, masks and batches.
"""

from dataclasses import dataclass, field
from typing import Optional

from fairseq.data import TokenBlockDataset
from fairseq.dataclass import ChoiceEnum
from fairseq.tasks import register_task

from mass_plugins.data.binarized import monolingual_languages, open_monolingual
from mass_plugins.data.dupmae_masking import TextHider
from mass_plugins.data.languages import parse_languages
from mass_plugins.data.masked_text import MaskedTextStream
from mass_plugins.data.mixture import LONG_LINES
from mass_plugins.data.token_masking import Replacement
from mass_plugins.errors import InputError
from mass_plugins.objectives.dupmae.dataset import BOW_POSITIONS, BOW_TARGETS, HiddenTextDataset
from mass_plugins.objectives.encoder_task import EncoderTask, EncoderTaskConfig


@dataclass
class DupMaePretrainingConfig(EncoderTaskConfig):
    langs: Optional[str] = field(
        default=None, metadata={"help": "languages to train on, like de,en; default: all that the data-bin has"}
    )
    language_alpha: float = field(
        default=1.0, metadata={"help": "languages are drawn in proportion to size^alpha: 0 uniform, 1 as they are"}
    )
    mask_ratio: float = field(
        default=0.3, metadata={"help": "share of the tokens masked for the encoder, whole words (papers: 0.3)"}
    )
    decoder_mask_ratio: float = field(
        default=0.5, metadata={"help": "share of the positions hidden from a row of the decoder (papers: 0.5)"}
    )
    mask_keep_rand: str = field(
        default="0.8,0.1,0.1",
        metadata={"help": "shares of masked slots that hold the mask, the token itself, a random token"},
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
            "help": "join lines to samples of up to this many tokens, [CLS] included (default 0: a line a sample)"
        },
    )
    long_lines: ChoiceEnum(LONG_LINES) = field(
        default="error",
        metadata={"help": "what to do with lines longer than the model's positions or --max-tokens"},
    )


@register_task("dupmae_pretraining", dataclass=DupMaePretrainingConfig)
class DupMaePretrainingTask(EncoderTask):
    """Text of one language or more; the criterion is ``dupmae``, the architectures ``dupmae*``."""

    cfg: DupMaePretrainingConfig
    CRITERION = "dupmae"

    def build_model(self, cfg, from_checkpoint=False):
        model = super().build_model(cfg, from_checkpoint)
        self.describe_vectors("cls")
        return model

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        folder, shards = self.shard(split, epoch)
        given = self.cfg.langs
        languages = parse_languages(given) if given else monolingual_languages(folder, split)
        hider = TextHider(
            ratio=self.cfg.mask_ratio,
            decoder_ratio=self.cfg.decoder_mask_ratio,
            replacement=Replacement.parse(self.cfg.mask_keep_rand),
            vocabulary=self.text.vocabulary,
            marks=self.text.marks,
        )
        self.datasets[split] = HiddenTextDataset(
            [self._stream(folder, split, language, hider) for language in languages],
            seed=self.cfg.seed,
            alpha=self.cfg.language_alpha,
            long_lines=str(self.cfg.long_lines),
            fixed=split != self.cfg.train_subset,
            shards=shards,
            bow_positions=str(self.cfg.bow_positions),
            bow_targets=str(self.cfg.bow_targets),
        )

    def _stream(self, folder: str, split: str, language: str, hider: TextHider) -> MaskedTextStream:
        dataset = open_monolingual(folder, split, language, self.text.dictionary)
        if self.cfg.tokens_per_sample:
            block = self.cfg.tokens_per_sample - 1  # [CLS] comes before it
            if block < 2:
                raise InputError(f"--tokens-per-sample {block + 1} has no room for text; set it like 512")
            voc = self.text.vocabulary
            dataset = TokenBlockDataset(dataset, dataset.sizes, block, pad=voc.pad, eos=voc.eos, break_mode="complete")
        return MaskedTextStream(f"{folder}, {split} {language}", dataset, dataset.sizes, hider, self.text.cls)
