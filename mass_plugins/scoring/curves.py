"""Training curves: fairseq's logs → a picture.

    log file or TensorBoard folder --read_run--> Run --draw--> PNG

Understands every --log-format of fairseq-train (json, simple, tqdm) as it is printed, what --log-file writes in the
format json (lines of the others don't name their split there), and the folder of --tensorboard-logdir. Logs of a run
that was resumed may follow one another in one file: of two values for one update the later one holds.
"""

import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mass_plugins.errors import InputError
from mass_plugins.scoring.pictures import new_figure, save_picture

# fairseq's tag → ours. "train" is the mean over an epoch, drawn only where nothing finer is there.
TRAINING, EPOCH = "train_inner", "train"

_TAGGED = re.compile(r"(?:\| |\]\[|- )(?P<tag>train_inner|train|[\w.]*valid[\w.]*)(?: \| |\]\[INFO\] - )(?P<rest>.*)")
_PAIR = re.compile(r"(\w+)[= ](-?[\d.]+(?:e[-+]?\d+)?|nan|inf)(?=[,| ]|$)")


@dataclass
class Run:
    """One training run.

    Attributes:
        name: what the legend calls it.
        values: (split, metric) → {update: value}; a split is ``train_inner``, ``train`` (a mean
            over an epoch) or the name of a validation set.
    """

    name: str
    values: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)

    def add(self, split: str, metric: str, update: int, value: float):
        self.values.setdefault((split, metric), {})[update] = value

    def series(self, metric: str) -> dict[str, list[tuple[int, float]]]:
        """Split → its (update, value) points, by update; one training curve, the finest there is."""
        found = {split: sorted(points.items()) for (split, name), points in self.values.items() if name == metric}
        if TRAINING in found:
            found.pop(EPOCH, None)
        return found


def read_run(name: str, path: str | os.PathLike) -> Run:
    """Read the log file or TensorBoard folder ``path``; InputError if it holds no curve."""
    if not os.path.exists(path):
        raise InputError(f"{path} doesn't exist; give fairseq-train's output or a TensorBoard folder")
    if os.path.isdir(path):
        run = _read_tensorboard(name, path)
    else:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                run = read_log(name, file)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}; give fairseq-train's output") from error
    if not run.values:
        raise InputError(
            f"{path} holds no training curve; give fairseq-train's output, or its --log-file with --log-format json"
        )
    return run


def read_log(name: str, lines: Iterable[str]) -> Run:
    """The run that ``lines`` of fairseq-train's output tell of; other lines are passed over."""
    run = Run(name)
    for line in lines:
        split, stats = _parse_line(line.strip())
        update = stats.pop("num_updates", None)
        if update is None:
            continue
        for metric, value in stats.items():
            if math.isfinite(value):
                run.add(split, metric, int(update), value)
    return run


def _parse_line(line: str) -> tuple[str, dict[str, float]]:
    """A line of a log → its split and its numbers by name; none if it is another kind of line."""
    tagged = _TAGGED.search(line)
    text = tagged["rest"] if tagged else line
    if text.startswith("{"):
        return _parse_json(tagged["tag"] if tagged else None, text)
    if tagged is None:
        return "", {}
    return tagged["tag"], {key: float(value) for key, value in _PAIR.findall(text)}


def _parse_json(tag: str | None, text: str) -> tuple[str, dict[str, float]]:
    """fairseq's JSON writes numbers as strings and puts the split before each name but in train_inner."""
    try:
        stats = json.loads(text)
    except json.JSONDecodeError:  # cut off by a kill
        return "", {}
    if tag is None:  # a --log-file has no tags
        prefixes = [key.removesuffix("_num_updates") for key in stats if key.endswith("_num_updates")]
        tag = prefixes[0] if prefixes else TRAINING
    numbers = {}
    for key, value in stats.items():
        try:
            numbers[key.removeprefix(f"{tag}_")] = float(value)
        except (TypeError, ValueError):
            continue  # a text, a signature for instance
    return tag, numbers


def _read_tensorboard(name: str, folder: str | os.PathLike) -> Run:
    """The scalars of --tensorboard-logdir: a folder per split."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        raise InputError(f"{folder}: TensorBoard isn't installed; pip install mass_plugins[tensorboard]") from error
    run = Run(name)
    for split in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        events = EventAccumulator(str(split), size_guidance={"scalars": 0})
        events.Reload()
        for metric in events.Tags()["scalars"]:
            for event in events.Scalars(metric):
                run.add(split.name, metric, event.step, event.value)
    return run


def draw(runs: Sequence[Run], metrics: Sequence[str], output: str) -> list[str]:
    """Draw ``runs`` in one picture, a panel for each of ``metrics`` that any of them has.

    A run has one colour; its training curve is thin, its validation curves are dotted points.

    Returns:
        the metrics that were drawn.
    Raises:
        InputError: none of the metrics is there, matplotlib is missing, or no picture can be written.
    """
    present = [metric for metric in metrics if any(run.series(metric) for run in runs)]
    if not present:
        known = sorted({metric for run in runs for _, metric in run.values})
        raise InputError(f"no run has {' or '.join(metrics)}; choose --metrics from {', '.join(known)}")
    figure = new_figure(figsize=(6.4 * len(present), 4.4), layout="constrained")
    for panel, metric in zip(figure.subplots(1, len(present), squeeze=False)[0], present):
        for number, run in enumerate(runs):
            _draw_run(panel, run, metric, colour=f"C{number}")
        panel.set(xlabel="updates", ylabel=metric)
        panel.grid(alpha=0.3)
    curves = [curve for panel in figure.axes for curve in panel.get_lines()]
    once = list({(curve.get_label(), curve.get_color()): curve for curve in curves}.values())
    # one legend below all panels, where it hides no curve
    figure.legend(handles=once, loc="outside lower center", ncols=min(3, len(once)), frameon=False)
    save_picture(figure, output)
    return present


def _draw_run(panel, run: Run, metric: str, colour: str):
    for split, points in sorted(run.series(metric).items()):
        updates, values = zip(*points)
        training = split in (TRAINING, EPOCH)
        label = f"{run.name}, {'train' if training else split}"
        style = {"linewidth": 1, "alpha": 0.6} if training else {"linewidth": 1.8, "marker": "o", "markersize": 3}
        panel.plot(updates, values, color=colour, label=label, **style)
