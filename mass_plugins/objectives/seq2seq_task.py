"""What every multilingual sequence-to-sequence task shares: data folder, languages, dictionary, precision."""

import logging
import os
from dataclasses import dataclass, field
from typing import Any, Optional, Sequence

from fairseq import utils
from fairseq.data import Dictionary, LanguagePairDataset
from omegaconf import II, MISSING

from mass_plugins.data.binarized import check_shards, find_languages, load_joint_dictionary
from mass_plugins.data.dictionary_hash import dictionary_hash
from mass_plugins.data.languages import Direction, parse_languages
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.streams import Stream
from mass_plugins.data.text import TextCodec
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.errors import InputError
from mass_plugins.generation.single_hypothesis import SingleHypothesisGenerator
from mass_plugins.models.mass_config import check_same_shape
from mass_plugins.objectives.text_folders import TextFolders
from mass_plugins.objectives.training_task import Metrics, MixtureConfig, TrainingTask, with_values_of_other_groups

logger = logging.getLogger(__name__)


@dataclass
class Seq2SeqTaskConfig(MixtureConfig):
    data: str = field(
        default=MISSING,
        metadata={"help": "data-bin folder, or several shards data-bin/0:data-bin/1, one per epoch"},
    )
    langs: Optional[str] = field(
        default=None,
        metadata={
            "help": "languages of the model, like de,en,fr; default: every dict.<language>.txt, sorted, "
            "or those of the checkpoint that is loaded"
        },
    )
    language_alpha: float = field(
        default=1.0,
        metadata={
            "help": "languages and directions are drawn in proportion to size^alpha, from 0 (uniform; MASS takes "
            "each in turn) to 1 (as they are); 0.7 is good for many unequal ones"
        },
    )
    separate_languages: bool = field(
        default=False,
        metadata={
            "help": "one language (or direction) per batch, as in the authors' code; by default batches mix them, "
            "and pre-training learns sooner to use its source"
        },
    )
    source_lang: Optional[str] = field(
        default=None,
        metadata={"help": "source language of generation", "argparse_alias": "-s"},
    )
    target_lang: Optional[str] = field(
        default=None,
        metadata={"help": "target language of generation", "argparse_alias": "-t"},
    )
    skip_invalid_size_inputs_valid_test: bool = II("dataset.skip_invalid_size_inputs_valid_test")


