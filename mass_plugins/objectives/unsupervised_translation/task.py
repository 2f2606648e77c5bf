"""Task ``unsupervised_translation``: two piles of text in, a translator in both directions out.

Song et al. 2019, section 4.1: from a MASS checkpoint, back-translation on the fly; beside it, where asked for,
denoising, MASS and pairs.
"""

import logging
import math
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Callable, Optional

import torch
from fairseq import metrics, utils
from fairseq.optim.amp_optimizer import AMPOptimizer
from fairseq.tasks import register_task

from mass_plugins.data.binarized import has_pairs
from mass_plugins.data.languages import Direction, parse_directions
from mass_plugins.data.masker import Masker
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.streams import Stream
from mass_plugins.errors import InputError
from mass_plugins.generation.batch_decoder import Sampling
from mass_plugins.objectives.logs import log_bits, total
from mass_plugins.objectives.pretrained import build_from
from mass_plugins.objectives.seq2seq_task import Seq2SeqTask, metric_names
from mass_plugins.objectives.training_task import Metrics, refuse_idle
from mass_plugins.objectives.unsupervised_translation.back_translation import (
    BackTranslator,
    sampling_generator,
    split_rows,
)
from mass_plugins.objectives.unsupervised_translation.round_trip import (
    TranslationCounts,
    copies,
    count_logs,
    log_rates,
)
from mass_plugins.objectives.unsupervised_translation.schedule import Schedule, check_never_all_zero
from mass_plugins.objectives.unsupervised_translation.settings import (
    BACK_TRANSLATION,
    DENOISING,
    FEW_COPIES,
    MASS,
    PAIRS,
    STEPS,
    UnsupervisedTranslationConfig,
)
from mass_plugins.objectives.unsupervised_translation.update_dataset import UpdateDataset
from mass_plugins.objectives.unsupervised_translation.validation import Samples, ValidationTranslator
from mass_plugins.objectives.validation_bleu import Detokenizer, bleu_logs, log_bleu
from mass_plugins.objectives.word_denoising import word_denoiser
from mass_plugins.scoring.bleu import BleuStatistics, signature

logger = logging.getLogger(__name__)

ROUND_TRIP = "round_trip"


# Which flags are a step's alone.
_READ_BY = {
    BACK_TRANSLATION: ("back_translation_sampling", "restrict_vocabulary"),
    DENOISING: ("word_shuffle", "word_drop", "word_blank"),
    MASS: ("span_ratio", "mask_keep_rand"),
}


