"""A model of another program as a checkpoint of ours, and the flags of a training that goes on from it."""

import warnings
from typing import Any, Mapping, Sequence

import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

from mass_plugins.compat.imports import silence_harmless_warnings


def training_flags(shape: Mapping[str, Any], architectures: Mapping[str, type]) -> list[str]:
    """The nearest architecture and the options that differ from it, as words for a command line.

    Args:
        shape: the model's options.
        architectures: name -> its options, a dataclass; of equally near ones the first counts.
    """

    def different(preset) -> dict[str, Any]:
        defaults = {name: preset.__dataclass_fields__[name].default for name in shape}
        return {name: value for name, value in shape.items() if value != defaults[name]}

    found = ((name, different(preset)) for name, preset in architectures.items())
    name, rest = min(found, key=lambda it: len(it[1]))
    words = ["--arch", name]
    for option, value in rest.items():
        words += [f"--{option.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return words


def build(words: Sequence[str], seed: int) -> tuple[Any, Any, torch.nn.Module]:
    """Configuration, task and model that fairseq-train has of a command line; ``seed`` is of the model's weights."""
    parser = options.get_training_parser()
    with warnings.catch_warnings():
        silence_harmless_warnings()  # of Hydra; a caller may have its own filters
        cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, [*words, "--cpu"]))
    task = tasks.setup_task(cfg.task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return cfg, task, task.build_model(cfg.model, from_checkpoint=True)


def untrained(cfg, task, model: torch.nn.Module) -> dict[str, Any]:
    """What fairseq-train would save before its first update."""
    history = {"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 0}
    return {
        "args": None,
        "cfg": OmegaConf.to_container(cfg, enum_to_str=True),
        "model": model.state_dict(),
        "criterion": {},
        "optimizer_history": [history],
        "extra_state": {},
        "task_state": task.state_dict(),
    }
