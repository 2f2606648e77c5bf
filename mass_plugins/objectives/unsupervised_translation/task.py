"""Task ``unsupervised_translation``: two piles of text in, a translator in both directions out.

Song et al. 2019, section 4.1: from a MASS checkpoint, back-translation on the fly; beside it, where asked for,
denoising, MASS and pairs.
"""

import logging
import math
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import numpy as np
import torch
from fairseq import metrics
from fairseq.dataclass import ChoiceEnum
from fairseq.optim.amp_optimizer import AMPOptimizer
from fairseq.tasks import register_task
from omegaconf import II

from mass_plugins.data.binarized import count_tokens, has_pairs, open_monolingual, open_parallel
from mass_plugins.data.languages import Direction, parse_directions
from mass_plugins.data.masker import Denoiser, Masker
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.noise import WordMarks, WordNoise
from mass_plugins.data.streams import MonolingualStream, ParallelStream, Stream, pairs_with_itself
from mass_plugins.data.token_masking import Replacement
from mass_plugins.errors import InputError
from mass_plugins.generation.batch_decoder import Sampling
from mass_plugins.objectives.multilingual import MultilingualConfig, MultilingualTask
from mass_plugins.objectives.pretrained import build_from
from mass_plugins.objectives.unsupervised_translation.back_translation import BackTranslator, draws, split_rows
from mass_plugins.objectives.unsupervised_translation.round_trip import (
    TranslationCounts,
    copies,
    count_logs,
    foreign_tokens,
    log_rates,
)
from mass_plugins.objectives.unsupervised_translation.schedule import Schedule, check_never_all_zero
from mass_plugins.objectives.unsupervised_translation.update_dataset import UpdateDataset
from mass_plugins.objectives.validation_bleu import Detokenizer, bleu_logs, log_bleu
from mass_plugins.scoring.bleu import BleuStatistics, signature

logger = logging.getLogger(__name__)

BACK_TRANSLATION, DENOISING, MASS, PAIRS = STEPS = ("back_translation", "denoising", "mass", "pairs")
ROUND_TRIP = "round_trip"
# With restriction "auto", translations are free to use every token once fewer than this share are copies.
_FEW_COPIES = 0.05


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
class UnsupervisedTranslationConfig(MultilingualConfig):
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
    back_translation_max_len_b: int = field(default=5, metadata={"help": "see --back-translation-max-len-a"})
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
            f"auto: until a validation finds fewer than {_FEW_COPIES:.0%} of free translations to be copies"
        },
    )
    word_shuffle: int = field(default=3, metadata={"help": "denoising: a word moves at most so many places"})
    word_drop: float = field(default=0.1, metadata={"help": "denoising: chance of a word to vanish"})
    word_blank: float = field(default=0.1, metadata={"help": "denoising: chance of a token to become [MASK]"})
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
        default=3, metadata={"help": "sentences of each direction to log with their translations, each validation"}
    )
    max_tokens: Optional[int] = II("dataset.max_tokens")
    ddp_backend: str = II("distributed_training.ddp_backend")
    best_checkpoint_metric: str = II("checkpoint.best_checkpoint_metric")
    maximize_best_checkpoint_metric: bool = II("checkpoint.maximize_best_checkpoint_metric")


