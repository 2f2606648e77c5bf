"""BLEU in validation, by direction: counts that travel through fairseq's logs and become scores in the end."""

from typing import Iterable, Sequence

from fairseq import metrics
from fairseq.data import Dictionary
from torch import Tensor

from mass_plugins.data.languages import Direction
from mass_plugins.data.text import TextCodec
from mass_plugins.objectives.logs import log_sums
from mass_plugins.scoring.bleu import BleuStatistics


class Detokenizer:
    """Token ids -> raw text, as it is scored."""

    def __init__(self, dictionary: Dictionary, codec: TextCodec):
        self.dictionary, self.codec = dictionary, codec

    def __call__(self, tokens: Tensor, language: str, escape_unk: bool = False) -> str:
        """A row of token ids, padding left out.

        Args:
            escape_unk: write a reference's unknown words so that none of a hypothesis matches them.
        """
        padding = {self.dictionary.pad()}
        pieces = self.dictionary.string(tokens.int().cpu(), escape_unk=escape_unk, extra_symbols_to_ignore=padding)
        return self.codec.decode(pieces, language)


def bleu_logs(name: str, found: dict[Direction, BleuStatistics], directions: Iterable[Direction]) -> dict[str, float]:
    """Logging entries of one batch: every process reports every direction, so that logs can be summed key by key."""
    return {
        f"_{name}_{direction}_{key}": value
        for direction in directions
        for key, value in found.get(direction, BleuStatistics.empty()).items()
    }


def log_bleu(name: str, logging_outputs: Sequence[dict], directions: Sequence[Direction]) -> None:
    """Sum the entries of :func:`bleu_logs`; ``name`` is the mean over directions, ``name_<direction>`` each one's.

    A direction without text in this validation set has no score, rather than one of 0.
    """
    for direction in directions:
        log_sums(logging_outputs, (f"_{name}_{direction}_{key}" for key in BleuStatistics.empty().keys()))
    here = [d for d in directions if any(log.get(f"_{name}_{d}_ref_len", 0) for log in logging_outputs)]
    for direction in here if len(directions) > 1 else []:
        metrics.log_derived(f"{name}_{direction}", lambda meters, d=direction: _score(meters, name, d))
    if here:
        metrics.log_derived(name, lambda meters: _mean_score(meters, name, directions))


def _mean_score(meters, name: str, directions: Sequence[Direction]) -> float:
    scores = [_score(meters, name, d) for d in directions if meters[f"_{name}_{d}_ref_len"].sum]
    return round(sum(scores) / max(1, len(scores)), 2)


def _score(meters, name: str, direction: Direction) -> float:
    sums = {key: meters[f"_{name}_{direction}_{key}"].sum for key in BleuStatistics.empty().keys()}
    return round(BleuStatistics.from_items(sums).score(), 2)
