"""What the scoring commands of all recipes have in common: flags, scores of runs, result.json from what they find."""

import argparse
import sys
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, Protocol, Sequence

from mass_plugins.errors import InputError
from mass_plugins.scoring.result import Result, Score
from mass_plugins.scoring.retrieval import Comparison


def make_parser(prog: str, description: Optional[str]) -> argparse.ArgumentParser:
    """The flags that all scoring of runs has."""
    parser = argparse.ArgumentParser(prog=prog, description=(description or prog).split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="files of one line; see the module")
    parser.add_argument("--example", type=Path, required=True, help="folder of the recipe")
    parser.add_argument("--command", help="that runs the recipe; default: bash examples/NAME/run.sh")
    parser.add_argument("--config", nargs="+", type=Path, required=True, help="files that fix the runs")
    parser.add_argument("--output", type=Path, required=True, help="result.json to write")
    parser.add_argument("--claim", required=True, help="what the paper says, with table or figure")
    parser.add_argument("--status", required=True, help="reproduced, scaled down, not run")
    parser.add_argument("--seconds", type=int, required=True, help="of all stages")
    return parser


def add_comparisons(parser: argparse.ArgumentParser, default: str) -> None:
    """The flag that :func:`parse_comparisons` reads; ``default``: what is compared without it."""
    parser.add_argument(
        "--compare", nargs="*", default=[], metavar="SYSTEM=BASELINE",
        help=f"which to test against which, where both have runs (default: {default})",
    )  # fmt: skip


def parse_comparisons(items: Sequence[str]) -> list[tuple[str, str]]:
    """``["mlm=msm"]`` -> ``[("mlm", "msm")]``, a system and its baseline.

    Raises:
        InputError: not two systems.
    """
    found = []
    for item in items:
        system, _, baseline = item.partition("=")
        if not (system and baseline) or system == baseline:
            raise InputError(f"--compare {item} is not SYSTEM=BASELINE, two of them")
        found.append((system, baseline))
    return found


class Run(Protocol):
    """``file``: which records it, or holds its numbers."""

    @property
    def system(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def file(self) -> Optional[Path]: ...


class Collected:
    """Values of runs, which become a score for each setting, system and metric, in the order of the runs."""

    def __init__(self) -> None:
        self._scores: dict[tuple[str, str, str], Score] = {}
        self._measured: dict[tuple[str, str], tuple[Run, str]] = {}

    def add(self, run: Run, setting: str, metric: str, signature: str, value: float, interval=None, **more) -> None:
        """One seed's value.

        Args:
            more: ``paper``, ``lower_is_better``; those of a score's first run count.

        Raises:
            InputError: an earlier run in this setting, of any system, has this metric with another signature.
        """
        first, known = self._measured.setdefault((setting, metric), (run, signature))
        if known != signature:
            raise InputError(
                f"{setting}: {metric} of {first.system} ({first.file}) is measured by {known}, that of {run.system} "
                f"({run.file}) by {signature}; measure both alike"
            )
        empty = Score(run.system, setting, metric, signature, [], [], **more)
        score = self._scores.setdefault((setting, run.system, metric), empty)
        score.values.append(value)
        score.seeds.append(run.seed)
        if interval:
            score.intervals.append(interval)

    def scores(self) -> list[Score]:
        return list(self._scores.values())


class Tested(NamedTuple):
    difference: float
    p_value: float


def comparison(
    setting: str, system: str, baseline: str, seeds: list[int], tests: Sequence[Any], signature: str,
    metric: Optional[str] = None,
) -> dict[str, Any]:  # fmt: skip
    """Paired tests as result.json holds them.

    Args:
        tests: by bootstrap, as :class:`Tested` has them, one a seed; or a randomization over items, seeds averaged.
    """
    found: dict[str, Any] = {
        "setting": setting, "metric": metric, "system": system, "baseline": baseline, "seeds": seeds,
        "differences": [round(test.difference, 2) for test in tests],
        "p_values": [round(test.p_value, 4) for test in tests], "test": "paired bootstrap", "signature": signature,
    }  # fmt: skip
    if isinstance(test := tests[0], Comparison):
        interval = [round(test.low, 2), round(test.high, 2)]
        found |= {"items": test.queries, "interval": interval, "test": "paired randomization"}
    return {name: value for name, value in found.items() if value is not None}


def write_result(options: argparse.Namespace, scored: Callable[[], tuple[list[Score], list[dict]]]) -> int:
    """result.json from the scores and comparisons that ``scored`` finds; the exit status."""
    try:
        scores, comparisons = scored()
        example = options.example.resolve()
        result = Result(
            example=example.name,
            claim=options.claim,
            status=options.status,
            command=options.command or f"bash examples/{example.name}/run.sh",
            config=options.config,
            seconds=options.seconds,
            scores=scores,
            comparisons=comparisons,
        )
        result.write(options.output, folder=example)
    except InputError as error:
        print(f"mass_plugins: error: {error}", file=sys.stderr)
        return 1
    for score in result.scores:
        spread = f" ± {score.std:.1f}" if len(score.values) > 1 else ""
        print(f"{score.setting}  {score.system}  {score.metric} {score.mean:.1f}{spread}")
    print(options.output)
    return 0
