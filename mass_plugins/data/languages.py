"""Language codes, translation directions and the temperature sampling of unequal corpora."""

from typing import NamedTuple, Optional, Sequence

import numpy as np

from mass_plugins.errors import InputError


class Direction(NamedTuple):
    """A translation direction; for summarization or dialogue both sides are the same language."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"

    @property
    def reverse(self) -> "Direction":
        return Direction(self.target, self.source)


def side_names(languages: Sequence[str]) -> tuple[str, ...]:
    """Endings of the files of a corpus: its languages, or source and target for pairs of one language."""
    if len(languages) == 2 and languages[0] == languages[1]:
        return ("source", "target")
    return tuple(languages)


def parse_languages(text: str, flag: str = "--langs") -> list[str]:
    """``"de,en,fr"`` -> ``["de", "en", "fr"]``; the order numbers the language embeddings."""
    languages = [code.strip() for code in text.split(",") if code.strip()]
    if not languages or len(set(languages)) != len(languages):
        raise InputError(f"{flag} {text!r} names no language or one twice; write it like de,en,fr")
    return languages


def parse_directions(text: str, languages: Sequence[str], flag: str = "--directions") -> list[Direction]:
    """``"de-en,en-de"`` -> directions whose languages are all known."""
    directions = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        matches = [
            Direction(s, t) for s in languages for t in languages if f"{s}-{t}" == part
        ]  # codes may hold hyphens themselves
        if not matches:
            raise InputError(f"{flag} {part!r} is not SOURCE-TARGET with languages of {','.join(languages)}")
        directions.append(matches[0])
    if not directions or len(set(directions)) != len(directions):
        raise InputError(f"{flag} {text!r} names no direction or one twice; write it like de-en,en-de")
    return directions


def sampling_shares(sizes: Sequence[int], alpha: float) -> np.ndarray:
    """Probability of each corpus, proportional to ``size ** alpha`` (0: uniform, 1: as they are).

    Raises:
        InputError: ``alpha`` is below 0 or above 1, where small corpora would be drawn even less than by their size.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"--language-alpha {alpha} is not in [0, 1]; set it from 0 (uniform) to 1 (as they are)")
    weights = np.asarray(sizes, dtype=np.float64) ** alpha
    return weights / weights.sum()


def epoch_quotas(sizes: Sequence[int], alpha: float, total: Optional[int] = None) -> np.ndarray:
    """Sentences of each corpus in one epoch of ``total``, by default as many as all corpora have: (N,) int64.

    Every corpus gets at least one; rounding goes by largest remainder, so that alpha 1 takes each
    sentence exactly once.
    """
    total = int(np.sum(sizes)) if total is None else total
    exact = sampling_shares(sizes, alpha) * total
    quotas = np.floor(exact + 1e-9).astype(np.int64)
    short = total - int(quotas.sum())
    quotas[np.argsort(-(exact - quotas), kind="stable")[:short]] += 1
    return np.maximum(quotas, 1)
