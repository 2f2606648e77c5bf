"""What can be measured of a translator without parallel text (Lample et al. 2018, section 4.3)."""

from typing import Iterable, NamedTuple, Sequence

import torch
from fairseq import metrics
from torch import Tensor

from mass_plugins.data.languages import Direction

# A rate is one sum over another: name -> (numerator, denominator) of the counts below.
RATES = {
    "copy_rate": ("copies", "sentences"),
    "wrong_language_rate": ("foreign", "tokens"),
    "length_ratio": ("tokens", "source_tokens"),
}


class TranslationCounts(NamedTuple):
    """Counts of translations of monolingual text; those of two batches add up.

    ``copies`` are translations equal to their source, ``foreign`` tokens that do not occur in the target
    language's text but do in the source language's. ``tokens`` are without ``</s>`` and padding.
    """

    sentences: float
    copies: float
    tokens: float
    source_tokens: float
    foreign: float

    @classmethod
    def of(cls, source: Tensor, translation: Tensor, own: Tensor, other: Tensor, special: Sequence[int]):
        """Count a batch of one direction.

        Args:
            source, translation: (B, S) and (B, T) int64, right-padded.
            own, other: (V,) bool, tokens that occur in the target's and in the source's language.
            special: padding and ``</s>``.
        """
        real, source_real = (
            ~torch.isin(tokens, torch.tensor(special, device=tokens.device)) for tokens in (translation, source)
        )
        foreign = real & ~own[translation] & other[translation]
        return cls(
            sentences=len(source),
            copies=float(copies(source, translation, special[0]).sum()),
            tokens=float(real.sum()),
            source_tokens=float(source_real.sum()),
            foreign=float(foreign.sum()),
        )


def copies(source: Tensor, translation: Tensor, pad: int) -> Tensor:
    """(B,) bool: rows that are equal, whatever their padding."""
    width = max(source.shape[1], translation.shape[1])
    source, translation = (
        torch.nn.functional.pad(tokens, (0, width - tokens.shape[1]), value=pad) for tokens in (source, translation)
    )
    return (source == translation).all(dim=1)


_EMPTY = TranslationCounts(0, 0, 0, 0, 0)


def count_logs(found: dict[Direction, TranslationCounts], directions: Iterable[Direction]) -> dict[str, float]:
    """Logging entries of one batch, for every direction on every process."""
    return {
        f"_round_{direction}_{name}": value
        for direction in directions
        for name, value in found.get(direction, _EMPTY)._asdict().items()
    }


def log_rates(logging_outputs: Sequence[dict], directions: Sequence[Direction]) -> None:
    """Sum the entries of :func:`count_logs`; each rate is logged by direction and as the mean over them."""
    for direction in directions:
        for name in TranslationCounts._fields:
            entry = f"_round_{direction}_{name}"
            metrics.log_scalar(entry, float(sum(log.get(entry, 0) for log in logging_outputs)))
    for rate in RATES:
        for direction in directions if len(directions) > 1 else []:
            metrics.log_derived(f"{rate}_{direction}", lambda meters, r=rate, d=direction: _rate(meters, r, [d]))
        metrics.log_derived(rate, lambda meters, r=rate: _rate(meters, r, directions))


def _rate(meters, rate: str, directions: Sequence[Direction]) -> float:
    """The mean over directions, in four digits."""
    total = 0.0
    for direction in directions:
        above, below = (meters[f"_round_{direction}_{name}"].sum for name in RATES[rate])
        total += above / below if below else 0.0
    return round(total / len(directions), 4)
