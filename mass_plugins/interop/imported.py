"""A model of another program as a folder of ours: checkpoint, dictionaries and text settings.

checkpoint.pt                     for --pretrained-checkpoint, fairseq-generate, mass-plugins translate
dict.<language>.txt               the joint dictionary
text.json and the sub-words' file for prepare.py --like, where the sub-words are known
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Sequence

import torch
from fairseq.data import Dictionary
from torch import Tensor

from mass_plugins.data.symbols import MASK, SPECIAL
from mass_plugins.data.text import TextCodec
from mass_plugins.errors import InputError
from mass_plugins.interop.checkpoint import build, training_flags, untrained
from mass_plugins.interop.folders import whole_folder
from mass_plugins.interop.settings import shown
from mass_plugins.models import mass_config

CHECKPOINT = "checkpoint.pt"
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

    def flags(self) -> list[str]:
        """The words for the command line of a training that goes on from this model."""
        return training_flags(self.options, _ARCHITECTURES)

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
                raise InputError(f"{shown(language)} can't be a language's code, or is one twice; fix it")
        with whole_folder(target) as half:
            for language in self.languages:
                write_dictionary(half / f"dict.{language}.txt", self.symbols)
            if self.codec is not None:
                self.codec.save(half)
            torch.save(self._state(half, target, seed), half / CHECKPOINT)

    def _state(self, half: Path, target: Path, seed: int) -> dict[str, Any]:
        words = [str(half), "--task", "seq2seq_finetuning", "--langs", ",".join(self.languages), *self.flags()]
        cfg, task, model = build(words, seed)
        self._load_into(model)
        cfg.task.data = str(target.resolve())
        return untrained(cfg, task, model)

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
            raise InputError(f"the vocabulary's entry {number} is {symbol!r}, which no dictionary can hold; fix it")
        try:
            symbol.encode()
        except UnicodeEncodeError:
            raise InputError(f"the vocabulary's entry {number} is {symbol!a}, which is not UTF-8; fix it") from None
        if symbol in seen:
            raise InputError(f"the vocabulary has {symbol!r} a second time, as entry {number}; fix it")
        seen.add(symbol)
    if MASK not in seen:
        raise InputError(f"the vocabulary has nothing for {MASK}, which MASS puts in the place of words")
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{symbol} 1\n" for symbol in symbols)
    if Dictionary.load(str(path)).symbols != [*SPECIAL, *symbols]:  # white space that fairseq strips, for instance
        raise InputError("the vocabulary has an entry that fairseq's dictionaries can't hold; fix it")


def positions(table: Tensor) -> Tensor:
    """(P, D) from position 0 on -> (P + 2, D), as our tables begin: two rows of padding."""
    return torch.cat([table.new_zeros(2, table.shape[1]), table])


def reorder(tensor: Tensor, order: Sequence[int]) -> Tensor:
    """Rows (or a bias' entries) of another vocabulary in our dictionary's order."""
    return tensor.index_select(0, torch.tensor(order))
