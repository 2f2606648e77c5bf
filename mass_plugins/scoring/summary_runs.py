"""Score the summaries of an example's runs by ROUGE: ``python -m mass_plugins.scoring.summary_runs``.

Each run is a file of one line, tab-separated: system, setting, seed, summaries, references; then, if wanted, their
language (or nothing), and the paper's ROUGE-1, -2 and -L, like 38.73/19.71/35.96. Several references of a summary are
separated by tabs. The runs of one system in one setting become one score a metric; any two systems of a setting are
compared by paired bootstrap, a seed with the same seed, or with the only one of a system that has no seeds.
"""

import dataclasses
import sys
from itertools import combinations
from typing import Optional

from mass_plugins.errors import InputError
from mass_plugins.scoring.recipe_result import Collected, comparison, make_parser, write_result
from mass_plugins.scoring.result import Score
from mass_plugins.scoring.rouge import DEFAULT, METRICS, RougeSettings, corpus_rouge, paired_bootstrap
from mass_plugins.scoring.translation_runs import TranslationRun, read_run


def papers_numbers(text: str) -> tuple[float, ...]:
    """``"38.73/19.71/35.96"`` → a number for each of ``METRICS``."""
    numbers = tuple(map(float, text.split("/")))
    if len(numbers) != len(METRICS):
        raise InputError(f"{text} are {len(numbers)} numbers; the paper's {', '.join(METRICS)} are needed")
    return numbers


def references_of(run: TranslationRun) -> list[list[str]]:
    return [line.split("\t") for line in run.reference]


def score_runs(runs: list[TranslationRun], settings: RougeSettings = DEFAULT) -> list[Score]:
    """A score for each setting, metric and system, in the order of the runs.

    Raises:
        InputError: runs of one setting that have other numbers of references.
    """
    collected = Collected()
    for run in runs:
        found = corpus_rouge(run.translation, references_of(run), settings)
        for number, (metric, rouge) in enumerate(found.items()):
            paper = run.paper[number] if run.paper else None
            interval = (rouge.low, rouge.high)
            collected.add(run, run.setting, metric, rouge.signature, rouge.score, interval, paper=paper)
    return collected.scores()


def compare_runs(runs: list[TranslationRun], settings: RougeSettings = DEFAULT) -> list[dict]:
    """Paired bootstrap of any two systems of a setting; of two, the earlier one is the baseline."""
    found: dict[str, dict[str, dict[int, TranslationRun]]] = {}
    for run in runs:
        found.setdefault(run.setting, {}).setdefault(run.system, {})[run.seed] = run
    comparisons = []
    for setting, systems in found.items():
        for baseline, system in combinations(systems, 2):
            pairs = _paired(systems[baseline], systems[system])
            tests = [paired_bootstrap(a.translation, b.translation, references_of(a), settings) for _, a, b in pairs]
            seeds = [seed for seed, _, _ in pairs]
            for metric, *results in zip(METRICS, *tests) if tests else ():
                how = results[0].signature
                comparisons.append(comparison(setting, system, baseline, seeds, results, how, metric))
    return comparisons


def _paired(baseline: dict[int, TranslationRun], system: dict[int, TranslationRun]):
    """(seed, run of the baseline, run of the system); one without a seed, 0, stands against all."""
    for one, other, order in ((baseline, system, 1), (system, baseline, -1)):
        if set(one) == {0}:
            return [(seed, *(one[0], run)[::order]) for seed, run in other.items()]
    return [(seed, baseline[seed], system[seed]) for seed in sorted(baseline.keys() & system.keys())]


def main(argv: Optional[list[str]] = None) -> int:
    parser = make_parser("summary_runs", __doc__)
    parser.add_argument("--summary-level", action="store_true", help="ROUGE-L over sentences (CNN/DailyMail)")
    options = parser.parse_args(argv)
    settings = dataclasses.replace(DEFAULT, summary_level=options.summary_level)

    def scored():
        runs = [read_run(path, papers_numbers) for path in options.runs]
        return score_runs(runs, settings), compare_runs(runs, settings)

    return write_result(options, scored)


if __name__ == "__main__":
    sys.exit(main())
