"""nDCG, MRR, recall of rankings by ir_measures (trec_eval's arithmetic), and paired tests between systems.

A ranking is judged in the order in which it is given. trec_eval itself sorts documents of equal scores by their names;
here each rank is handed on as a score of its own, so that the order of the run is what counts.
"""

import re
from typing import Iterable, Mapping, NamedTuple, Sequence

import numpy as np

from mass_plugins.data.retrieval_files import without_own_id
from mass_plugins.doctor import version_of
from mass_plugins.errors import InputError

MEASURES = ("nDCG@10", "MRR@10", "Recall@100", "Recall@1000")
_THEIRS = {"nDCG": "nDCG", "MRR": "RR", "Recall": "R", "mAP": "AP"}
RESAMPLES = 10_000

Values = dict[str, dict[str, float]]  # measure -> query -> value in percent


def load_ir_measures():
    """The module; not before it is needed, as not everyone has it.

    Raises:
        InputError: it is missing.
    """
    try:
        import ir_measures
    except ImportError as error:
        raise InputError("ir_measures isn't installed; pip install mass_plugins[retrieval]") from error
    return ir_measures


def name_there(measure: str) -> str:
    """``MRR@100`` -> ``RR@100``, as ir_measures has it.

    Raises:
        InputError: no measure of ours at a depth.
    """
    found = re.fullmatch(r"(\w+)@([1-9]\d*)", measure)
    if not found or found[1] not in _THEIRS:
        raise InputError(f"--measures {measure} is not one of {', '.join(f'{name}@N' for name in _THEIRS)}")
    return f"{_THEIRS[found[1]]}@{found[2]}"


def signature(measure: str, ignore_identical_ids: bool = False) -> str:
    """What a number depends on besides the run and the judgements."""
    identical = "identical ids:left out|" if ignore_identical_ids else ""
    return f"{name_there(measure)}|percent|ties:run order|{identical}ir_measures:{version_of('ir_measures')}"


def measure_queries(
    judgements: Mapping[str, Mapping[str, int]],
    rankings: Iterable[tuple[str, Sequence[tuple[str, float]]]],
    measures: Sequence[str] = MEASURES,
    ignore_identical_ids: bool = False,
) -> Values:
    """Each measure of each judged query, in percent.

    A judged query without a ranking counts 0. Rankings of queries without judgements are left out (:func:`unjudged`).

    Args:
        judgements: query -> document -> grade; 1 and more is relevant.
        rankings: (query, documents with scores, best first).
        measures: as :func:`name_there` takes them.
        ignore_identical_ids: leave the document that has the query's id out of its ranking before that is cut.
    """
    ir_measures = load_ir_measures()
    run = {}
    for query, ranking in rankings:
        if query in judgements:
            kept = without_own_id(query, ranking) if ignore_identical_ids else ranking
            run[query] = {document: -float(rank) for rank, (document, _) in enumerate(kept)}
    names = {ir_measures.parse_measure(name_there(measure)): measure for measure in measures}
    values: Values = {name: dict.fromkeys(judgements, 0.0) for name in measures}
    given = {query: dict(grades) for query, grades in judgements.items()}
    for found in ir_measures.iter_calc(list(names), given, run):
        values[names[found.measure]][found.query_id] = 100 * found.value
    return values


def unjudged(judgements: Mapping[str, object], queries: Iterable[str]) -> list[str]:
    """Queries that nobody has judged a document for: nothing can be said of them."""
    return [query for query in queries if query not in judgements]


def mean_over_languages(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Language -> question -> value: the mean of the questions of each language and, as ``all``, the mean of these."""
    found = {language: sum(of.values()) / len(of) for language, of in values.items()}
    return {"all": sum(found.values()) / len(found), **found}


class Comparison(NamedTuple):
    """One system against the baseline on the same queries.

    ``difference`` of the means and the 95 % interval ``low`` .. ``high`` are in percent points; ``p_value``: that
    flipping the signs of the queries' differences by chance makes a mean as far from 0, both ways.
    """

    measure: str
    system: str
    baseline: str
    queries: int
    difference: float
    low: float
    high: float
    p_value: float

    @property
    def ordered(self) -> bool:
        """Whether an order may be claimed."""
        return self.p_value < 0.05


def compare(
    measure: str, system: tuple[str, Sequence[float]], baseline: tuple[str, Sequence[float]], seed: int = 1
) -> Comparison:
    """Paired randomization test (Smucker et al. 2007) and a bootstrap interval, both by SciPy.

    Args:
        system, baseline: name, and the values of the same queries in the same order. Seeds of one system are averaged
            before, query by query: they are no further queries.
    """
    from scipy import stats

    (name, ours), (other, theirs) = system, baseline
    if len(ours) != len(theirs) or not len(ours):
        raise ValueError(f"{len(ours)} and {len(theirs)} queries; they must be as many, and one at least")
    differences = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)
    mean = float(differences.mean())
    if np.ptp(differences) == 0:  # nothing varies, so nothing can be resampled
        return Comparison(
            measure, name, other, len(differences), mean, mean, mean, 1.0 if mean == 0 else 2.0 ** (1 - len(ours))
        )
    rng = np.random.default_rng(seed)
    test = stats.permutation_test(
        (differences,), _mean, permutation_type="samples", n_resamples=RESAMPLES, batch=500, rng=rng
    )
    interval = stats.bootstrap(
        (differences,), _mean, n_resamples=RESAMPLES, method="percentile", batch=500, rng=rng
    ).confidence_interval
    return Comparison(
        measure, name, other, len(differences), mean, float(interval.low), float(interval.high), float(test.pvalue)
    )


def _mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    return np.mean(values, axis=axis)
