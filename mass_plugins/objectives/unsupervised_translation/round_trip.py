"""What can be measured of a translator without parallel text (Lample et al. 2018, section 4.3)."""

from typing import Iterable, NamedTuple, Sequence

import torch
from fairseq import metrics
from torch import Tensor

from mass_plugins.data.languages import Direction
from mass_plugins.objectives.logs import log_sums

# A rate is one sum over another: name -> (numerator, denominator) of the counts below.
RATES = {
    "copy_rate": ("copies", "sentences"),
    "wrong_language_rate": ("foreign", "tokens"),
    "wrong_language_ceiling": ("source_foreign", "source_tokens"),
    "length_ratio": ("tokens", "source_tokens"),
}
_TIMES_AS_FREQUENT = 10  # in the source language: a foreign token in the target language


def foreign_tokens(source: Tensor, target: Tensor) -> Tensor:
    """(V,) bool: tokens that tell the source language from the target language.

    They are at least ten times as frequent in the one's text as in the other's. That they never occur there is too much
    to ask: a large text has nearly every token now and then.

    Args:
        source, target: (V,) int64, how often each token occurs in the text of the language; a language without any
            text has no foreign tokens and is nowhere foreign.
    """
    source, target = source.double(), target.double()  # products of counts may be beyond int64
    often = source * target.sum() >= _TIMES_AS_FREQUENT * target * source.sum()
    return often & (source > 0) & (target.sum() > 0)


class TranslationCounts(NamedTuple):
    """Counts of translations of monolingual text; those of two batches add up.

    ``copies`` are translations equal to their source, ``foreign`` the :func:`foreign_tokens` of the translations,
    ``source_foreign`` those of the sources: what a copier would have. ``tokens`` are without ``</s>`` and padding.
    """

    sentences: float
    copies: float
    tokens: float
    source_tokens: float
    foreign: float
    source_foreign: float

    @classmethod
    def of(cls, source: Tensor, translation: Tensor, foreign: Tensor, special: Sequence[int]):
        """Count a batch of one direction.

        Args:
            source, translation: (B, S) and (B, T) int64, right-padded.
            foreign: (V,) bool, the :func:`foreign_tokens` of the direction.
            special: padding and ``</s>``.
        """
        real, source_real = (
            ~torch.isin(tokens, torch.tensor(special, device=tokens.device)) for tokens in (translation, source)
        )
        return cls(
            sentences=len(source),
            copies=float(copies(source, translation, special[0]).sum()),
            tokens=float(real.sum()),
            source_tokens=float(source_real.sum()),
            foreign=float((real & foreign[translation]).sum()),
            source_foreign=float((source_real & foreign[source]).sum()),
        )


def copies(source: Tensor, translation: Tensor, pad: int) -> Tensor:
    """(B,) bool: rows that are equal, whatever their padding."""
    width = max(source.shape[1], translation.shape[1])
    source, translation = (
        torch.nn.functional.pad(tokens, (0, width - tokens.shape[1]), value=pad) for tokens in (source, translation)
    )
    return (source == translation).all(dim=1)


_EMPTY = TranslationCounts(0, 0, 0, 0, 0, 0)


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
        log_sums(logging_outputs, (f"_round_{direction}_{name}" for name in TranslationCounts._fields))
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
