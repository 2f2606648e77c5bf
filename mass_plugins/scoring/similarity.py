"""How well cosines of vectors rank pairs of texts: Spearman's correlation, as Mirror-BERT's paper reports it.

A set is scored over all its pairs together, parts concatenated (not as a mean over parts), by the cosine of the two
vectors. Correlations are given times 100. Confidence intervals come from the bootstrap over pairs.
"""

from typing import Callable, NamedTuple, Optional, Sequence

import numpy as np
from scipy.stats import rankdata

from mass_plugins.errors import InputError
from mass_plugins.scoring.similarity_sets import PairSet

SAMPLES, CONFIDENCE = 1000, 0.95
_CHUNK = 2_000_000  # pairs drawn at a time: some tens of megabytes
AVERAGE = "average"
# lines → (N, D) vectors
Encode = Callable[[list[str]], np.ndarray]


class SetScore(NamedTuple):
    """A set's score, or their average.

    Attributes:
        spearman: times 100.
        low, high: ends of the bootstrap's 95 % interval.
        pairs: their number.
        parts: names of what was concatenated; of the average: the sets.
    """

    name: str
    spearman: float
    low: float
    high: float
    pairs: int
    parts: tuple[str, ...]

    def signature(self, samples: int = SAMPLES) -> str:
        """What the number depends on: parts, pairs and how they are compared."""
        parts = "+".join(self.parts)
        return f"sets:{parts}|pairs:{self.pairs}|sim:cosine|corr:spearman|over:all|bs:{samples}|version:1.0"


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, D) and (N, D) → (N,) float64; 0 where a vector is zero."""
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    products = np.einsum("nd,nd->n", first, second)
    return np.divide(products, norms, out=np.zeros_like(products), where=norms != 0)


def spearman(found: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation times 100 along the last axis; ties have their mean rank.

    0 where one side is constant, whose correlation is undefined.
    """
    ranks = [rankdata(side, axis=-1) for side in (found, gold)]
    centred = [rank - rank.mean(axis=-1, keepdims=True) for rank in ranks]
    above = (centred[0] * centred[1]).sum(axis=-1)
    below = np.sqrt((centred[0] ** 2).sum(axis=-1) * (centred[1] ** 2).sum(axis=-1))
    return 100 * np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def bootstrap(found: np.ndarray, gold: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Spearman of ``samples`` draws of N pairs with replacement: (samples,).

    The draws depend on N and the seed alone, so that two systems on the same set are drawn alike.
    """
    rng, size, values = np.random.default_rng([seed, len(gold)]), len(gold), []
    chunk = max(1, _CHUNK // size)
    for begin in range(0, samples, chunk):
        drawn = rng.integers(0, size, (min(chunk, samples - begin), size))
        values.append(spearman(found[drawn], gold[drawn]))
    return np.concatenate(values)


def score_set(pairs: PairSet, found: np.ndarray, samples: int = SAMPLES, seed: int = 1) -> tuple[SetScore, np.ndarray]:
    """A set's score from its pairs' cosines (N,), and the bootstrap's values.

    Raises:
        InputError: cosines that are no numbers, or are all the same: the encoder maps every text to one vector.
    """
    if not np.isfinite(found).all():
        raise InputError(f"{pairs.name}: {int((~np.isfinite(found)).sum())} of {len(found)} cosines are not numbers")
    if np.ptp(found) < 1e-9:
        raise InputError(f"{pairs.name}: all {len(found)} pairs have the same cosine; the encoder has collapsed")
    drawn = bootstrap(found, pairs.gold, samples, seed)
    score = float(spearman(found, pairs.gold))
    return SetScore(pairs.name, score, *_interval(drawn), len(pairs.gold), pairs.parts), drawn


def _interval(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


class Evaluation(NamedTuple):
    """Scores of the sets, their average last where there are several; each set's cosines by its name."""

    scores: list[SetScore]
    cosines: dict[str, np.ndarray]


def evaluate(encode: Encode, sets: Sequence[PairSet], samples: int = SAMPLES, seed: int = 1) -> Evaluation:
    """Score an encoder on sets of pairs; every text is encoded once, whichever sets it is in."""
    texts = list(dict.fromkeys(text for pairs in sets for text in (*pairs.first, *pairs.second)))
    vectors, place = np.asarray(encode(texts)), {text: number for number, text in enumerate(texts)}
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise InputError(f"{len(texts)} texts, but vectors of shape {vectors.shape}; one row per text is needed")
    found = {
        pairs.name: cosines(*(vectors[[place[text] for text in side]] for side in (pairs.first, pairs.second)))
        for pairs in sets
    }
    return Evaluation(score_sets(sets, found, samples, seed), found)


def score_sets(
    sets: Sequence[PairSet], found: dict[str, np.ndarray], samples: int = SAMPLES, seed: int = 1
) -> list[SetScore]:
    """Scores of the sets from their cosines by name, and their average if there are several."""
    results = [score_set(pairs, found[pairs.name], samples, seed) for pairs in sets]
    scores = [score for score, _ in results]
    return [*scores, average(results)] if len(scores) > 1 else scores


def average(results: Sequence[tuple[SetScore, np.ndarray]]) -> SetScore:
    """The mean over sets, with the interval of the mean of their draws (each set is drawn for itself)."""
    scores = [score for score, _ in results]
    drawn = np.mean([values for _, values in results], axis=0)
    mean = float(np.mean([score.spearman for score in scores]))
    names = tuple(score.name for score in scores)
    return SetScore(AVERAGE, mean, *_interval(drawn), sum(score.pairs for score in scores), names)


def table(scores: Sequence[SetScore], title: Optional[str] = None) -> str:
    """A line a set: name, score, interval, number of pairs; below it what the average is over."""
    width = max(len(score.name) for score in scores)
    lines = [title] if title else []
    for score in scores:
        lines.append(
            f"{score.name:{width}}  {score.spearman:5.1f}  [{score.low:.1f}, {score.high:.1f}]  {score.pairs} pairs"
        )
    if scores[-1].name == AVERAGE:
        lines.append(f"{AVERAGE} is over {', '.join(scores[-1].parts)}")
    return "\n".join(lines)
