"""Scores of an example's encoders into result.json: ``python -m mass_plugins.scoring.similarity_runs``.

Each run is a JSON file that ``mass-plugins evaluate sts --json`` wrote. Runs of one system become a score for each set
and one for the average, over seeds; systems are compared with the first one, or with those that ``--compare`` names, by
the paired bootstrap over pairs, a seed with the same seed.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple, Optional, Sequence

import numpy as np

from mass_plugins.errors import InputError
from mass_plugins.scoring.recipe_result import (
    Collected,
    Tested,
    add_comparisons,
    comparison,
    make_parser,
    parse_comparisons,
    write_result,
)
from mass_plugins.scoring.result import Score
from mass_plugins.scoring.similarity import AVERAGE, SAMPLES, Evaluation, SetScore, bootstrap
from mass_plugins.scoring.similarity_sets import PairSet

METRIC = "spearman"


class SimilarityRun(NamedTuple):
    """Attributes:
    cosines, gold: by name of a set, (N,) each.
    seconds: of training, if it was measured.
    """

    system: str
    seed: int
    scores: list[SetScore]
    cosines: dict[str, np.ndarray]
    gold: dict[str, np.ndarray]
    seconds: Optional[float]
    file: Path


def run_record(
    system: str, seed: int, found: Evaluation, sets: Sequence[PairSet], seconds: Optional[float] = None
) -> dict[str, Any]:
    """A run as files hold it, for :func:`read_run`."""
    return {
        "system": system,
        "seed": seed,
        "seconds": seconds,
        "scores": [score._asdict() for score in found.scores],
        "cosines": {name: [round(float(value), 6) for value in values] for name, values in found.cosines.items()},
        "gold": {pairs.name: pairs.gold.tolist() for pairs in sets},
    }


def read_run(path: Path) -> SimilarityRun:
    """A file of :func:`run_record`.

    Raises:
        InputError: there is none, or it holds something else.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        scores = [SetScore(**{**score, "parts": tuple(score["parts"])}) for score in record["scores"]]
        cosines, gold = (
            {name: np.array(values) for name, values in record[key].items()} for key in ("cosines", "gold")
        )
        return SimilarityRun(record["system"], int(record["seed"]), scores, cosines, gold, record["seconds"], path)
    except FileNotFoundError:
        raise InputError(f"{path} doesn't exist; run the recipe again") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a run of mass-plugins evaluate sts ({error!r}); remove it and rerun") from None


def score_runs(runs: Sequence[SimilarityRun], papers: Optional[dict[tuple[str, str], float]] = None) -> list[Score]:
    """One score for each set and system, in the order of the runs; the wall time of training where all have it.

    Args:
        papers: (system, set) → the paper's number.

    Raises:
        InputError: runs on different pairs of one set.
    """
    collected = Collected()
    for run in runs:
        for found in run.scores:
            paper = (papers or {}).get((run.system, found.name))
            interval = (found.low, found.high)
            collected.add(run, found.name, METRIC, found.signature(), found.spearman, interval, paper=paper)
    for run in runs:
        if run.seconds is not None:
            collected.add(run, "training", "seconds", "wall time", run.seconds, lower_is_better=True)
    return collected.scores()


def compare_runs(
    runs: Sequence[SimilarityRun], against: Sequence[tuple[str, str]] = (), samples: int = SAMPLES
) -> list[dict]:
    """Systems against their baselines, on the average over sets, by paired bootstrap over the pairs of each set.

    Args:
        against: (system, baseline), where both have runs; default: each system against the first.

    Raises:
        InputError: two runs have a set with other gold scores, so that their pairs aren't the same.
    """
    systems: dict[str, dict[int, SimilarityRun]] = {}
    for run in runs:
        systems.setdefault(run.system, {})[run.seed] = run
    first, *others = systems
    comparisons = []
    for system, baseline in against or [(other, first) for other in others]:
        if system not in systems or baseline not in systems:
            continue
        pairs = []
        for seed, new in sorted(systems[system].items()):
            old = _same_or_only(systems[baseline], seed)
            if old is not None and old.gold.keys() == new.gold.keys():
                _check_same_pairs(old, new)
                pairs.append((old, new))
        if not pairs:
            continue
        setting = AVERAGE if len(pairs[0][1].gold) > 1 else next(iter(pairs[0][1].gold))
        seeds, tests = [new.seed for _, new in pairs], [_test(old, new, samples) for old, new in pairs]
        comparisons.append(comparison(setting, system, baseline, seeds, tests, f"over:pairs|bs:{samples}|seed:1"))
    return comparisons


def _check_same_pairs(old: SimilarityRun, new: SimilarityRun) -> None:
    for name, gold in old.gold.items():
        if not np.array_equal(gold, new.gold[name]):
            raise InputError(
                f"{new.system} (seed {new.seed}) and {old.system} (seed {old.seed}) are of different pairs of {name}, "
                f"{len(new.gold[name])} and {len(gold)}, or in another order; evaluate both on the same files"
            )


def _same_or_only(runs: dict[int, SimilarityRun], seed: int) -> Optional[SimilarityRun]:
    """The baseline's run of this seed; one that was not trained has a single run, which goes with all."""
    return next(iter(runs.values())) if len(runs) == 1 else runs.get(seed)


def _average(run: SimilarityRun) -> float:
    return run.scores[-1].spearman


def _test(old: SimilarityRun, new: SimilarityRun, samples: int) -> Tested:
    """Two-sided: how often the difference of a resampled average is as far from the observed one as 0 is."""
    drawn = [
        np.mean([bootstrap(run.cosines[name], run.gold[name], samples, 1) for name in run.gold], axis=0)
        for run in (old, new)
    ]
    observed = _average(new) - _average(old)
    if observed == 0:
        return Tested(0.0, 1.0)
    far = np.abs((drawn[1] - drawn[0]) - observed) >= abs(observed)
    return Tested(observed, float((far.sum() + 1) / (samples + 1)))


def _papers(items: Sequence[str]) -> dict[tuple[str, str], float]:
    found = {}
    for item in items:
        system, _, rest = item.partition(":")
        name, _, number = rest.partition("=")
        try:
            found[system, name] = float(number)
        except ValueError:
            raise InputError(f"--paper {item} is not SYSTEM:SET=NUMBER") from None
    return found


def main(argv: Optional[list[str]] = None) -> int:
    parser = make_parser("similarity_runs", __doc__)
    parser.add_argument("--paper", nargs="*", default=[], metavar="SYSTEM:SET=NUMBER", help="published numbers")
    add_comparisons(parser, "each against the first")
    options = parser.parse_args(argv)

    def scored() -> tuple[list[Score], list[dict]]:
        runs = [read_run(path) for path in options.runs]
        return score_runs(runs, _papers(options.paper)), compare_runs(runs, parse_comparisons(options.compare))

    return write_result(options, scored)


if __name__ == "__main__":
    sys.exit(main())
