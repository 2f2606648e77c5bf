"""An encoder of another program as a folder of ours: checkpoint and text pipeline."""

from pathlib import Path
from typing import Any

import torch

from mass_plugins.data.checkpoint_files import NAMES
from mass_plugins.data.encoder_text import TokenizerText
from mass_plugins.interop.checkpoint import build, training_flags, untrained
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


def flags_of(encoder_options: dict[str, Any], text: TokenizerText) -> list[str]:
    """The words for the command line of a training that goes on from an encoder with this tokenizer."""
    likeliest = sorted(_ARCHITECTURES, key=lambda name: ("xlmr" in name) != text.is_sentencepiece)
    return training_flags(encoder_options, {name: _ARCHITECTURES[name] for name in likeliest})


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
    words = [str(half), "--task", "mlm_pretraining", "--criterion", "masked_tokens", "--no-save"]
    cfg, task, model = build([*words, *flags_of(foreign.options, foreign.text)], seed)
    model.load_state_dict({**model.state_dict(), **foreign.weights}, strict=True)
    if foreign.vectors is not None:
        task.describe_vectors(**foreign.vectors)
    cfg.task.data = str(folder.resolve())
    cfg.task.no_save = False
    return untrained(cfg, task, model)
