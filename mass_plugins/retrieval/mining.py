"""Groups for training: each query with its positives, and hard negatives out of a ranking.

A negative is a document that a retriever ranks high and nobody has judged relevant. Left out are the positives,
documents that say the same (by the overlap of their words), and, with a margin, those that score about as high as the
positive, which are often unjudged answers (RocketQA, section 4.2; the margin as in NV-Retriever, section 3).
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Callable, Iterable, Iterator, Mapping, Optional

import numpy as np

from mass_plugins.data.random_state import sentence_keys, uniform
from mass_plugins.data.retrieval_files import Judgements, Passage, Query, Ranking
from mass_plugins.data.retrieval_groups import Candidate, Group
from mass_plugins.data.seen_hashes import hash_lines
from mass_plugins.errors import InputError

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class MiningSettings:
    """How negatives are chosen.

    Attributes:
        depth: documents of a ranking looked at (paper: the top 200).
        skip: leave out this many at its top.
        negatives: kept a query, drawn from those that are left.
        overlap: a document is a duplicate of a positive if their words' Jaccard index is at least this.
        margin: keep only documents that score at least this much below the query's best positive; None: any. Where the
            ranking holds no positive, its score is unknown and below all of them: none is kept.
        hard: leave out queries that have no negative.
        seed: of the draw, which depends on the query's id, not on its place.
    """

    depth: int = 200
    skip: int = 0
    negatives: int = 30
    overlap: float = 0.8
    margin: Optional[float] = None
    seed: int = 1
    hard: bool = False

    def __post_init__(self):
        if not 0 < self.overlap <= 1:
            raise InputError(f"--overlap {self.overlap} is not in (0, 1]; 1 leaves out the same words alone")


def make_groups(
    queries: Iterable[Query],
    judgements: Judgements,
    passages: Mapping[str, Passage],
    rankings: Iterable[tuple[str, Ranking]],
    settings: MiningSettings,
    report: Counter,
    done: int = 0,
    origin: Callable[[str, str], str] = lambda query, document: "the ranking",
) -> Iterator[Optional[Group]]:
    """A group or None for each query: in the order of the rankings, then those without a ranking.

    Args:
        passages: of the whole corpus, by id.
        rankings: of some or all queries, streamed; a query without one gets no negatives.
        report: reason -> queries and documents that are left out, counted along.
        done: queries that an earlier run has dealt with, passed over; their rankings may be empty.
        origin: where a ranking names a document for a query, for errors.

    Raises:
        InputError: a document that is judged or ranked is not in the corpus.
    """
    waiting = {query.id: query for query in queries}

    def in_order() -> Iterator[tuple[Query, Ranking]]:
        for name, ranking in rankings:
            if name in waiting:
                yield waiting.pop(name), ranking
        for query in waiting.values():
            yield query, []

    for query, ranking in islice(in_order(), done, None):
        yield _group(query, ranking, judgements, passages, settings, report, origin)


def _group(
    query: Query, ranking: Ranking, judgements: Judgements, passages, settings: MiningSettings, report: Counter, origin
) -> Optional[Group]:
    """One group, or none and the reason in the report."""
    names = [name for name, grade in judgements.get(query.id, {}).items() if grade > 0]
    positives = [_passage(passages, name, lambda _: f"--qrels: query {query.id}") for name in names]
    kept = [passage for passage in positives if passage.whole]
    if not names:
        report["queries without a relevant document"] += 1
    elif not query.text:
        report["queries without text"] += 1
    elif settings.hard and not ranking:
        report["queries without a ranking"] += 1
    elif not kept:
        report["queries whose relevant documents have no text"] += 1
    else:
        found = _negatives(ranking, positives, passages, settings, report, lambda name: origin(query.id, name))
        negatives = _draw(list(found), query, settings)
        if not settings.hard or negatives:
            return Group(query, [Candidate(passage) for passage in kept], [Candidate(found) for found in negatives])
        report["queries without a negative"] += 1
    return None


def _negatives(
    ranking: Ranking, positives: list[Passage], passages, settings: MiningSettings, report: Counter, origin
) -> Iterator[Passage]:
    ids, words = {passage.id for passage in positives}, [_words(passage) for passage in positives]
    best = max((score for name, score in ranking if name in ids), default=-math.inf)
    for name, score in ranking[settings.skip : settings.depth]:
        if name in ids:
            continue
        if settings.margin is not None and score > best - settings.margin:
            unknown = best == -math.inf
            report["documents whose positive has no score" if unknown else "documents within the margin"] += 1
            continue
        passage = _passage(passages, name, origin)
        own = _words(passage)
        if not passage.whole:
            report["documents without text"] += 1
        elif any(_overlap(own, other) >= settings.overlap for other in words):
            report["documents that repeat a positive"] += 1
        else:
            yield passage


def _draw(negatives: list[Passage], query: Query, settings: MiningSettings) -> list[Passage]:
    """``settings.negatives`` of them, in the order of the ranking."""
    if len(negatives) <= settings.negatives:
        return negatives
    key = sentence_keys(settings.seed, 0, hash_lines([query.id]).view(np.int64))
    chosen = np.argsort(uniform(key, len(negatives))[0])[: settings.negatives]
    return [negatives[place] for place in np.sort(chosen)]


def _passage(passages: Mapping[str, Passage], name: str, origin: Callable[[str], str]) -> Passage:
    try:
        return passages[name]
    except KeyError:
        raise InputError(f"{origin(name)}: the document {name} is not in the corpus; give the whole corpus") from None


def _words(passage: Passage) -> frozenset[str]:
    return frozenset(_WORD.findall(passage.whole.lower()))


def _overlap(left: frozenset[str], right: frozenset[str]) -> float:
    """Jaccard index; texts without a word have nothing in common."""
    return len(left & right) / len(left | right) if left and right else 0.0
