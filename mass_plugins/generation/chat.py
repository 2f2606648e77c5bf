"""A talk with a fine-tuned model: it answers the last turns, its own included."""

from dataclasses import dataclass, field
from typing import Optional

import torch

from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.errors import InputError
from mass_plugins.generation.batch_decoder import check_temperature
from mass_plugins.generation.translator import Translator


@dataclass
class Generation:
    """How an answer is found. ``sampling`` draws it, else the search of width ``beam`` takes the likeliest."""

    sampling: bool = True
    temperature: float = 1.0
    sampling_topk: int = 0  # all
    sampling_topp: float = 0.9
    beam: int = 5
    min_len: int = 1
    max_len: int = 60
    no_repeat_ngram: int = 3
    length_penalty: float = 1.0

    def __post_init__(self):
        check_temperature(self.temperature)
        if not 0 <= self.sampling_topp <= 1:
            raise InputError(f"--sampling-topp {self.sampling_topp} is not a share of probability; set it like 0.9")
        if self.min_len > self.max_len:
            raise InputError(
                f"--min-len {self.min_len} exceeds --max-len {self.max_len}; lower the former or raise the latter"
            )

    def as_arguments(self) -> dict:
        """Of ``Translator.translate``."""
        drawn = ("temperature", "sampling_topk", "sampling_topp") if self.sampling else ("beam", "no_repeat_ngram")
        chosen = {name: getattr(self, name) for name in (*drawn, "sampling", "min_len", "length_penalty")}
        for name in ("sampling_topk", "sampling_topp"):
            if name in chosen:
                chosen[name] = chosen[name] or -1  # what fairseq calls all
        return {**chosen, "max_len_a": 0.0, "max_len_b": self.max_len}


@dataclass
class Conversation:
    """Turns so far, and the model that takes every second one.

    Attributes:
        language: of the talk.
        settings: how contexts are written; as in the training text.
        seed: of the drawn answers; the same turns with the same seed are answered alike.
    """

    translator: Translator
    language: str
    settings: DialogueSettings
    generation: Generation = field(default_factory=Generation)
    seed: Optional[int] = None
    turns: list[str] = field(default_factory=list)

    def answer(self, turn: str) -> str:
        """The model's answer to ``turn``; both are remembered.

        Raises:
            InputError: ``turn`` is without a word.
        """
        if not self.settings.clean(turn):
            raise InputError("there is nothing to answer")
        turns = [*self.turns, turn]
        context = self.settings.context(turns)
        arguments = self.generation.as_arguments()
        truncate = self.translator.longest_source()
        with torch.random.fork_rng(enabled=self.seed is not None):
            if self.seed is not None:
                torch.manual_seed(self.seed + len(turns))
            (found,) = self.translator.translate(
                [context], self.language, self.language, truncate=truncate, keep_end=True, **arguments
            )
        self.turns = [*turns, found]
        return found

    def reset(self) -> None:
        """Forget all turns."""
        self.turns = []
