"""What every task with text of one language or more shares: its options, masks, and the text as a data set."""

from dataclasses import dataclass, field
from typing import Callable, Optional

from fairseq.data import TokenBlockDataset
from fairseq.dataclass import ChoiceEnum

from mass_plugins.data.binarized import monolingual_languages, open_monolingual
from mass_plugins.data.fully_explored_masking import FullyExploredMasker
from mass_plugins.data.languages import parse_languages
from mass_plugins.data.masked_text import MaskedTextDataset, MaskedTextStream
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.word_masking import BertMasker
from mass_plugins.errors import InputError
from mass_plugins.objectives.encoder_task import EncoderTask, EncoderTaskConfig
from mass_plugins.objectives.training_task import MixtureConfig, refuse_idle

BREAK_MODES = ("eos", "complete", "none")


@dataclass
class TextConfig(EncoderTaskConfig, MixtureConfig):
    langs: Optional[str] = field(
        default=None, metadata={"help": "languages to train on, like de,en; default: all that the data-bin has"}
    )
    language_alpha: float = field(
        default=1.0,
        metadata={
            "help": "languages are drawn in proportion to size^alpha, from 0 (uniform) to 1 (as they are); XLM-R: 0.3"
        },
    )
    mask_keep_rand: str = field(
        default="0.8,0.1,0.1",
        metadata={"help": "shares of masked slots that hold the mask, the token itself, a random token"},
    )


@dataclass
class MaskingConfig(TextConfig):
    mask_ratio: float = field(default=0.15, metadata={"help": "share of the tokens to mask (BERT: 0.15)"})
    whole_words: bool = field(
        default=False, metadata={"help": "mask all tokens of a word or none (BERT's second release)"}
    )


@dataclass
class MaskedTextConfig(MaskingConfig):
    separate_languages: bool = field(
        default=False, metadata={"help": "one language per batch; by default batches mix them"}
    )
    mask_sets: int = field(
        default=0,
        metadata={
            "help": "fully-explored masking: each text this many times in a batch, every token masked just once "
            "(in place of --mask-ratio); 0: each text once, tokens drawn by --mask-ratio"
        },
    )
    sample_break_mode: ChoiceEnum(BREAK_MODES) = field(
        default="eos",
        metadata={
            "help": "eos: one line per sample; complete: whole lines up to --tokens-per-sample (RoBERTa); none: "
            "blocks of --tokens-per-sample tokens, wherever lines end"
        },
    )
    tokens_per_sample: int = field(
        default=512, metadata={"help": "tokens of a sample that is not a line, [CLS] included (BERT, RoBERTa: 512)"}
    )


class TextTask(EncoderTask):
    """A task with text of one language or more."""

    cfg: TextConfig

    def languages(self, folder: str, split: str, find: Callable[[str, str], list[str]]) -> list[str]:
        """Those of ``--langs``, else all that ``find`` finds in a folder."""
        return parse_languages(self.cfg.langs) if self.cfg.langs else find(folder, split)

    def mixture_options(self, split: str, shards: int) -> dict:
        """What every mixture of streams is told."""
        return {
            "seed": self.cfg.seed,
            "alpha": self.cfg.language_alpha,
            "long_lines": str(self.cfg.long_lines),
            "fixed": split != self.cfg.train_subset,
            "shards": shards,
        }

    def text_streams(
        self, folder: str, split: str, masker: Callable, mode: str, tokens: int, copies: int = 1
    ) -> list[MaskedTextStream]:
        """The split's text, a stream a language.

        Args:
            mode: one of ``BREAK_MODES``.
            tokens: of a sample that is not a line, [CLS] included.
            copies: rows that the masker makes of a text.

        Raises:
            InputError: text that is missing or damaged; no room for text in a sample.
        """
        if mode != "eos" and tokens < 3:
            raise InputError(f"--tokens-per-sample {tokens} has no room for text; set it like 512")
        streams, voc = [], self.text.vocabulary
        for language in self.languages(folder, split, monolingual_languages):
            dataset = open_monolingual(folder, split, language, self.text.dictionary)
            if mode != "eos":  # [CLS] comes before the block
                dataset = TokenBlockDataset(
                    dataset, dataset.sizes, tokens - 1, pad=voc.pad, eos=voc.eos, break_mode=mode
                )
            name = f"{folder}, {split} {language}"
            sample = "line" if mode == "eos" else "block"
            streams.append(MaskedTextStream(name, dataset, dataset.sizes, masker, self.text.cls, copies, sample))
        return streams


class MaskingTask(TextTask):
    """A task that masks tokens."""

    cfg: MaskingConfig

    def build_masker(self) -> BertMasker:
        return BertMasker(
            ratio=self.cfg.mask_ratio,
            whole_words=self.cfg.whole_words,
            replacement=Replacement.parse(self.cfg.mask_keep_rand),
            vocabulary=self.text.vocabulary,
            marks=self.text.marks,
        )


class MaskedTextTask(MaskingTask):
    """Text of one language or more, masked."""

    cfg: MaskedTextConfig

    def check_flags(self, model) -> None:
        super().check_flags(model)
        if self.cfg.mask_sets:
            refuse_idle(self.cfg, MaskedTextConfig, ["mask_ratio"], f"beside --mask-sets {self.cfg.mask_sets}")
        if str(self.cfg.sample_break_mode) == "eos":
            refuse_idle(self.cfg, MaskedTextConfig, ["tokens_per_sample"], "on --sample-break-mode eos")

    def build_masker(self) -> BertMasker:
        sets = self.cfg.mask_sets
        if not sets:
            return super().build_masker()
        return FullyExploredMasker(
            ratio=1 / max(1, sets),
            whole_words=self.cfg.whole_words,
            replacement=Replacement.parse(self.cfg.mask_keep_rand),
            vocabulary=self.text.vocabulary,
            marks=self.text.marks,
            sets=sets,
        )

    def masked_text(self, split: str, epoch: int, places: Optional[int] = None) -> MaskedTextDataset:
        """The split's text; ``places`` of an epoch, by default as many as there are samples."""
        folder, shards = self.shard(split, epoch)
        mode, tokens, copies = str(self.cfg.sample_break_mode), self.cfg.tokens_per_sample, max(1, self.cfg.mask_sets)
        return MaskedTextDataset(
            self.text_streams(folder, split, self.build_masker(), mode, tokens, copies),
            **self.mixture_options(split, shards),
            separate=self.cfg.separate_languages,
            places=places,
        )
