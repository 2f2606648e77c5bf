"""An encoder of another program as a folder of ours: checkpoint and text pipeline."""

import warnings
from pathlib import Path
from typing import Any, Optional

import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

from mass_plugins.compat.imports import silence_harmless_warnings
from mass_plugins.encoding.loading import NAMES
from mass_plugins.interop.folders import whole_folder
from mass_plugins.interop.huggingface_encoder import ForeignEncoder
from mass_plugins.models import text_encoder

_ARCHITECTURES = {
    "text_encoder_bert_base": text_encoder.BertBaseConfig,
    "text_encoder_bert_large": text_encoder.BertLargeConfig,
    "text_encoder_minilm": text_encoder.MiniLmConfig,
    "text_encoder_roberta_base": text_encoder.RobertaBaseConfig,
    "text_encoder_xlmr_base": text_encoder.XlmrBaseConfig,
    "text_encoder_xlmr_large": text_encoder.XlmrLargeConfig,
}


def training_flags(encoder_options: dict[str, Any]) -> list[str]:
    """The words for the command line of a training that goes on from an encoder."""
    sentencepiece_like = encoder_options["position_style"] == "roberta"

    def different(preset) -> dict[str, Any]:
        defaults = {name: preset.__dataclass_fields__[name].default for name in encoder_options}
        return {name: value for name, value in encoder_options.items() if value != defaults[name]}

    found = ((name, different(preset)) for name, preset in _ARCHITECTURES.items())
    name, rest = min(found, key=lambda it: (len(it[1]), ("xlmr" in it[0]) != sentencepiece_like))
    return ["--arch", name, *(word for o, v in rest.items() for word in (f"--{o.replace('_', '-')}", str(v)))]


def save_encoder(foreign: ForeignEncoder, folder: Path, seed: int = 1) -> None:
    """Write the folder, whole or not at all.

    Args:
        folder: must not exist.
        seed: of the weights that the other model doesn't have.

    Raises:
        InputError: it exists or can't be written.
    """
    with whole_folder(folder) as half:
        foreign.text.save(half)
        torch.save(_state(foreign, half, folder, seed), half / NAMES[0])


def _state(foreign: ForeignEncoder, half: Path, folder: Path, seed: int) -> dict[str, Any]:
    """What fairseq-train would save of the model before its first update."""
    words = [str(half), "--task", "mlm_pretraining", "--criterion", "masked_tokens", "--cpu", "--no-save"]
    parser = options.get_training_parser()
    with warnings.catch_warnings():
        silence_harmless_warnings()  # of Hydra; a caller may have its own filters
        cfg = convert_namespace_to_omegaconf(
            options.parse_args_and_arch(parser, words + training_flags(foreign.options))
        )
    task = tasks.setup_task(cfg.task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = task.build_model(cfg.model, from_checkpoint=True)
    model.load_state_dict({**model.state_dict(), **foreign.weights}, strict=True)
    if foreign.vectors is not None:
        task.describe_vectors(**foreign.vectors)
    cfg.task.data = str(folder.resolve())
    cfg.task.no_save = False
    history: dict[str, Optional[Any]] = {"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}}
    return {
        "args": None,
        "cfg": OmegaConf.to_container(cfg, enum_to_str=True),
        "model": model.state_dict(),
        "criterion": {},
        "optimizer_history": [{**history, "num_updates": 0}],
        "extra_state": {},
        "task_state": task.state_dict(),
    }
