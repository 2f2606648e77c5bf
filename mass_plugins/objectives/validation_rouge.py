"""ROUGE in validation, by direction: sums that travel through fairseq's logs and become means in the end."""

from typing import Iterable, Sequence

from fairseq import metrics

from mass_plugins.data.languages import Direction
from mass_plugins.objectives.logs import log_sums
from mass_plugins.scoring.rouge import METRICS, RougeSettings, RougeSums

NAMES = tuple(METRICS.values())


def settings_for(languages: Iterable[str]) -> RougeSettings:
    """English as the papers score it, other languages with their own letters and without stems."""
    english = all(language.split("_")[0].lower() in ("en", "eng") for language in languages)
    return RougeSettings() if english else RougeSettings(stem=False, tokenize="unicode")


def rouge_logs(found: dict[Direction, RougeSums], directions: Iterable[Direction]) -> dict[str, float]:
    """Logging entries of one batch: every process reports every direction, so that logs can be summed key by key."""
    return {
        f"_rouge_{direction}_{key}": value
        for direction in directions
        for key, value in found.get(direction, RougeSums()).items()
    }


def log_rouge(logging_outputs: Sequence[dict], directions: Sequence[Direction]) -> None:
    """``rouge1``, ``rouge2``, ``rougeL``, each the mean over directions; ``rouge1_<direction>`` each one's."""
    for direction in directions:
        log_sums(logging_outputs, (f"_rouge_{direction}_{key}" for key, _ in RougeSums().items()))
    for name in NAMES:
        for direction in directions if len(directions) > 1 else []:
            metrics.log_derived(f"{name}_{direction}", lambda meters, n=name, d=direction: _score(meters, n, d))
        metrics.log_derived(
            name, lambda meters, n=name: round(sum(_score(meters, n, d) for d in directions) / len(directions), 2)
        )


def _score(meters, name: str, direction: Direction) -> float:
    count = meters[f"_rouge_{direction}_count"].sum
    return round(meters[f"_rouge_{direction}_{name}"].sum / count, 2) if count else 0.0
