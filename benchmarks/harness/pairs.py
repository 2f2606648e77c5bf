"""Side-by-side timing: sides run in alternation, medians, one line and one record a comparison."""

import argparse
import json
import platform
import random
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, Callable, Mapping, NamedTuple, Optional

from mass_plugins.data.text_files import write_whole


class Comparison(NamedTuple):
    """Two sides that did the same ``work`` in every pair; ``ours`` and ``theirs`` are seconds by pair."""

    benchmark: str
    peer: str
    ours: list[float]
    theirs: list[float]
    work: int
    unit: str

    @property
    def ratios(self) -> list[float]:
        """How many times as fast as the peer we are, by pair."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs)]

    def line(self) -> str:
        ours, theirs = (self.work / median(seconds) for seconds in (self.ours, self.theirs))
        return (
            f"{self.benchmark}: {median(self.ratios):.2f} times as fast as {self.peer} "
            f"({ours:,.0f} against {theirs:,.0f} {self.unit}; ratios of {len(self.ours)} pairs "
            f"{min(self.ratios):.2f} to {max(self.ratios):.2f})"
        )

    def record(self, hardware: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "benchmark": self.benchmark,
            "peer": self.peer,
            "ours": round(self.work / median(self.ours)),
            "theirs": round(self.work / median(self.theirs)),
            "unit": self.unit,
            "ratio": round(median(self.ratios), 3),
            "ratios": [round(ratio, 3) for ratio in self.ratios],
            "pairs": len(self.ours),
            "hardware": hardware,
            "settings": dict(settings),
        }


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def alternate(
    sides: Mapping[str, Callable[[int], Any]],
    pairs: int,
    steps: int = 1,
    clock: str = "wall",
    settle: Callable[[], Any] = lambda: None,
    label: str = "",
) -> dict[str, list[float]]:
    """Seconds of each side in each pair.

    A pair is ``steps`` steps, each taken by every side in turn, so that a slow second of the machine
    hits all of them; their order is drawn anew for each step, for a side may find the caches and the
    heap as the one before it left them.

    Args:
        sides: name -> function of the step's number.
        clock: one of ``CLOCKS``.
        settle: called before each look at the clock (a GPU's queue must be empty).
        label: tell of each pair on stderr, under this name.
    """
    read, order = CLOCKS[clock], random.Random(pairs)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for pair in range(pairs):
        sums = dict.fromkeys(sides, 0.0)
        for step in range(steps):
            for name in order.sample([*sides], len(sides)):
                settle()
                start = read()
                sides[name](step)
                settle()
                sums[name] += read() - start
        for name in sides:
            seconds[name].append(sums[name])
        if label:
            told = ", ".join(f"{name} {value:.2f}" for name, value in sums.items())
            print(f"{label}, pair {pair + 1} of {pairs}, seconds: {told}", file=sys.stderr, flush=True)
    return seconds


def add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs", type=positive, default=7, help="alternations of the two sides; the median counts (default: 7)"
    )
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="cpu: this process's processor time, on a machine that others use too (default: wall)",
    )
    parser.add_argument(
        "--output", type=Path, help="write the records to this JSON file, e.g. benchmarks/<name>.json (default: print)"
    )


def positive(text: str) -> int:
    """An argparse type."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def report(records: list[dict[str, Any]], output: Optional[Path], merge: bool = False) -> None:
    """One record a line, to ``output`` (under a temporary name first) or to stdout.

    Args:
        merge: the file's records of other benchmarks stay, each in its place.
    """
    if merge and output is not None and output.exists():
        made = {record["benchmark"]: record for record in records}
        kept = [made.pop(record["benchmark"], record) for record in json.loads(output.read_text(encoding="utf-8"))]
        records = [*kept, *made.values()]
    lines = ",\n ".join(json.dumps(record) for record in records)
    if output is None:
        print(f"[{lines}]")
        return
    write_whole(output, f"[{lines}]\n".encode())
    print(f"{len(records)} records in {output}", file=sys.stderr)


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        return names[0].partition(":")[2].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
