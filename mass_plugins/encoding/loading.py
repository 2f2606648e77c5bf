"""A checkpoint of any of the encoder's tasks -> model, text pipeline, and how a text's vector is made."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import torch
from fairseq import checkpoint_utils, utils
from torch import Tensor

from mass_plugins.data.checkpoint_files import find_checkpoint
from mass_plugins.data.dictionary_hash import dictionary_hash
from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.errors import InputError
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderConfig
from mass_plugins.modules.pooling import POOLINGS


@dataclass(frozen=True)
class VectorSettings:
    """How a text's vector is made.

    Attributes:
        pooling: one of ``POOLINGS``.
        normalize: to unit length.
        max_tokens: longer texts are cut, CLS and SEP counted; None: at the model's positions.
    """

    pooling: str = "mean"
    normalize: bool = False
    max_tokens: Optional[int] = None


@dataclass
class LoadedEncoder:
    """What a checkpoint holds, its optimizer left behind.

    Attributes:
        options: of :class:`TextEncoderConfig`.
        vectors: as the checkpoint's task tells; None if it doesn't.
        representation: of a retriever ``cls``, ``ot`` or ``both``; None: it is no retriever.
        projection: (d, D), a retriever's ``W_cls`` on the pooled state; None: it has none.
    """

    path: Path
    model: TextEncoder
    text: EncoderText
    options: dict[str, Any]
    vectors: Optional[VectorSettings]
    representation: Optional[str] = None
    projection: Optional[Tensor] = None

    def vector_settings(
        self, pooling: Optional[str] = None, normalize: Optional[bool] = None, max_tokens: Optional[int] = None
    ) -> VectorSettings:
        """As the checkpoint tells, else the defaults; what is given wins.

        Raises:
            InputError: a pooling that doesn't exist, or more tokens than positions; a retriever without vectors, or
                one whose vectors are made otherwise.
        """
        if self.representation == "ot":
            raise InputError(
                f"{self.path} is a retriever that represents texts by words alone; take mass-plugins represent"
            )
        given = {"pooling": pooling, "normalize": normalize, "max_tokens": max_tokens}
        chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        settings = replace(self.vectors or VectorSettings(), **chosen)
        if settings.pooling not in POOLINGS:
            raise InputError(f"pooling {settings.pooling!r} is not one of {', '.join(POOLINGS)}")
        if self.projection is not None and self.vectors and settings.pooling != self.vectors.pooling:
            raise InputError(
                f"{self.path} is a retriever whose vectors are projected from another pooling; leave out "
                f"--pooling {settings.pooling}, or take the checkpoint that it was fine-tuned from"
            )
        positions = self.model.max_positions()
        longest = settings.max_tokens
        if longest is not None and not (isinstance(longest, int) and 2 <= longest <= positions):
            raise InputError(f"max_tokens={longest!r} is not in 2 .. {positions}, the model's positions")
        return settings


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of an encoder's task, its optimizer left behind, and the text pipeline that fits it.

    Attributes:
        weights: of the model, with what the task's model has beside the encoder.
        options: of the model.
        task_options: of the task.
        task_state: what the task says of it.
    """

    path: Path
    text: EncoderText
    weights: dict[str, Any]
    options: dict[str, Any]
    task_options: dict[str, Any]
    task_state: dict[str, Any]

    @classmethod
    def read(cls, checkpoint: str | os.PathLike, data: Optional[str | os.PathLike] = None) -> "Checkpoint":
        """Read a checkpoint.

        Args:
            checkpoint: a ``checkpoint*.pt``, or a folder with one.
            data: folder of the text pipeline; default the checkpoint's own, else the one that it was trained on.

        Raises:
            InputError: no such file, a broken or foreign checkpoint, a text pipeline that doesn't fit.
        """
        path = find_checkpoint(Path(checkpoint))
        state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
        cfg = state.get("cfg") or {}
        options, task_options = cfg.get("model") or {}, cfg.get("task") or {}
        task_state = state.get("task_state") or {}
        if "layer_norm_epsilon" not in options or "model" not in state or not {"dictionary", "text"} <= set(task_state):
            raise InputError(f"{path} is not a text encoder; give a checkpoint of one, trained here or imported")
        folder = _text_folder(path, task_options, data)
        text = EncoderText.load(folder)
        if task_state["dictionary"] != dictionary_hash(text.dictionary):
            raise InputError(
                f"{path} was trained with another tokenizer than the one in {folder}; give the folder of its own with "
                "--data"
            )
        if task_state["text"] != text.fingerprint():
            raise InputError(
                f"{path} was trained with a tokenizer of the same vocabulary as that in {folder} and other rules or "
                "settings; give the folder of its own with --data"
            )
        return cls(path, text, state["model"], options, task_options, task_state)

    def known(self, config: type[TextEncoderConfig]) -> dict[str, Any]:
        """The model's options that ``config`` has, too."""
        return {name: self.options[name] for name in config.__dataclass_fields__ if name in self.options}

    def build(self, kind: type[TextEncoder], config: type[TextEncoderConfig]) -> TextEncoder:
        """A model of this kind and its ``config`` with its part of the weights.

        Raises:
            InputError: a weight is missing, or of another size.
        """
        model = kind(config(**self.known(config)), len(self.text.dictionary), self.text.dictionary.pad())
        _take_weights(model, self.weights, self.path)
        return model.eval()


@torch.inference_mode(False)  # a caller may be in it: weights made there don't tell when they change
def load_model(checkpoint: str | os.PathLike, data: Optional[str | os.PathLike] = None) -> LoadedEncoder:
    """Read a checkpoint as a text encoder; arguments and errors are those of :meth:`Checkpoint.read`."""
    found = Checkpoint.read(checkpoint, data)
    model = found.build(TextEncoder, TextEncoderConfig)
    loaded = LoadedEncoder(found.path, model, found.text, found.known(TextEncoderConfig), None)
    if "vectors" in found.task_state:
        loaded.vectors = VectorSettings(**found.task_state["vectors"])
    if "representation" in found.options:  # a retriever, whatever its task says of the checkpoint that it started from
        longest = max(int(found.task_options[name]) for name in ("query_tokens", "passage_tokens"))
        pooling, positions = str(found.options["vector_pooling"]), model.max_positions()
        loaded.vectors = VectorSettings(pooling, False, min(longest, positions))
        loaded.representation = str(found.options["representation"])
        loaded.projection = found.weights.get("cls_projection.weight")
    return loaded


def _text_folder(path: Path, task_options: dict[str, Any], data) -> Path:
    if data is not None:
        return Path(data)
    if EncoderText.is_in(path.parent):
        return path.parent
    trained_on = utils.split_paths(str(task_options.get("data") or ""))
    if not trained_on or not EncoderText.is_in(trained_on[0]):
        raise InputError(f"{path} has no tokenizer beside it; name its folder with --data")
    return Path(trained_on[0])


def _take_weights(model: TextEncoder, weights: dict[str, Any], path: Path) -> None:
    """Load the model's part of a checkpoint's weights; a task may have others beside."""
    own = model.state_dict()
    wrong = [name for name in own if name not in weights or weights[name].shape != own[name].shape]
    if wrong:
        raise InputError(f"{path}: the weight {wrong[0]} is missing or of another size than its options say")
    model.load_state_dict({name: weights[name] for name in own}, strict=True)
