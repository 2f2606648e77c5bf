"""Score the rankings of an example's runs: ``python -m mass_plugins.scoring.retrieval_runs``.

Each run is a file of one line, tab-separated: system, setting (the collection), seed, TREC run, qrels; then, if there
is one, the paper's MRR@10. The runs of one system on one collection become one score a measure over seeds. Any two
systems are compared on the queries of all collections pooled, each query's values averaged over the seeds. Where the
qrels have BEIR's header, a document with its query's id is left out of the ranking, as BEIR does.
"""

import sys
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, Optional

from mass_plugins.data.retrieval_files import has_beir_header, read_judgements, read_run
from mass_plugins.errors import InputError
from mass_plugins.scoring.recipe_result import Collected, comparison, make_parser, write_result
from mass_plugins.scoring.result import Score
from mass_plugins.scoring.retrieval import MEASURES, Values, compare, measure_queries, signature


class RetrievalRun(NamedTuple):
    system: str
    setting: str
    seed: int
    file: Path
    values: Values  # measure -> query -> percent
    paper: Optional[float] = None
    ignore_identical_ids: bool = False


def read_record(path: Path) -> RetrievalRun:
    """Raises InputError: another number of columns, a file that is missing or can't be read."""
    cells = path.read_text(encoding="utf-8").rstrip("\n").split("\t")
    if not 5 <= len(cells) <= 6:
        raise InputError(f"{path} has {len(cells)} columns; five or six are needed: system, setting, seed, run, qrels")
    system, setting, seed, run, qrels = cells[:5]
    ignore = has_beir_header(Path(qrels))
    values = measure_queries(read_judgements(Path(qrels)), read_run(Path(run)), ignore_identical_ids=ignore)
    return RetrievalRun(system, setting, int(seed), path, values, float(cells[5]) if len(cells) == 6 else None, ignore)


def score_runs(runs: list[RetrievalRun]) -> list[Score]:
    """One score for each collection, system and measure, in the order of the runs.

    Raises:
        InputError: runs of one collection of which some leave out the document with their query's id.
    """
    collected = Collected()
    for run in runs:
        for measure in MEASURES:
            paper = run.paper if measure == "MRR@10" else None
            how = signature(measure, run.ignore_identical_ids)
            found = run.values[measure].values()
            collected.add(run, run.setting, measure, how, sum(found) / len(found), paper=paper)
    return collected.scores()


def pooled(runs: list[RetrievalRun], system: str, measure: str) -> dict[tuple[str, str], float]:
    """(collection, query) -> the mean over the system's seeds."""
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run.system == system:
            for query, value in run.values[measure].items():
                found.setdefault((run.setting, query), []).append(value)
    return {key: sum(values) / len(values) for key, values in found.items()}


def compare_runs(runs: list[RetrievalRun], measures=("nDCG@10",)) -> list[dict]:
    """Paired tests of any two systems on the queries that both have; of two, the earlier one is the baseline.

    ``seeds`` are those that either has.
    """
    systems, comparisons = list(dict.fromkeys(run.system for run in runs)), []
    for measure in measures:
        values = {system: pooled(runs, system, measure) for system in systems}
        for other, system in combinations(systems, 2):
            shared = sorted(values[system].keys() & values[other].keys())
            if shared:
                ours, theirs = ((name, [values[name][key] for key in shared]) for name in (system, other))
                found = compare(measure, ours, theirs)
                both = [run for run in runs if run.system in (system, other)]
                seeds = sorted({run.seed for run in both})
                kinds = sorted({run.ignore_identical_ids for run in both})
                how = "; ".join(signature(measure, kind) for kind in kinds)
                setting = f"{found.queries} queries of all collections"
                comparisons.append(comparison(setting, system, other, seeds, [found], how, measure))
    return comparisons


def main(argv: Optional[list[str]] = None) -> int:
    options = make_parser("retrieval_runs", __doc__).parse_args(argv)

    def scored() -> tuple[list[Score], list[dict]]:
        runs = [read_record(path) for path in options.runs]
        return score_runs(runs), compare_runs(runs)

    return write_result(options, scored)


if __name__ == "__main__":
    sys.exit(main())
