"""What every task of ours does with options, batches and steps: values of other groups, shards of data, bfloat16."""

import logging
import os
from contextlib import nullcontext
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Iterable, NamedTuple, Optional, Sequence

import torch
from fairseq import utils
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.dataclass.configs import CheckpointConfig, CommonConfig, DatasetConfig, DistributedTrainingConfig
from fairseq.optim.amp_optimizer import AMPOptimizer
from fairseq.tasks import FairseqTask
from omegaconf import II, DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from mass_plugins.data.mixture import LONG_LINES
from mass_plugins.errors import InputError

logger = logging.getLogger(__name__)


@dataclass
class TrainingConfig(FairseqDataclass):
    """Options of every task; those of other groups, which a task reads, come by interpolation."""

    autocast_bfloat16: bool = field(
        default=False,
        metadata={"help": "compute in bfloat16, keep weights in float32 (CPU and GPU)"},
    )
    seed: int = II("common.seed")
    train_subset: str = II("dataset.train_subset")
    save_dir: Optional[str] = II("checkpoint.save_dir")
    best_checkpoint_metric: str = II("checkpoint.best_checkpoint_metric")
    maximize_best_checkpoint_metric: bool = II("checkpoint.maximize_best_checkpoint_metric")


@dataclass
class MixtureConfig(TrainingConfig):
    """Those of a task that draws lines from a mixture of streams."""

    long_lines: ChoiceEnum(LONG_LINES) = field(
        default="error",
        metadata={"help": "what to do with lines longer than the model's positions or --max-tokens"},
    )


# Options of other groups of fairseq's that a task reads.
_OTHER_GROUPS = {
    "seed": CommonConfig.seed,
    "train_subset": DatasetConfig.train_subset,
    "skip_invalid_size_inputs_valid_test": DatasetConfig.skip_invalid_size_inputs_valid_test,
    "best_checkpoint_metric": CheckpointConfig.best_checkpoint_metric,
    "maximize_best_checkpoint_metric": CheckpointConfig.maximize_best_checkpoint_metric,
    "max_tokens": None,
    "batch_size": None,
    "required_batch_size_multiple": DatasetConfig.required_batch_size_multiple,
    "save_dir": None,
    "restore_file": CheckpointConfig.restore_file,
    "finetune_from_model": None,
    "no_save": False,
    "ddp_backend": DistributedTrainingConfig.ddp_backend,
}


def with_values_of_other_groups(cfg) -> DictConfig:
    """Options whose ``seed`` and ``train_subset`` have values, fairseq's defaults where nothing else is known.

    A script's Namespace or partial configuration has no other groups: ``${common.seed}`` would stay as text, and
    with ``${dataset.train_subset}`` the training set would be taken for a validation set, its masks never changing.
    """
    options = OmegaConf.structured(cfg) if is_dataclass(cfg) else cfg
    for name, default in _OTHER_GROUPS.items():
        try:
            options.get(name)
        except InterpolationResolutionError:
            options[name] = default
    return options


def refuse_idle(options, config: type, names: Iterable[str], where: str) -> None:
    """Refuse flags that nothing reads, beside what others say.

    A value that is the default's is let through: nothing tells whether it was given.

    Args:
        options: of a task, a model or a criterion; a partial configuration may leave some out.
        config: their dataclass, which has the defaults.
        names: of the options that nothing reads.
        where: why, like ``on --masking span``.

    Raises:
        InputError: one of them isn't at its default.
    """
    for name in names:
        default = config.__dataclass_fields__[name].default  # type: ignore[attr-defined]
        value = getattr(options, name, default)
        if value not in (None, default) and str(value) != str(default):
            raise InputError(f"--{name.replace('_', '-')} has no effect {where}; leave it out")


class Metrics(NamedTuple):
    """What validation logs that can choose a checkpoint.

    Attributes:
        scores: names of those of which more is better.
        losses: names of those of which less is better.
        complete: False where a criterion of fairseq's may log others.
    """

    scores: Sequence[str]
    losses: Sequence[str] = ("loss",)
    complete: bool = True


