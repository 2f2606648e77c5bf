"""What back-translation on the fly can be told."""

from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass import ChoiceEnum
from omegaconf import II

from mass_plugins.objectives.seq2seq_task import Seq2SeqTaskConfig
from mass_plugins.objectives.word_denoising import WordNoiseConfig

BACK_TRANSLATION, DENOISING, MASS, PAIRS = STEPS = ("back_translation", "denoising", "mass", "pairs")
# With restriction "auto", translations are free to use every token once fewer than this share are copies.
FEW_COPIES = 0.05


def _weight(default: str, meaning: str):
    return field(
        default=default,
        metadata={
            "help": f"weight of the loss of {meaning}; a number, or update:value,update:value,.. with straight "
            "lines between, like 0:1,30000:0; the sum of the steps' losses is divided by the number of targets of "
            "all steps whose weight isn't 0, so that a further step makes the others' share of the gradient smaller"
        },
    )


@dataclass
class UnsupervisedTranslationConfig(WordNoiseConfig, Seq2SeqTaskConfig):
    pretrained_checkpoint: Optional[str] = field(
        default=None, metadata={"help": "start from this checkpoint of mass_pretraining (default: from scratch)"}
    )
    directions: Optional[str] = field(
        default=None,
        metadata={
            "help": "directions to learn, like en-fr,fr-en; each learns from text of its target that the reverse "
            "direction has translated; default: all between --langs"
        },
    )
    back_translation_weight: str = _weight("1", "back-translation (MASS: 1)")
    denoising_weight: str = _weight("0", "denoising auto-encoding, with --word-shuffle, --word-drop, --word-blank")
    mass_weight: str = _weight("0", "MASS on the monolingual text, with --span-ratio and --mask-keep-rand")
    pairs_weight: str = _weight("0", "supervised training on the pairs of --directions")
    back_translation_max_len_a: float = field(
        default=1.3, metadata={"help": "a back-translation has at most a * length of the longest source + b tokens"}
    )
    back_translation_max_len_b: int = field(
        default=5, metadata={"help": "see --back-translation-max-len-a; both hold for validation's translations, too"}
    )
    back_translation_sampling: bool = field(
        default=False, metadata={"help": "draw back-translations from the model (MASS: the likeliest token each time)"}
    )
    back_translation_temperature: float = field(
        default=1.0, metadata={"help": "of --back-translation-sampling: divides the logits"}
    )
    back_translation_topk: int = field(
        default=0, metadata={"help": "of --back-translation-sampling: from the k likeliest tokens; 0: from all"}
    )
    back_translation_topp: float = field(
        default=1.0, metadata={"help": "of --back-translation-sampling: from the likeliest tokens of this share"}
    )
    restrict_vocabulary: ChoiceEnum(["auto", "always", "never"]) = field(
        default="auto",
        metadata={
            "help": "back-translations are written with tokens of the target language's monolingual text alone; "
            f"auto: until a validation finds fewer than {FEW_COPIES:.0%} of free translations to be copies"
        },
    )
    span_ratio: float = field(default=0.5, metadata={"help": "MASS: share of a sentence's tokens to mask"})
    mask_keep_rand: str = field(
        default="0.8,0.1,0.1",
        metadata={"help": "MASS: shares of masked slots that hold [MASK], the token itself, a random token"},
    )
    no_eval_bleu: bool = field(
        default=False,
        metadata={
            "help": "no BLEU in validation, of round trips (a copy there counts as empty) and of parallel text; "
            "copies and lengths remain"
        },
    )
    print_translations: int = field(
        default=3,
        metadata={
            "help": "sentences of each direction to log with their translations, the same in each validation (of "
            "several processes, from the first one's share)"
        },
    )
    max_tokens: Optional[int] = II("dataset.max_tokens")
    ddp_backend: str = II("distributed_training.ddp_backend")
