"""What the scoring commands of all recipes have in common: their flags, and result.json from what they find."""

import argparse
import sys
from pathlib import Path
from typing import Callable, Optional, Sequence

from mass_plugins.errors import InputError
from mass_plugins.scoring.result import Result, Score


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
