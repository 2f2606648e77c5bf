"""Turns of a dialogue <-> source and target of response generation, the same for training text and for a talk.

The source is the context: the last turns, oldest first, with a separator between; the target is the turn that answers.
How many turns and which separator is kept beside the binarized text as ``dialogue.json``. Imports no fairseq.
"""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence

from mass_plugins.data.json_file import write_json
from mass_plugins.errors import InputError

SETTINGS_FILE = "dialogue.json"
VERSION = 1


@dataclass(frozen=True)
class DialogueSettings:
    """How a context is written.

    Attributes:
        turns: of the context, at most; 1: the answered turn alone.
        separator: a word between turns, which is taken out of the turns themselves.
        max_words: of the context; the oldest words go first, so that what is answered stays.
        spaces: between words; in a language without, two characters count as a word.
    """

    turns: int = 1
    separator: str = "|"
    max_words: int = 100
    spaces: bool = True

    def __post_init__(self):
        if self.turns < 1:
            raise InputError(f"turns={self.turns} leaves nothing to answer; set it to 1 or more")
        if len(self.separator.split()) != 1 or self.separator != self.separator.strip():
            raise InputError(f"separator={self.separator!r} is not one word; set it like |")
        if self.max_words < 1:
            raise InputError(f"max_words={self.max_words} leaves no context; set it to 1 or more")

    def clean(self, turn: str) -> str:
        """A turn without the separator, white space as single spaces."""
        return " ".join(word for word in turn.split() if word != self.separator)

    def context(self, turns: Sequence[str]) -> str:
        """The last ``turns`` of those that came before an answer, as one line."""
        recent = [words for turn in turns if (words := self.clean(turn))][-self.turns :]
        kept: list[str] = []
        room = self.max_words if self.spaces else 2 * self.max_words
        for turn in reversed(recent):
            units = turn.split() if self.spaces else list(turn)
            room -= bool(kept)  # the separator
            if room <= 0:
                break
            kept.insert(0, (" " if self.spaces else "").join(units[-room:]).strip())
            room -= len(units)
        return f" {self.separator} ".join(kept)

    def pairs(self, turns: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Each turn but the first with its context; one without a word on either side is left out."""
        for number in range(1, len(turns)):
            source, target = self.context(turns[:number]), self.clean(turns[number])
            if source and target and self.clean(turns[number - 1]):
                yield source, target

    def save(self, folder: str | os.PathLike) -> None:
        """Write ``dialogue.json``, whole or not at all."""
        write_json(Path(folder) / SETTINGS_FILE, {"version": VERSION, **dataclasses.asdict(self)})

    @classmethod
    def are_in(cls, folder: str | os.PathLike) -> bool:
        """Whether a data-bin is of dialogues: of a source that is too long the beginning is cut, not the end."""
        return (Path(folder) / SETTINGS_FILE).is_file()

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "DialogueSettings":
        """Read what ``save`` wrote; the defaults where there is no such file.

        Raises:
            InputError: it is damaged, or of another version.
        """
        path = Path(folder) / SETTINGS_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("version") != VERSION:
                raise InputError(f"{path} is of another version; update mass_plugins")
            return cls(**content)
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is damaged ({error}); write it again with preprocess/dialogue_pairs.py") from None
