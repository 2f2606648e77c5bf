"""A model of another program as a folder of ours: checkpoint, dictionaries and text settings.

checkpoint.pt                     for --pretrained-checkpoint, fairseq-generate, mass-plugins translate
dict.<language>.txt               the joint dictionary
text.json and the sub-words' file for prepare.py --like, where the sub-words are known
"""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Sequence

import torch
from fairseq import options, tasks
from fairseq.data import Dictionary
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf
from torch import Tensor

from mass_plugins.data.binarized import MASK
from mass_plugins.data.text import TextCodec
from mass_plugins.errors import InputError
from mass_plugins.interop.folders import whole_folder
from mass_plugins.interop.settings import shown
from mass_plugins.models import mass_config

CHECKPOINT = "checkpoint.pt"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")  # fairseq's, the first of every dictionary
_ARCHITECTURES = {
    "mass_unmt": mass_config.MassUnmtConfig,
    "mass_base": mass_config.MassBaseConfig,
    "mass_middle": mass_config.MassMiddleConfig,
}


@dataclass
class ImportedModel:
    """A model in our terms, its rows in our dictionary's order.

    Attributes:
        options: of ``MassTransformerConfig``.
        weights: by the names of our state dictionary. Of cross-attention they may be missing.
        symbols: the dictionary after fairseq's four, ``[MASK]`` among them.
        languages: in the order of their embeddings.
        codec: None where the sub-words aren't known.
        fresh: beginnings of the names of weights that the file doesn't have, and that start at random.
    """

    options: dict[str, Any]
    weights: dict[str, Tensor]
    symbols: list[str]
    languages: list[str]
    codec: Optional[TextCodec] = None
    fresh: Sequence[str] = ()

    def architecture(self) -> tuple[str, dict[str, Any]]:
        """The architecture that is nearest, and the options that differ from it."""

        def different(preset) -> dict[str, Any]:
            defaults = {name: preset.__dataclass_fields__[name].default for name in self.options}
            return {name: value for name, value in self.options.items() if value != defaults[name]}

        return min(((name, different(preset)) for name, preset in _ARCHITECTURES.items()), key=lambda it: len(it[1]))

    def flags(self) -> list[str]:
        """The words for the command line of a training that goes on from this model."""
        name, different = self.architecture()
        words = ["--arch", name]
        for option, value in different.items():
            words += [f"--{option.replace('_', '-')}"] + ([] if value is True else [str(value)])
        return words

    def save(self, folder: str, seed: int = 1) -> None:
        """Write the folder, whole or not at all.

        Args:
            folder: must not exist.
            seed: of the weights that the other model doesn't have.

        Raises:
            InputError: it exists, it can't be written, or weights and dictionary don't fit together.
        """
        target = Path(folder)
        for language in self.languages:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", language) or self.languages.count(language) > 1:
                raise InputError(f"{shown(language)} can't be a language's code, or is one twice; mend it")
        with whole_folder(target) as half:
            for language in self.languages:
                write_dictionary(half / f"dict.{language}.txt", self.symbols)
            if self.codec is not None:
                self.codec.save(half)
            torch.save(self._state(half, target, seed), half / CHECKPOINT)

    def _state(self, half: Path, target: Path, seed: int) -> dict[str, Any]:
        """What fairseq-train would save of the model before its first update."""
        words = [str(half), "--task", "seq2seq_finetuning", "--langs", ",".join(self.languages), "--cpu"]
        parser = options.get_training_parser()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Hydra's, about how fairseq uses it
            cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, words + self.flags()))
        task = tasks.setup_task(cfg.task)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = task.build_model(cfg.model)
        self._load_into(model)
        cfg.task.data = str(target.resolve())
        return {
            "args": None,
            "cfg": OmegaConf.to_container(cfg, enum_to_str=True),
            "model": model.state_dict(),
            "criterion": {},
            "optimizer_history": [
                {"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 0}
            ],
            "extra_state": {},
            "task_state": task.state_dict(),
        }

    def _load_into(self, model) -> None:
        own = model.state_dict()
        weights = {**self.weights}
        weights.update({name: own[name] for name in own if name.startswith(tuple(self.fresh)) and name not in weights})
        weights["decoder.output_projection.weight"] = weights["decoder.embed_tokens.weight"]
        weights.update({name: own[name] for name in own if name.endswith(".version")})
        wrong = sorted(set(own) ^ set(weights))
        wrong += [name for name in own if name in weights and own[name].shape != weights[name].shape]
        if wrong:
            raise InputError(f"the file's weights don't make up a model: {wrong[0]} is missing or of another size")
        model.load_state_dict(weights, strict=True)


def write_dictionary(path: Path, symbols: Sequence[str]) -> None:
    """A dictionary of fairseq's, without counts.

    Raises:
        InputError: a symbol that a line can't hold, one twice, or no ``[MASK]``.
    """
    seen = set(SPECIAL)
    for number, symbol in enumerate(symbols, start=len(SPECIAL)):
        if not symbol or any(sign in symbol for sign in " \r\n"):
            raise InputError(f"the vocabulary's entry {number} is {symbol!r}, which no dictionary can hold; mend it")
        try:
            symbol.encode()
        except UnicodeEncodeError:
            raise InputError(f"the vocabulary's entry {number} is {symbol!a}, which is no UTF-8; mend it") from None
        if symbol in seen:
            raise InputError(f"the vocabulary has {symbol!r} a second time, as entry {number}; mend it")
        seen.add(symbol)
    if MASK not in seen:
        raise InputError(f"the vocabulary has nothing for {MASK}, which MASS puts in the place of words")
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{symbol} 1\n" for symbol in symbols)
    if Dictionary.load(str(path)).symbols != [*SPECIAL, *symbols]:  # white space that fairseq strips, for instance
        raise InputError("the vocabulary has an entry that fairseq's dictionaries can't hold; mend it")


def positions(table: Tensor) -> Tensor:
    """(P, D) from position 0 on -> (P + 2, D), as our tables begin: two rows of padding."""
    return torch.cat([table.new_zeros(2, table.shape[1]), table])


def reorder(tensor: Tensor, order: Sequence[int]) -> Tensor:
    """Rows (or a bias' entries) of another vocabulary in our dictionary's order."""
    return tensor.index_select(0, torch.tensor(order))