@register_task("unsupervised_translation", dataclass=UnsupervisedTranslationConfig)
class UnsupervisedTranslationTask(MultilingualTask):
    """Batches are ``{step: batch}``; the criterion is fairseq's ``label_smoothed_cross_entropy``.

    An update adds up the weighted losses of its steps and divides the gradient by their number of targets,
    over all micro-batches and processes. The targets are counted as they are, without the weights: so a weight
    scales its own loss, also where it is the only one, and a step of weight 0 is left out of both sums.
    """

    cfg: UnsupervisedTranslationConfig

    def __init__(self, cfg, languages, dictionary):
        super().__init__(cfg, languages, dictionary)
        flags = {step: f"--{step.replace('_', '-')}-weight" for step in STEPS}
        self.weights = {step: Schedule.parse(str(cfg[f"{step}_weight"]), flags[step]) for step in STEPS}
        check_never_all_zero({flags[step]: weight for step, weight in self.weights.items()})
        if str(cfg.ddp_backend) == "fully_sharded":
            raise InputError("--ddp-backend fully_sharded can't generate translations; use pytorch_ddp")
        self.greedy = BackTranslator(self.vocabulary, cfg.back_translation_max_len_a, cfg.back_translation_max_len_b)
        self.back_translator = BackTranslator(
            self.vocabulary, cfg.back_translation_max_len_a, cfg.back_translation_max_len_b, self._sampling()
        )
        self.counts: Optional[torch.Tensor] = None  # (L, V) int64: tokens of each language's text, once looked at
        self.state.merge_state_dict({"restrict_vocabulary": True})
        self._turn: tuple[int, int] = (-1, 0)  # update, and how many batches of it were translated
        self._printed: set[Direction] = set()

    def _sampling(self) -> Optional[Sampling]:
        settings = Sampling(
            self.cfg.back_translation_temperature, self.cfg.back_translation_topk, self.cfg.back_translation_topp
        )
        if self.cfg.back_translation_sampling:
            return settings
        if settings != Sampling():
            raise InputError("--back-translation-temperature, -topk and -topp need --back-translation-sampling")
        return None

    def go_on_from(self, task_state: dict[str, Any]) -> None:
        self.state.merge_state_dict({"restrict_vocabulary": task_state.get("restrict_vocabulary", True)})

    def build_model(self, cfg, from_checkpoint=False):
        start = None if from_checkpoint else self.cfg.pretrained_checkpoint
        build = super().build_model
        model = build_from(start, self, cfg, lambda: build(cfg, from_checkpoint))
        if not self.cfg.no_eval_bleu and not from_checkpoint:
            if self.codec is None:
                raise InputError(
                    f"BLEU in validation needs the text pipeline text.json in {self.cfg.data}; "
                    "prepare the data with preprocess/prepare.py, or set --no-eval-bleu"
                )
            logger.info("validation BLEU: %s", signature())
        return model

    # -- data

    @property
    def directions(self) -> list[Direction]:
        if self.cfg.directions:
            directions = parse_directions(self.cfg.directions, self.languages)
        else:
            directions = [Direction(s, t) for s in self.languages for t in self.languages if s != t]
        for direction in directions:
            if direction.source == direction.target:
                raise InputError(f"--directions {direction} has one language; there is nothing to translate")
            learns_from_text = not self.weights[BACK_TRANSLATION].never or self.weights[PAIRS].never
            if Direction(direction.target, direction.source) not in directions and learns_from_text:
                raise InputError(
                    f"--directions has {direction} without {direction.target}-{direction.source}, which has to "
                    "translate its text; add it"
                )
        return directions

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        folder, shards = self.shard(split, epoch)
        if self.cfg.source_lang:  # to generate from
            self.datasets[split] = self._mixture([self._pairs(folder, split, Direction(*self.generation_direction()))])
        elif split == self.cfg.train_subset:
            self._load_training(folder, split, shards)
        else:
            self._load_validation(folder, split)

    def _load_training(self, folder: str, split: str, shards: int) -> None:
        directions, parts = self.directions, {}
        steps: dict[str, Callable[[], list[Stream]]] = {
            BACK_TRANSLATION: lambda: [self._text(folder, split, direction) for direction in directions],
            DENOISING: lambda: self._masked(folder, split, self._denoiser()),
            MASS: lambda: self._masked(folder, split, self._masker()),
            PAIRS: lambda: [self._pairs(folder, split, d) for d in directions if has_pairs(folder, split, *d)],
        }
        places = None
        for step, streams_of in steps.items():
            if not self.weights[step].never:
                streams = streams_of()
                if not streams:
                    raise InputError(f"--pairs-weight is set, but {folder} has no {split} pairs of --directions")
                parts[step] = self._mixture(streams, shards=shards, places=places)
                places = len(next(iter(parts.values())))
        self.datasets[split] = UpdateDataset(parts, self.cfg.seed)

    def _load_validation(self, folder: str, split: str) -> None:
        parallel = [direction for direction in self.directions if has_pairs(folder, split, *direction)]
        parts = {ROUND_TRIP: self._mixture([self._text(folder, split, direction) for direction in self.directions])}
        if parallel:
            parts[PAIRS] = self._mixture([self._pairs(folder, split, direction) for direction in parallel])
        self.parallel = parallel
        chosen_by = self.cfg.best_checkpoint_metric
        if chosen_by.startswith("bleu") and not parallel:
            raise InputError(
                f"--best-checkpoint-metric {chosen_by} needs {split} pairs of --directions, and {folder} has none; "
                "prepare some, or choose by round_trip_bleu"
            )
        if "bleu" in chosen_by and self.cfg.no_eval_bleu:
            raise InputError(f"--best-checkpoint-metric {chosen_by} and --no-eval-bleu exclude each other")
        if not self.cfg.no_eval_bleu:
            logged = {"round_trip_bleu": self._trips(), "bleu": parallel}
            self.check_best_metric(
                [name for name in logged if logged[name]]
                + [f"{name}_{one}" for name, found in logged.items() for one in found if len(found) > 1]
            )
        self.datasets[split] = UpdateDataset(parts, self.cfg.seed, together=False)

    def _mixture(self, streams: list[Stream], shards: Optional[int] = None, places: Optional[int] = None):
        """For training if ``shards`` is given, else for validation."""
        return MixtureDataset(
            streams,
            seed=self.cfg.seed,
            alpha=self.cfg.language_alpha,
            long_lines=self.long_lines(self.cfg.train_subset if shards else "valid"),
            separate=self.cfg.separate_languages,
            fixed=shards is None,
            shards=shards or 1,
            places=places,
        )

    def _text(self, folder: str, split: str, direction: Direction) -> ParallelStream:
        """Text of the target language, to be translated into the source language."""
        source, target = (self.languages.index(language) for language in direction)
        dataset = open_monolingual(folder, split, direction.target, self.dictionary)
        name = f"{folder}, {split} {direction.target}"
        return pairs_with_itself(name, dataset, dataset.sizes, target, source, self.vocabulary)

    def _masked(self, folder: str, split: str, masker) -> list[Stream]:
        streams: list[Stream] = []
        for language in dict.fromkeys(direction.target for direction in self.directions):
            dataset = open_monolingual(folder, split, language, self.dictionary)
            name, index = f"{folder}, {split} {language}", self.languages.index(language)
            streams.append(MonolingualStream(name, dataset, dataset.sizes, index, masker))
        return streams

    def _masker(self) -> Masker:
        return Masker("span", self.cfg.span_ratio, Replacement.parse(self.cfg.mask_keep_rand), self.vocabulary)

    def _denoiser(self) -> Denoiser:
        noise = WordNoise(self.cfg.word_shuffle, self.cfg.word_drop, self.cfg.word_blank)
        return Denoiser(noise, self.vocabulary, WordMarks.of(self.dictionary.symbols))

    def _pairs(self, folder: str, split: str, direction: Direction) -> ParallelStream:
        source, target = open_parallel(folder, split, *direction, self.dictionary)
        first, second = (self.languages.index(language) for language in direction)
        name = f"{folder}, {split} {direction}"
        return ParallelStream(name, source, target, source.sizes, target.sizes, first, second, self.vocabulary)

    def _counts_on(self, device) -> torch.Tensor:
        """(L, V) int64, how often each token occurs in each language's training text, over all shards."""
        if self.counts is None:
            split, counts = self.cfg.train_subset, np.zeros((len(self.languages), len(self.dictionary)), dtype=np.int64)
            folders = [self.shard(split, epoch)[0] for epoch in range(1, self.shard(split, 1)[1] + 1)]
            for language in dict.fromkeys(direction.target for direction in self.directions):
                text = [count_tokens(folder, split, language, self.dictionary) for folder in folders]
                counts[self.languages.index(language)] = sum(text)
            self.counts = torch.from_numpy(counts)
        self.counts = self.counts.to(device)
        return self.counts

    # -- training

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        if isinstance(optimizer, AMPOptimizer):
            raise InputError("--amp and back-translation don't go together; use --autocast-bfloat16, --fp16 or --bf16")
        pieces, logs = [], {}
        for step, batch in sample.items():
            weight = self.weights[step].at(update_num)
            if weight == 0:
                continue
            if step == BACK_TRANSLATION and not ignore_grad:
                batch, counts = self._back_translate(batch, model, update_num)
                logs.update(counts)
            elif step == BACK_TRANSLATION:
                # the types, too, must be those of other processes' logs, or their sum hangs
                logs.update({"_copies": batch["target"].new_zeros(()), "_translations": 0})
            parts = [batch] if ignore_grad else split_rows(batch, self.cfg.max_tokens, self.vocabulary.pad)
            pieces += [(step, weight, part) for part in parts]
        model.train()
        model.set_num_updates(update_num)
        total, size, losses = 0.0, 0, []
        for number, (step, weight, batch) in enumerate(pieces):
            last = number == len(pieces) - 1
            with nullcontext() if last or not hasattr(model, "no_sync") else model.no_sync():
                with torch.autograd.profiler.record_function("forward"), self.autocast(model):
                    loss, sample_size, log = criterion(model, batch)
                loss = loss * (0 if ignore_grad else weight)
                with torch.autograd.profiler.record_function("backward"):
                    optimizer.backward(loss)
            losses.append(loss.detach())
            log = {**log, "loss": log["loss"] * weight, f"_{step}_loss": log["loss"], f"_{step}_tokens": sample_size}
            for key, value in log.items():
                logs[key] = logs.get(key, 0) + value
            total, size = total + losses[-1], size + sample_size
        for (step, _, batch), loss in zip(pieces, torch.stack(losses).tolist()):  # the device is waited for once
            if not math.isfinite(loss):
                logger.error("the loss of %s is %s; ids of the batch: %s", step, loss, batch["id"].tolist())
        return total, size, logs

    def _back_translate(self, batch, model, update: int) -> tuple[dict, dict]:
        """The synthetic batch, and how many of its rows are copies."""
        tokens, plain = batch["target"], _unwrap(model)
        generator = None
        if self.back_translator.sampling:
            before, turn = self._turn
            self._turn = (update, turn + 1 if before == update else 0)
            generator = draws(self.cfg.seed, update, _rank(), self._turn[1], tokens.device)
        with torch.autograd.profiler.record_function("back-translation"), self.autocast(plain):
            pairs = self.back_translator.synthetic_pairs(
                plain, batch, allowed=self._allowed(tokens.device), generator=generator
            )
        copied = copies(tokens, pairs["net_input"]["src_tokens"], self.vocabulary.pad).sum()
        return pairs, {"_copies": copied, "_translations": len(tokens)}

    def _allowed(self, device) -> Optional[torch.Tensor]:
        """(L, V) bool, the tokens that back-translations may hold; None: all."""
        mode = str(self.cfg.restrict_vocabulary)
        free = mode == "never" or (mode == "auto" and not self.state.restrict_vocabulary)
        if free:
            return None
        counts = self._counts_on(device)
        seen = (counts > 0) | (counts.sum(dim=1, keepdim=True) == 0)  # a language without text may write anything
        seen[:, self.vocabulary.eos] = True
        return seen

    # -- validation

    def begin_valid_epoch(self, epoch, model):
        super().begin_valid_epoch(epoch, model)
        self._printed = set()

    def valid_step(self, sample, model, criterion):
        plain = _unwrap(model)
        trips: dict[Direction, BleuStatistics] = {}
        pairs: dict[Direction, BleuStatistics] = {}
        counts: dict[Direction, TranslationCounts] = {}
        loss, sample_size, logs = 0.0, 0, {}
        for name, batch in sample.items():
            with torch.no_grad(), self.autocast(plain):
                if name == ROUND_TRIP:
                    batch, direction, count, bleu = self._round_trip(batch, plain)
                    counts[direction], trips[direction] = count, bleu
                elif not self.cfg.no_eval_bleu:
                    direction, bleu = self._translate_pairs(batch, plain)
                    pairs[direction] = bleu
            loss, sample_size, logs = super().valid_step(batch, model, criterion)
        logs.update(count_logs(counts, self._trips()))
        if not self.cfg.no_eval_bleu:
            logs.update(bleu_logs("round_trip_bleu", trips, self._trips()))
            logs.update(bleu_logs("bleu", pairs, self.parallel))
        return loss, sample_size, logs

    def _trips(self) -> list[Direction]:
        """The first halves of the round trips: en-fr is from English to French and back."""
        return [Direction(direction.target, direction.source) for direction in self.directions]

    def _direction(self, batch) -> Direction:
        """A validation batch has one."""
        net_input = batch["net_input"]
        return Direction(*(self.languages[int(net_input[f"{side}_language"][0])] for side in ("source", "target")))

    def _round_trip(self, batch, model) -> tuple[dict, Direction, TranslationCounts, BleuStatistics]:
        """Translate a batch of text there and back: synthetic pairs, the way there, counts and BLEU of the return.

        Where the way there is a copy, the return counts as empty: a model that copies makes perfect round trips.
        """
        net_input, text = batch["net_input"], batch["target"]
        back = self._direction(batch)
        there = Direction(back.target, back.source)
        pairs = self.greedy.synthetic_pairs(model, batch)
        translation = pairs["net_input"]["src_tokens"]
        counts, bleu = self._count(text, translation, there), BleuStatistics.empty()
        if not self.cfg.no_eval_bleu:
            returned, _ = self.greedy.translate(
                model, translation, net_input["source_language"], net_input["target_language"]
            )
            found, real = self._texts(returned, back.target), self._texts(text, back.target, escape_unk=True)
            self._print(there, real, self._texts(translation, there.target), {"and back": found})
            copied = copies(text, translation, self.vocabulary.pad).tolist()
            bleu = BleuStatistics.from_sentences(["" if copy else back for copy, back in zip(copied, found)], real)
        return pairs, there, counts, bleu

    def _count(self, text, translation, there: Direction) -> TranslationCounts:
        counts = self._counts_on(text.device)
        foreign = foreign_tokens(*(counts[self.languages.index(language)] for language in there))
        return TranslationCounts.of(text, translation, foreign, (self.vocabulary.pad, self.vocabulary.eos))

    def _translate_pairs(self, batch, model) -> tuple[Direction, BleuStatistics]:
        direction, net_input = self._direction(batch), batch["net_input"]
        found, _ = self.greedy.translate(
            model, net_input["src_tokens"], net_input["source_language"], net_input["target_language"]
        )
        translations = self._texts(found, direction.target)
        return direction, BleuStatistics.from_sentences(
            translations, self._texts(batch["target"], direction.target, escape_unk=True)
        )

    def _texts(self, tokens, language: str, escape_unk: bool = False) -> list[str]:
        codec = self.codec
        assert codec is not None, "build_model asks for it"
        detokenize = Detokenizer(self.dictionary, codec)
        return [detokenize(row, language, escape_unk) for row in tokens]

    def _print(self, direction: Direction, sources, translations, others: dict[str, list[str]]) -> None:
        if direction in self._printed or _rank() != 0:
            return
        self._printed.add(direction)
        for number in range(min(self.cfg.print_translations, len(sources))):
            lines = {direction.source: sources, direction.target: translations, **others}
            logger.info("%s", " | ".join(f"{name}: {texts[number]}" for name, texts in lines.items()))

    def post_validate(self, model, stats, agg) -> None:
        """fairseq's hook after each validation; every process has the same statistics."""
        if "copy_rate" in stats and str(self.cfg.restrict_vocabulary) == "auto":
            restrict = stats["copy_rate"] >= _FEW_COPIES
            if restrict != self.state.restrict_vocabulary:
                logger.info("%.1f%% copies: back-translations %s", 100 * stats["copy_rate"],
                            "keep to their language's tokens" if restrict else "may use every token")  # fmt: skip
            self.state.merge_state_dict({"restrict_vocabulary": restrict})

    # -- logs

    def reduce_metrics(self, logging_outputs, criterion):
        super().reduce_metrics(logging_outputs, criterion)

        def total(key: str) -> float:
            return float(sum(log.get(key, 0) for log in logging_outputs))

        for step in STEPS:
            if tokens := total(f"_{step}_tokens"):
                metrics.log_scalar(f"{step}_loss", total(f"_{step}_loss") / tokens / np.log(2), tokens, round=3)
        if total("_translations"):
            share = total("_copies") / total("_translations")
            metrics.log_scalar("copied", share, total("_translations"), round=4)
        if any(key.startswith("_round_") for log in logging_outputs for key in log):
            log_rates(logging_outputs, self._trips())
            if not self.cfg.no_eval_bleu:
                log_bleu("round_trip_bleu", logging_outputs, self._trips())
                if self.parallel:
                    log_bleu("bleu", logging_outputs, self.parallel)


def _unwrap(model):
    """The model within fairseq's wrappers for distributed training."""
    while hasattr(model, "module"):
        model = model.module
    return model


def _rank() -> int:
    return (
        torch.distributed.get_rank() if torch.distributed.is_available() and torch.distributed.is_initialized() else 0
    )