@register_task("unsupervised_translation", dataclass=UnsupervisedTranslationConfig)
class UnsupervisedTranslationTask(Seq2SeqTask):
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
        if cfg.print_translations < 0:
            raise InputError(f"--print-translations {cfg.print_translations} is below 0")
        if str(cfg.ddp_backend) == "fully_sharded":
            raise InputError("--ddp-backend fully_sharded can't generate translations; use pytorch_ddp")
        if not 0 <= cfg.back_translation_max_len_a < math.inf or cfg.back_translation_max_len_b < 1:
            raise InputError(
                f"--back-translation-max-len-a {cfg.back_translation_max_len_a} times a length and "
                f"--back-translation-max-len-b {cfg.back_translation_max_len_b} tokens more leave no length; "
                "set them to 1.3 and 5, say"
            )
        self.samples = Samples(cfg.print_translations, cfg.seed)
        self.back_translator = BackTranslator(
            self.vocabulary, cfg.back_translation_max_len_a, cfg.back_translation_max_len_b, self._sampling()
        )
        self.counts: Optional[torch.Tensor] = None  # (L, V) int64: tokens of each language's text, once looked at
        self.state.merge_state_dict({"restrict_vocabulary": True})
        self.parallel: list[Direction] = []  # directions with pairs in a validation set
        self._first_subset = True  # of the validation sets, to be loaded or to be read next
        self._turn: tuple[int, int] = (-1, 0)  # update, and how many batches of it were translated

    def _sampling(self) -> Optional[Sampling]:
        settings = Sampling(
            self.cfg.back_translation_temperature, self.cfg.back_translation_topk, self.cfg.back_translation_topp
        )
        if self.cfg.back_translation_sampling:
            return settings
        if settings != Sampling():
            raise InputError("--back-translation-temperature, -topk and -topp need --back-translation-sampling")
        return None

    @property
    def validation(self) -> ValidationTranslator:
        greedy = replace(self.back_translator, sampling=None)
        texts = None if self.cfg.no_eval_bleu else self._texts
        return ValidationTranslator(self.languages, self.vocabulary, greedy, texts, self.samples)

    def check_flags(self, model) -> None:
        super().check_flags(model)
        for step, idle in _READ_BY.items():
            if self.weights[step].never:
                flag = f"--{step.replace('_', '-')}-weight"
                refuse_idle(self.cfg, UnsupervisedTranslationConfig, idle, f"on {flag} 0")

    def resume_from(self, task_state: dict[str, Any]) -> None:
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
            if direction.reverse not in directions and learns_from_text:
                raise InputError(
                    f"--directions has {direction} without {direction.reverse}, which has to translate its text; add it"
                )
        return directions

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        folder, shards = self.shard(split, epoch)
        if self.cfg.source_lang:  # to generate from
            pairs = self.text.pairs(folder, split, Direction(*self.generation_direction()))
            self.datasets[split] = self.mixture([pairs], training=False)
        elif split == self.cfg.train_subset:
            self._load_training(folder, split, shards)
        else:
            self._load_validation(folder, split)

    def _load_training(self, folder: str, split: str, shards: int) -> None:
        directions, parts = self.directions, {}
        steps: dict[str, Callable[[], list[Stream]]] = {
            BACK_TRANSLATION: lambda: [self.text.untranslated(folder, split, direction) for direction in directions],
            DENOISING: lambda: self._masked(folder, split, word_denoiser(self.cfg, self)),
            MASS: lambda: self._masked(folder, split, self._masker()),
            PAIRS: lambda: [self.text.pairs(folder, split, d) for d in directions if has_pairs(folder, split, *d)],
        }
        places = None
        for step, streams_of in steps.items():
            if not self.weights[step].never:
                streams = streams_of()
                if not streams:
                    raise InputError(f"--pairs-weight is set, but {folder} has no {split} pairs of --directions")
                parts[step] = self.mixture(streams, True, shards, places)
                places = len(next(iter(parts.values())))
        self.datasets[split] = UpdateDataset(parts, self.cfg.seed)

    def _load_validation(self, folder: str, split: str) -> None:
        parallel = [direction for direction in self.directions if has_pairs(folder, split, *direction)]
        text = [self.text.untranslated(folder, split, direction) for direction in self.directions]
        parts = {ROUND_TRIP: self.mixture(text, training=False)}
        if parallel:
            pairs = [self.text.pairs(folder, split, direction) for direction in parallel]
            parts[PAIRS] = self.mixture(pairs, training=False)
        first, self.parallel = self._first_subset, [*dict.fromkeys([*self.parallel, *parallel])]
        self._first_subset = False
        if first and self.model_options is not None:  # which chooses the checkpoint of a training
            self._check_pairs_of_metric(folder, split, parallel)
        self.datasets[split] = UpdateDataset(parts, self.cfg.seed, together=False)

    def scores(self) -> list[str]:
        return [*metric_names("round_trip_bleu", self._round_trips()), *metric_names("bleu", self.directions)]

    def metrics(self, criterion) -> Metrics:
        found, trips = super().metrics(criterion), self._round_trips()
        rates = [*metric_names("copy_rate", trips), *metric_names("wrong_language_rate", trips)]
        if self.cfg.no_eval_bleu and self.cfg.best_checkpoint_metric in self.scores():
            raise InputError(
                f"--best-checkpoint-metric {self.cfg.best_checkpoint_metric} and --no-eval-bleu exclude each other"
            )
        return found._replace(losses=[*found.losses, *rates])

    def _check_pairs_of_metric(self, folder: str, split: str, parallel: list[Direction]) -> None:
        metric, logged = self.cfg.best_checkpoint_metric, metric_names("bleu", parallel)
        if metric in metric_names("bleu", self.directions) and metric not in logged:
            raise InputError(
                f"--best-checkpoint-metric {metric} needs {split} pairs of --directions that {folder} lacks; prepare "
                f"them, or choose by {(*logged, 'round_trip_bleu')[0]}"
            )

    def _masked(self, folder: str, split: str, masker) -> list[Stream]:
        return [self.text.masked(folder, split, language, masker) for language in self._text_languages()]

    def _masker(self) -> Masker:
        return Masker("span", self.cfg.span_ratio, Replacement.parse(self.cfg.mask_keep_rand), self.vocabulary)

    def _counts_on(self, device) -> torch.Tensor:
        """(L, V) int64, how often each token occurs in each language's training text, over all shards."""
        if self.counts is None:
            split = self.cfg.train_subset
            self.counts = self.text.counts(utils.split_paths(self.cfg.data), split, self._text_languages())
        self.counts = self.counts.to(device)
        return self.counts

    def _text_languages(self) -> list[str]:
        return list(dict.fromkeys(direction.target for direction in self.directions))

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
            generator = sampling_generator(self.cfg.seed, update, _rank(), self._turn[1], tokens.device)
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
        self._first_subset = True

    def valid_step(self, sample, model, criterion):
        plain = _unwrap(model)
        trip_bleu: dict[Direction, BleuStatistics] = {}
        pairs: dict[Direction, BleuStatistics] = {}
        counts: dict[Direction, TranslationCounts] = {}
        loss, sample_size, logs = 0.0, 0, {}
        for name, batch in sample.items():
            with torch.no_grad(), self.autocast(plain):
                if name == ROUND_TRIP:
                    trip = self.validation.round_trip(batch, plain, self._counts_on(batch["target"].device))
                    batch, counts[trip.forward], trip_bleu[trip.forward] = trip.pairs, trip.counts, trip.bleu
                elif not self.cfg.no_eval_bleu:
                    direction, pairs[direction] = self.validation.translate_pairs(batch, plain)
            loss, sample_size, logs = super().valid_step(batch, model, criterion)
        logs.update(count_logs(counts, self._round_trips()))
        if not self.cfg.no_eval_bleu:
            logs.update(bleu_logs("round_trip_bleu", trip_bleu, self._round_trips()))
            logs.update(bleu_logs("bleu", pairs, self.parallel))
        return loss, sample_size, logs

    def _round_trips(self) -> list[Direction]:
        """The directions of their forward translations: en-fr is from English to French and back."""
        return [direction.reverse for direction in self.directions]

    def _texts(self, tokens, language: str, escape_unk: bool = False) -> list[str]:
        codec = self.codec
        assert codec is not None, "build_model asks for it"
        detokenize = Detokenizer(self.dictionary, codec)
        return [detokenize(row, language, escape_unk) for row in tokens]

    def post_validate(self, model, stats, agg) -> None:
        """fairseq's hook after each validation set; every process has the same statistics."""
        if _rank() == 0:
            self.samples.log()
        first, self._first_subset = self._first_subset, False
        if first and "copy_rate" in stats and str(self.cfg.restrict_vocabulary) == "auto":
            restrict = stats["copy_rate"] >= FEW_COPIES
            if restrict != self.state.restrict_vocabulary:
                logger.info("%.1f%% copies: back-translations %s", 100 * stats["copy_rate"],
                            "keep to their language's tokens" if restrict else "may use every token")  # fmt: skip
            self.state.merge_state_dict({"restrict_vocabulary": restrict})

    # -- logs

    def reduce_metrics(self, logging_outputs, criterion):
        super().reduce_metrics(logging_outputs, criterion)
        for step in STEPS:
            log_bits(logging_outputs, f"{step}_loss", f"_{step}_loss", f"_{step}_tokens")
        if translations := total(logging_outputs, "_translations"):
            metrics.log_scalar("copied", total(logging_outputs, "_copies") / translations, translations, round=4)
        if any(key.startswith("_round_") for log in logging_outputs for key in log):
            log_rates(logging_outputs, self._round_trips())
            if not self.cfg.no_eval_bleu:
                log_bleu("round_trip_bleu", logging_outputs, self._round_trips())
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
