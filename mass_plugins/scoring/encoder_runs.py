"""Scores of an example's encoders: ``python -m mass_plugins.scoring.encoder_runs``.

Each run is a file with a line for each number, tab-separated: system, seed, setting, metric, and the JSON file that
``mass-plugins evaluate tatoeba``, ``lareqa``, ``retrieval`` (of one run) or ``xor-retrieve`` wrote. The seeds of one
system become one score. The systems that ``--compare`` names are compared item by item (a sentence of Tatoeba, a
question of XQuAD-R in all languages, a query), each item's values averaged over the seeds that both systems have, by
the paired randomization test of :func:`mass_plugins.scoring.retrieval.compare`.
"""

import json
import sys
from pathlib import Path
from typing import Any, Hashable, Iterable, Mapping, NamedTuple, Optional, Sequence

from mass_plugins.errors import InputError
from mass_plugins.scoring.recipe_result import (
    Collected,
    add_comparisons,
    comparison,
    make_parser,
    parse_comparisons,
    write_result,
)
from mass_plugins.scoring.result import Score
from mass_plugins.scoring.retrieval import RESAMPLES, compare

Items = dict[Hashable, float]  # sentence, question or query -> what it adds to the number: their mean is the number


class Number(NamedTuple):
    """A metric's value in a file."""

    value: float
    signature: str
    items: Items


class EncoderRun(NamedTuple):
    system: str
    seed: int
    setting: str
    metric: str
    number: Number
    file: Path


def find_number(content: dict[str, Any], metric: str) -> Number:
    """The number of a metric in a file, its signature and its items.

    Of ``tatoeba`` the average of both ways, or of one: ``accuracy, forward``, ``accuracy, backward``; ``lareqa`` has
    ``mAP@20``. A file of another measure has no such number.

    Raises:
        KeyError, TypeError, ValueError: there is none.
    """
    if "pairs" in content:
        return _of_tatoeba(content, metric)
    if "average" in content:
        items = _mean_over_groups(content["questions"], lambda language, question: question)
        return Number(float(content[metric]["all"]), str(content["signature"]), items)
    signature = str(content["signatures"][metric])
    if "recall" in content:
        items = _mean_over_groups(content["questions"][metric], lambda language, question: question)
        return Number(float(content["recall"][metric]["all"]), signature, items)
    [queries] = content["queries"].values()
    found = queries[metric]
    return Number(sum(found.values()) / len(found), signature, dict(found))


def _of_tatoeba(content: dict[str, Any], metric: str) -> Number:
    pairs, (name, _, way) = content["pairs"], metric.partition(", ")
    if name != "accuracy":
        raise KeyError(metric)
    ways = [way] if way else ["forward", "backward"]
    values = [float(pair[side]) for pair in pairs.values() for side in ways]
    hits = {
        language: {n: 100 * sum(map(int, sides)) / len(ways) for n, sides in enumerate(zip(*texts, strict=True))}
        for language, texts in ((name, [pair[f"{side}_hits"] for side in ways]) for name, pair in pairs.items())
    }
    items = _mean_over_groups(hits, lambda language, sentence: (language, sentence))
    return Number(sum(values) / len(values), str(content["signature"]), items)


def _mean_over_groups(groups: Mapping[str, Mapping[Any, float]], name) -> Items:
    """Items whose mean is the mean over groups of each group's mean.

    Args:
        groups: language -> member -> value.
        name: language and member -> item; members that have one name are one item.
    """
    sums: Items = {}
    for language, members in groups.items():
        for member, value in members.items():
            key = name(language, member)
            sums[key] = sums.get(key, 0.0) + value / len(members) / len(groups)
    return {key: value * len(sums) for key, value in sums.items()}


def read_runs(paths: Iterable[Path]) -> list[EncoderRun]:
    """The lines of all files.

    Raises:
        InputError: another number of columns, a file without a number.
    """
    runs = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            cells = line.split("\t")
            if len(cells) != 5:
                raise InputError(
                    f"{path} has {len(cells)} columns; five are needed: system, seed, setting, metric, file"
                )
            system, seed, setting, metric, file = cells
            try:
                number = find_number(json.loads(Path(file).read_text(encoding="utf-8")), metric)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{file}, named in {path}, holds no score ({error!r}); measure it again") from None
            runs.append(EncoderRun(system, int(seed), setting, metric, number, Path(file)))
    return runs


def score_runs(runs: Iterable[EncoderRun]) -> list[Score]:
    """One score for each setting, metric and system, in the order of the runs.

    Raises:
        InputError: numbers of one setting and metric whose signatures differ.
    """
    collected = Collected()
    for run in runs:
        collected.add(run, run.setting, run.metric, run.number.signature, run.number.value)
    return collected.scores()


def compare_runs(runs: Iterable[EncoderRun], against: Sequence[tuple[str, str]]) -> list[dict]:
    """Paired tests in every setting where both systems have runs of a same seed and the metric has items.

    Accuracies of one direction are parts of ``accuracy`` and aren't tested.

    Args:
        against: (system, baseline).

    Raises:
        InputError: the two were measured on different items, or in different ways.
    """
    numbers: dict[tuple[str, str], dict[str, dict[int, Number]]] = {}
    for run in runs:
        if run.number.items and ", " not in run.metric:
            numbers.setdefault((run.setting, run.metric), {}).setdefault(run.system, {})[run.seed] = run.number
    comparisons = []
    for system, baseline in against:
        for (setting, metric), systems in numbers.items():
            ours, theirs = systems.get(system, {}), systems.get(baseline, {})
            seeds = sorted(ours.keys() & theirs.keys())
            if not seeds:
                continue
            measured = [side[seed] for side in (ours, theirs) for seed in seeds]
            if len({(number.signature, frozenset(number.items)) for number in measured}) > 1:
                raise InputError(
                    f"{system} and {baseline}, {setting}: measured on different items or in different ways, so they "
                    "can't be compared; measure them again"
                )
            order = list(measured[0].items)
            sides = [[sum(side[s].items[key] for s in seeds) / len(seeds) for key in order] for side in (ours, theirs)]
            found = compare(metric, (system, sides[0]), (baseline, sides[1]))
            signature = f"over:items, averaged over seeds|resamples:{RESAMPLES}|seed:1"
            comparisons.append(comparison(setting, system, baseline, seeds, [found], signature, metric))
    return comparisons


def main(argv: Optional[list[str]] = None) -> int:
    parser = make_parser("encoder_runs", __doc__)
    add_comparisons(parser, "none")
    options = parser.parse_args(argv)

    def scored() -> tuple[list[Score], list[dict]]:
        runs = read_runs(options.runs)
        return score_runs(runs), compare_runs(runs, parse_comparisons(options.compare))

    return write_result(options, scored)


if __name__ == "__main__":
    sys.exit(main())
