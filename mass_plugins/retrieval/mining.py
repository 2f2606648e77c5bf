"""Groups for training: each query with its positives, and hard negatives out of a ranking.

A negative is a document that a retriever ranks high and nobody has judged relevant. Left out are the positives,
documents that say the same (by the overlap of their words), and, with a margin, those that score about as high as the
positive, which are often unjudged answers (RocketQA, section 4.2; the margin as in NV-Retriever, section 3).
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Iterable, Iterator, Mapping, Optional

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
        margin: keep only documents that score at least this much below the query's best positive; None: any. Without a
            positive in the ranking its score is unknown, and the margin is not applied.
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


@dataclass
class Report:
    groups: int = 0
    left_out: Counter = field(default_factory=Counter)  # reason -> queries or documents


def make_groups(
    queries: Iterable[Query],
    judgements: Judgements,
    passages: Mapping[str, Passage],
    rankings: Iterable[tuple[str, Ranking]],
    settings: MiningSettings,
    report: Report,
) -> Iterator[Group]:
    """A group for each query with a positive: in the order of the rankings, then those without a ranking.

    Args:
        passages: of the whole corpus, by id.
        rankings: of some or all queries, streamed; a query without one gets no negatives.

    Raises:
        InputError: a document that is judged or ranked is not in the corpus.
    """
    waiting = {query.id: query for query in queries}
    for name, ranking in rankings:
        if name in waiting:
            yield from _group(waiting.pop(name), ranking, judgements, passages, settings, report)
    for query in waiting.values():
        yield from _group(query, [], judgements, passages, settings, report)


def _group(query: Query, ranking: Ranking, judgements: Judgements, passages, settings: MiningSettings, report: Report):
    """One group, or none and the reason in the report."""
    names = [name for name, grade in judgements.get(query.id, {}).items() if grade > 0]
    positives = [_passage(passages, name, "--qrels") for name in names]
    kept = [passage for passage in positives if passage.whole]
    if not names:
        report.left_out["queries without a relevant document"] += 1
    elif not query.text:
        report.left_out["queries without text"] += 1
    elif settings.hard and not ranking:
        report.left_out["queries without a ranking"] += 1
    elif not kept:
        report.left_out["queries whose relevant documents have no text"] += 1
    else:
        negatives = _draw(list(_negatives(ranking, positives, passages, settings, report)), query, settings)
        if settings.hard and not negatives:
            report.left_out["queries without a negative"] += 1
            return
        report.groups += 1
        yield Group(query, [Candidate(passage) for passage in kept], [Candidate(passage) for passage in negatives])


def _negatives(ranking: Ranking, positives: list[Passage], passages, settings: MiningSettings, report: Report):
    ids, words = {passage.id for passage in positives}, [_words(passage) for passage in positives]
    best = max((score for name, score in ranking if name in ids), default=None)
    for name, score in ranking[settings.skip : settings.depth]:
        if name in ids:
            continue
        if settings.margin is not None and best is not None and score > best - settings.margin:
            report.left_out["documents within the margin"] += 1
            continue
        passage = _passage(passages, name, "--run")
        if not passage.whole:
            report.left_out["documents without text"] += 1
        elif any(_overlap(_words(passage), other) >= settings.overlap for other in words):
            report.left_out["documents that repeat a positive"] += 1
        else:
            yield passage


def _draw(negatives: list[Passage], query: Query, settings: MiningSettings) -> list[Passage]:
    """``settings.negatives`` of them, in the order of the ranking."""
    if len(negatives) <= settings.negatives:
        return negatives
    key = sentence_keys(settings.seed, 0, hash_lines([query.id]).view(np.int64))
    chosen = np.argsort(uniform(key, len(negatives))[0])[: settings.negatives]
    return [negatives[place] for place in np.sort(chosen)]


def _passage(passages: Mapping[str, Passage], name: str, flag: str) -> Passage:
    try:
        return passages[name]
    except KeyError:
        raise InputError(
            f"{flag} names the document {name}, which is not in the corpus; give the whole corpus"
        ) from None


def _words(passage: Passage) -> frozenset[str]:
    return frozenset(_WORD.findall(passage.whole.lower()))


def _overlap(left: frozenset[str], right: frozenset[str]) -> float:
    """Jaccard index; texts without a word have nothing in common."""
    return len(left & right) / len(left | right) if left and right else 0.0