class TrainingTask(FairseqTask):
    """A task on data sets of ours; its options are a ``TrainingConfig`` with ``data``."""

    POSITIONS_FLAG = "--max-source-positions"  # which makes room for longer lines
    model_options: Any = None  # of the model that is to be trained; None for one that a checkpoint brings along

    def shard(self, split: str, epoch: int, data: Optional[str] = None) -> tuple[str, int]:
        """Folder of ``split`` in this epoch, and how many folders the epochs go round.

        Args:
            data: the folders, like ``a:b``; by default the task's.
        """
        folders = utils.split_paths(data or self.cfg.data)
        if split != self.cfg.train_subset:
            return folders[0], 1
        return folders[(epoch - 1) % len(folders)], len(folders)

    def resume_from(self, task_state: dict[str, Any]) -> None:
        """Take over, on every rank, what a checked checkpoint's ``task_state`` says of the training so far."""

    def metrics(self, criterion) -> Metrics:
        """What validation logs with a criterion of these options."""
        raise NotImplementedError

    def check_best_metric(self, metrics: Metrics) -> None:
        """Before training: ``--best-checkpoint-metric`` is one that validation logs, taken the right way round.

        Raises:
            InputError: nothing logs it, or the worst checkpoint would be kept as the best.
        """
        metric, maximize = self.cfg.best_checkpoint_metric, self.cfg.maximize_best_checkpoint_metric
        known = [*metrics.scores, *metrics.losses]
        if metrics.complete and metric not in known:
            raise InputError(f"--best-checkpoint-metric {metric} is not logged; choose one of {', '.join(known)}")
        if metric in metrics.scores and not maximize:
            raise InputError(
                f"--best-checkpoint-metric {metric} would keep the checkpoint with the lowest; add "
                "--maximize-best-checkpoint-metric"
            )
        if metric in metrics.losses and maximize:
            raise InputError(
                f"--maximize-best-checkpoint-metric would keep the checkpoint with the highest {metric}; leave it out"
            )

    def check_flags(self, model) -> None:
        """Before the model of a training is built by these options: refuse flags of the task's and the model's that
        nothing reads. A checkpoint's own settings are as they are.

        Raises:
            InputError: there is one.
        """

    def check_objective(self, criterion) -> None:
        """The same of the criterion's flags, and of those that nothing reads because of them."""

    def build_model(self, cfg, from_checkpoint=False):
        if not from_checkpoint:
            self.model_options = cfg
            self.check_flags(cfg)
        return super().build_model(cfg, from_checkpoint)

    def build_criterion(self, cfg, from_checkpoint=False):
        """Raises InputError: processes of torchrun that fairseq hasn't joined, as those of fairseq-hydra-train."""
        alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
        if alone and int(os.environ.get("WORLD_SIZE", 1)) > 1 and "LOCAL_WORLD_SIZE" in os.environ:
            raise InputError(
                "torchrun has started several processes, but each would train alone and write the same files; "
                "start fairseq-train with torchrun, fairseq-hydra-train without it"
            )
        if self.model_options is not None:
            self.check_objective(cfg)
            self.check_best_metric(self.metrics(cfg))
        return super().build_criterion(cfg, from_checkpoint)

    def begin_training(self) -> None:
        """All is checked, a checkpoint to go on from, too: what lies beside the checkpoints may be written now."""

    def get_batch_iterator(self, *args, **kwargs):
        """fairseq's iterator, without persistent workers: our data sets never reuse an iterator, and workers
        that outlive theirs are killed by the garbage collector, after waiting 5 seconds for each."""
        iterator = super().get_batch_iterator(*args, **kwargs)
        iterator.persistent_workers = False
        return iterator

    def filter_indices_by_size(self, indices, dataset, max_positions=None, ignore_invalid_inputs=False):
        kept, skipped = dataset.filter_indices_by_size(indices, max_positions)
        if len(skipped) > 0:
            if not ignore_invalid_inputs:  # of fairseq-interactive: its answers are counted by lines
                raise InputError(
                    f"line {int(min(skipped)) + 1} of this buffer is longer than the model's {max_positions}; split "
                    "it, or leave such lines out with --skip-invalid-size-inputs-valid-test"
                )
            logger.info("skipped %d lines longer than %s", len(skipped), max_positions)
        if len(kept) == 0:
            raise InputError(f"every line is longer than {max_positions}; raise {self.POSITIONS_FLAG}")
        return kept

    def autocast(self, model):
        """bfloat16 autocast on the model's device, if asked for."""
        if not self.cfg.autocast_bfloat16:
            return nullcontext()
        return torch.autocast(next(model.parameters()).device.type, torch.bfloat16)

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        # fairseq's own opens a CUDA autocast that is disabled, which would end ours.
        if isinstance(optimizer, AMPOptimizer):
            return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)
        model.train()
        model.set_num_updates(update_num)
        with torch.autograd.profiler.record_function("forward"), self.autocast(model):
            loss, sample_size, logging_output = criterion(model, sample)
        if ignore_grad:
            loss *= 0
        with torch.autograd.profiler.record_function("backward"):
            optimizer.backward(loss)
        return loss, sample_size, logging_output

    def valid_step(self, sample, model, criterion):
        with self.autocast(model):
            return super().valid_step(sample, model, criterion)
