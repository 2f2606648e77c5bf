"""Task ``mass_pretraining``: masked sequence-to-sequence pre-training (Song et al. 2019)."""

from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass import ChoiceEnum
from fairseq.tasks import register_task

from mass_plugins.data.languages import parse_directions, parse_languages
from mass_plugins.data.masker import MASKINGS, Denoiser, Masker
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.streams import Stream
from mass_plugins.errors import InputError
from mass_plugins.objectives.pretrained import PretrainedEmbeddingsConfig, load_pretrained_embeddings
from mass_plugins.objectives.seq2seq_task import Seq2SeqTask, Seq2SeqTaskConfig
from mass_plugins.objectives.training_task import refuse_idle
from mass_plugins.objectives.word_denoising import WordNoiseConfig, word_denoiser

DENOISING = "denoising"


@dataclass
class MassPretrainingConfig(PretrainedEmbeddingsConfig, WordNoiseConfig, Seq2SeqTaskConfig):
    mono_langs: Optional[str] = field(
        default=None,
        metadata={"help": "languages with monolingual text to pre-train on; default all of --langs"},
    )
    parallel_directions: Optional[str] = field(
        default=None,
        metadata={
            "help": "supervised pre-training: directions like de-en,en-de whose pairs are mixed in, their "
            "source masked token by token with probability --span-ratio"
        },
    )
    masking: ChoiceEnum((*MASKINGS, DENOISING)) = field(
        default="span",
        metadata={
            "help": "span: MASS; discrete: as many tokens, scattered (ablation); block: a span in each window "
            "of a document's block; infilling: BART-like denoising, the decoder writes the whole sentence; denoising: "
            "the same from moved and missing words, by --word-shuffle, --word-drop and --word-blank instead of "
            "--span-ratio, which pairs still use; bert-lm: BERT on the encoder and a language model on the decoder "
            "(ablation; --span-ratio 0.15; several processes need --find-unused-parameters)"
        },
    )
    span_ratio: float = field(
        default=0.5, metadata={"help": "share of a sentence's tokens to mask (MASS: 0.5; BART: 0.3)"}
    )
    mask_keep_rand: str = field(
        default="0.8,0.1,0.1",
        metadata={"help": "shares of masked slots that hold [MASK], the token itself, a random token"},
    )
    feed_whole_sentence: bool = field(
        default=False,
        metadata={"help": "ablation: the decoder reads all tokens, the loss stays on the masked ones"},
    )
    tokens_per_block: int = field(
        default=512, metadata={"help": "--masking block: tokens of a block, which ignores line ends"}
    )
    tokens_per_window: int = field(
        default=64, metadata={"help": "--masking block: tokens of a window, each with one span"}
    )


# Which maskings read a flag; the other flags are read by all.
_READ_BY = {
    "span_ratio": MASKINGS,
    "mask_keep_rand": ("span", "discrete", "block", "bert-lm"),
    "feed_whole_sentence": ("span", "discrete", "block"),
    "tokens_per_block": ("block",),
    "tokens_per_window": ("block",),
    "word_shuffle": (DENOISING,),
    "word_drop": (DENOISING,),
    "word_blank": (DENOISING,),
}


@register_task("mass_pretraining", dataclass=MassPretrainingConfig)
class MassPretrainingTask(Seq2SeqTask):
    """Monolingual text of any number of languages, and pairs if there are, text and pairs in batches of their own.

    The criterion is fairseq's ``label_smoothed_cross_entropy`` (with ``--label-smoothing 0``:
    ``cross_entropy``): summed over the fragment, divided by the number of predicted tokens.
    """

    cfg: MassPretrainingConfig

    def build_model(self, cfg, from_checkpoint=False):
        model = super().build_model(cfg, from_checkpoint)
        if self.cfg.pretrained_embeddings and not from_checkpoint:
            tables = (model.encoder.embed_tokens, model.decoder.embed_tokens)
            load_pretrained_embeddings(self.cfg.pretrained_embeddings, self, self.vocabulary, tables)
        return model

    def build_masker(self) -> Masker | Denoiser:
        if str(self.cfg.masking) == DENOISING:
            return word_denoiser(self.cfg, self)
        return Masker(
            masking=str(self.cfg.masking),
            ratio=self.cfg.span_ratio,
            replacement=Replacement.parse(self.cfg.mask_keep_rand),
            vocabulary=self.vocabulary,
            feed_whole_sentence=self.cfg.feed_whole_sentence,
            window=self.cfg.tokens_per_window,
        )

    def check_flags(self, model) -> None:
        super().check_flags(model)
        masking = str(self.cfg.masking)
        idle = [name for name, readers in _READ_BY.items() if masking not in readers]
        if self.cfg.parallel_directions and "span_ratio" in idle:  # of pairs, whatever the masking of text
            idle.remove("span_ratio")
        refuse_idle(self.cfg, MassPretrainingConfig, idle, f"on --masking {masking}")

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        folder, shards = self.shard(split, epoch)
        streams = [*self._masked_text(folder, split), *self._pairs(folder, split)]
        self.datasets[split] = self.mixture(streams, split == self.cfg.train_subset, shards)

    def _masked_text(self, folder: str, split: str) -> list[Stream]:
        masker, flag, block = self.build_masker(), "--mono-langs", None
        if str(self.cfg.masking) == "block":
            block = self.cfg.tokens_per_block
            if block < 1:
                raise InputError(f"--tokens-per-block {block} is not positive; set it like 512")
        languages = parse_languages(self.cfg.mono_langs, flag) if self.cfg.mono_langs else self.languages
        for language in languages:
            self.language_index(language, flag)
        return [self.text.masked(folder, split, language, masker, flag, block) for language in languages]

    def _pairs(self, folder: str, split: str) -> list[Stream]:
        if not self.cfg.parallel_directions:
            return []
        ratio = self.cfg.span_ratio
        if not 0 < ratio <= 1:
            raise InputError(f"span_ratio={ratio} is not in (0, 1]; set --span-ratio")
        directions = parse_directions(self.cfg.parallel_directions, self.languages, "--parallel-directions")
        return [self.text.pairs(folder, split, direction, source_mask_ratio=ratio) for direction in directions]