class Seq2SeqTask(TrainingTask):
    """Languages and dictionary of a data folder, kept in the checkpoint as the task's state.

    A checkpoint's languages number its language embeddings, so where one is loaded its list wins; the
    dictionary must be the very one that it was trained with.
    """

    cfg: Seq2SeqTaskConfig

    def __init__(self, cfg: Seq2SeqTaskConfig, languages: list[str], dictionary: Dictionary):
        super().__init__(cfg)
        self.dictionary = dictionary
        self.vocabulary = Vocabulary.of(dictionary)
        self.set_languages(languages)

    @classmethod
    def setup_task(cls, cfg: Seq2SeqTaskConfig, **kwargs):
        cfg = with_values_of_other_groups(cfg)
        folders = utils.split_paths(cfg.data)
        languages = parse_languages(cfg.langs) if cfg.langs else find_languages(folders[0])
        dictionary = load_joint_dictionary(folders[0], languages)
        check_shards(folders, dictionary)
        logger.info("%d languages: %s; dictionary: %d", len(languages), ",".join(languages), len(dictionary))
        return cls(cfg, languages, dictionary)

    # -- languages and dictionary in the checkpoint

    @property
    def languages(self) -> list[str]:
        return self.state.languages

    def set_languages(self, languages: list[str]) -> None:
        self.state.merge_state_dict({"languages": list(languages), "dictionary": dictionary_hash(self.dictionary)})

    def adopt(self, state: dict[str, Any], origin: str) -> None:
        """Take over the languages of a checkpoint's task state, after checking that it fits.

        Raises:
            InputError: not one of our checkpoints, another dictionary, a language that it doesn't know.
        """
        if "languages" not in state or "dictionary" not in state:
            raise InputError(f"{origin} holds no languages; give a checkpoint trained with mass_plugins")
        if state["dictionary"] != dictionary_hash(self.dictionary):
            raise InputError(
                f"{origin} was trained with another dictionary than the one in {self.cfg.data}; "
                "prepare the data with that model's dictionary and sub-words (prepare.py --like)"
            )
        wanted = parse_languages(self.cfg.langs) if self.cfg.langs else []
        new = [language for language in wanted if language not in state["languages"]]
        if new:
            raise InputError(
                f"{origin} knows the languages {','.join(state['languages'])} but --langs names "
                f"{','.join(new)}; pre-train with it, or drop it"
            )
        self.set_languages(state["languages"])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.adopt(state_dict, "the checkpoint")

    def check_resumed(self, state: dict[str, Any], path: str, model_cfg) -> None:
        """Before a training goes on from ``path``: the same languages, dictionary and model as so far.

        Raises:
            InputError: one of them differs.
        """
        trained = list(state.get("task_state", {}).get("languages", self.languages))
        if trained != self.languages:
            raise InputError(
                f"{path} was trained with the languages {','.join(trained)}, not {','.join(self.languages)}; "
                f"set --langs {','.join(trained)} to resume, or another --save-dir to start over"
            )
        self.adopt(state.get("task_state", {}), path)
        check_same_shape(path, state["cfg"]["model"], model_cfg)

    def metrics(self, criterion) -> Metrics:
        """The loss and its kin of fairseq's ``label_smoothed_cross_entropy``; another criterion may log others."""
        name = getattr(criterion, "_name", None)  # criterions of old have a Namespace
        scores, losses = self.scores(), ["loss", "ppl"]
        if name == "label_smoothed_cross_entropy" and criterion.report_accuracy:
            scores.append("accuracy")
        if name != "cross_entropy" or criterion.sentence_avg:
            losses.append("nll_loss")
        return Metrics(scores, losses, complete=name in ("label_smoothed_cross_entropy", "cross_entropy"))

    def scores(self) -> list[str]:
        """Names of what validation logs beside the criterion; of all of them more is better."""
        return []

    # -- data

    @property
    def text(self) -> TextFolders:
        return TextFolders(self.languages, self.dictionary, self.vocabulary)

    def mixture(
        self, streams: Sequence[Stream], training: bool, shards: int = 1, places: Optional[int] = None
    ) -> MixtureDataset:
        """See :class:`MixtureDataset`; of a set to generate from, fairseq's own flag asks for ``skip``, too."""
        skip = self.cfg.skip_invalid_size_inputs_valid_test and not training
        return MixtureDataset(
            streams,
            seed=self.cfg.seed,
            alpha=self.cfg.language_alpha,
            long_lines="skip" if skip else str(self.cfg.long_lines),
            separate=self.cfg.separate_languages,
            fixed=not training,
            shards=shards,
            places=places,
        )

    def language_index(self, language: str, flag: str) -> int:
        if language not in self.languages:
            raise InputError(f"{flag} {language!r} is unknown; the model's languages are {','.join(self.languages)}")
        return self.languages.index(language)

    @property
    def source_dictionary(self) -> Dictionary:
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        return self.dictionary

    # -- generation

    @property
    def codec(self) -> Optional[TextCodec]:
        """Raw text <-> sub-words of the data folder; None where it was binarized by other means."""
        folder = utils.split_paths(self.cfg.data)[0]
        return TextCodec.load(folder) if os.path.exists(os.path.join(folder, "text.json")) else None

    def generation_direction(self) -> tuple[str, str]:
        """(source, target) of ``fairseq-generate`` and ``fairseq-interactive``."""
        for flag, value in (("--source-lang", self.cfg.source_lang), ("--target-lang", self.cfg.target_lang)):
            if not value:
                raise InputError(f"{flag} is missing; set it to one of {','.join(self.languages)}")
            self.language_index(value, flag)
        return str(self.cfg.source_lang), str(self.cfg.target_lang)

    def build_bpe(self, args):
        """The data folder's own text pipeline, unless ``--bpe`` asks for one of fairseq's."""
        if getattr(args, "_name", None) is not None:
            return super().build_bpe(args)
        codec = self.codec
        return DirectedCodec(codec, *self.generation_direction()) if codec else None

    def build_generator(self, models, args, seq_gen_cls=None, extra_gen_cls_kwargs=None, prefix_allowed_tokens_fn=None):
        """The batch decoder for a plain beam of 1 or sampling, else fairseq's generator.

        Raises:
            InputError: alignments are asked for.
        """
        if getattr(args, "print_alignment", None):
            raise InputError("--print-alignment needs attention weights, which this model doesn't keep; leave it out")
        if seq_gen_cls is None and extra_gen_cls_kwargs is None and prefix_allowed_tokens_fn is None:
            single = SingleHypothesisGenerator.from_options(models, self.dictionary, args)
            if single is not None:
                return single
        return super().build_generator(models, args, seq_gen_cls, extra_gen_cls_kwargs, prefix_allowed_tokens_fn)

    def build_dataset_for_inference(self, src_tokens, src_lengths, constraints=None):
        return LanguagePairDataset(
            src_tokens, src_lengths, self.dictionary, left_pad_source=False, constraints=constraints
        )

    def inference_step(self, generator, models, sample, prefix_tokens=None, constraints=None):
        """Generate; a batch of ``fairseq-interactive``, which has no languages, gets them here."""
        net_input = sample["net_input"]
        if "source_language" not in net_input:
            tokens = net_input["src_tokens"]
            source, target = self.generation_direction()
            net_input = {
                **net_input,
                "source_language": tokens.new_full((len(tokens),), self.languages.index(source)),
                "target_language": tokens.new_full((len(tokens),), self.languages.index(target)),
            }
            sample = {**sample, "net_input": net_input}
        with self.autocast(models[0]):
            return super().inference_step(generator, models, sample, prefix_tokens, constraints)


class DirectedCodec:
    """The text pipeline of one direction, in the form that fairseq expects of a ``bpe``."""

    def __init__(self, codec: TextCodec, source: str, target: str):
        self.codec, self.source, self.target = codec, source, target

    def encode(self, line: str) -> str:
        return self.codec.encode(line, self.source)

    def decode(self, pieces: str) -> str:
        return self.codec.decode(pieces, self.target)


def metric_names(metric: str, directions: Sequence[Direction]) -> list[str]:
    """Under which names a metric of these directions is logged: their mean, and each where there are several."""
    return [metric, *(f"{metric}_{one}" for one in directions if len(directions) > 1)] if directions else []
