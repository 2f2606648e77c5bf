"""Queries against an index: the best documents of each, and a TREC run that goes on where it was cut off."""

from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Container, Iterable, Iterator, Mapping, Optional

import numpy as np

from mass_plugins.data.retrieval_files import Ranking, run_lines
from mass_plugins.errors import InputError
from mass_plugins.retrieval import faiss_index
from mass_plugins.retrieval.exact import PARTS, Scorer, blocks_of, search_exactly
from mass_plugins.retrieval.index import Index
from mass_plugins.retrieval.lines_file import LinesFile
from mass_plugins.retrieval.representations import Parts, Representations, given
from mass_plugins.retrieval.top import RunningTop, Top


@dataclass(frozen=True)
class SearchSettings:
    """What decides a run.

    Attributes:
        score: ``cls``, ``ot`` or ``both``.
        depth: documents a query.
        query_top: cut a query's bag-of-words part to its largest values (approximate); 0: exact.
        candidates: with an approximate index and ``both``: documents that it proposes, whose exact score then decides.
        probes, search_depth: IVF-PQ's lists looked into, HNSW's efSearch.
    """

    score: str = "cls"
    depth: int = 1000
    query_top: int = 0
    candidates: int = 2000
    probes: int = 32
    search_depth: int = 2000

    def __post_init__(self):
        if self.score not in PARTS:
            raise InputError(f"--score {self.score!r} is not one of {', '.join(PARTS)}")


class Searcher:
    """An index that stays open for batch after batch of queries.

    ``cls`` asks FAISS; ``ot`` scores every document; ``both`` scores every document if the index is flat, else the
    ``candidates`` that FAISS proposes (a document that its vector doesn't bring up is lost).

    Args:
        block: documents scored at once.
    """

    def __init__(self, index: Index, settings: SearchSettings, block: int = 4096):
        self.index, self.settings, self._block = index, settings, block
        self._vectors: Optional[list] = None

    def search(self, queries: Parts) -> Top:
        """(Q, depth) of the best documents; ties in the order of the index."""
        settings = self.settings
        size = min(settings.depth, len(self.index))
        if settings.score == "cls":
            return self._by_vectors(queries, size)
        scorer = Scorer(queries, settings.score, settings.query_top or None)
        if settings.score == "ot" or self.index.settings.kind == "flat":
            return search_exactly(scorer, blocks_of(self.index.shards, self._block), size)
        proposed = self._by_vectors(queries, min(max(size, settings.candidates), len(self.index)))
        best = RunningTop(len(proposed.rows), size)
        best.add_candidates(proposed.rows, self._pairs(scorer, proposed.rows))
        return best.result()

    def pairs(self, queries: Parts, rows: np.ndarray) -> np.ndarray:
        """(Q, n) exact scores of documents at the places ``rows`` (Q, n), each query's own; -inf at -1."""
        return self._pairs(Scorer(queries, self.settings.score, self.settings.query_top or None), rows)

    def _pairs(self, scorer: Scorer, rows: np.ndarray) -> np.ndarray:
        return np.where(rows >= 0, scorer.pairs(self._parts(np.maximum(rows, 0))), -np.inf)

    def _by_vectors(self, queries: Parts, size: int) -> Top:
        vectors = given(queries.cls)
        best = RunningTop(len(vectors), size)
        if self._vectors is None:
            self._vectors = list(self.index.vectors())
            for _, index in self._vectors:
                faiss_index.set_effort(index, self.settings.probes, max(self.settings.search_depth, size))
        for start, index in self._vectors:
            found = faiss_index.search(index, vectors, size)
            best.add_candidates(np.where(found.rows >= 0, found.rows + start, -1), found.scores)
        return best.result()

    def _parts(self, rows: np.ndarray) -> Parts:
        """The parts of documents by place: arrays (*rows.shape, ..)."""
        found: dict[int, np.ndarray] = {}
        for start, end, shard in zip(self.index.starts, self.index.starts[1:], self.index.shards):
            here = (rows >= start) & (rows < end)
            for number, array in enumerate(shard.take(rows[here] - start)):
                if array is not None:
                    empty = np.zeros((*rows.shape, array.shape[1]), dtype=array.dtype)
                    found.setdefault(number, empty)[here] = array
        return Parts(*(found.get(number) for number in range(len(Parts._fields))))


def rankings(
    searcher: Searcher, queries: Representations, batch: int = 64, skip: int = 0
) -> Iterator[list[tuple[str, Ranking]]]:
    """(query, documents with scores) of batch after batch, from query number ``skip`` on."""
    ids, names = searcher.index.ids(), queries.ids()
    for begin in range(skip, len(queries), batch):
        top = searcher.search(queries.parts(begin, min(begin + batch, len(queries))))
        yield [
            (names[begin + row], [(ids[place], float(score)) for place, score in zip(places, scores) if place >= 0])
            for row, (places, scores) in enumerate(zip(top.rows, top.scores))
        ]


class IndexedQueries:
    """Represented queries with the index that they ask."""

    def __init__(self, searcher: Searcher, queries: Representations):
        self._searcher, self._queries = searcher, queries

    def contents(self) -> dict:
        """What decides the rankings."""
        index, score = self._searcher.index, self._searcher.settings.score
        return {"index": index.contents(), "queries": vars(self._queries.description), "score": score}

    def rows_of(self, known: Container[str], count: int) -> int:
        """How many queries to pass over until ``count`` of those in ``known`` have been."""
        places = (row for row, name in enumerate(self._queries.ids(), start=1) if name in known)
        return 0 if not count else next(islice(places, count - 1, None), len(self._queries))

    def rankings(self, wanted: Mapping[str, Iterable[str]], skip: int = 0) -> Iterator[tuple[str, Ranking]]:
        """Query after query; the first ``skip`` have none. ``wanted`` documents that a ranking lacks are at its end."""
        for name in self._queries.ids()[:skip]:
            yield name, []
        asked = {name for names in wanted.values() for name in names}
        places = {name: place for place, name in enumerate(self._searcher.index.ids()) if name in asked}
        for batch in rankings(self._searcher, self._queries, skip=skip):
            missing = [_missing(ranking, wanted.get(query, ()), places) for query, ranking in batch]
            scores = self._scores(skip, [[places[name] for name in names] for names in missing])
            for (query, ranking), names, own in zip(batch, missing, scores):
                yield query, [*ranking, *((name, float(score)) for name, score in zip(names, own))]
            skip += len(batch)

    def _scores(self, begin: int, places: list[list[int]]) -> np.ndarray:
        """(Q, n) scores of documents for the queries from ``begin`` on; rows have room for the longest."""
        size = max(map(len, places))
        if not size:
            return np.empty((len(places), 0))
        rows = np.array([found + [-1] * (size - len(found)) for found in places])
        return self._searcher.pairs(self._queries.parts(begin, begin + len(places)), rows)


def _missing(ranking: Ranking, wanted: Iterable[str], places: Container[str]) -> list[str]:
    found = {name for name, _ in ranking}
    return [name for name in wanted if name in places and name not in found]


def run_batches(batches: Iterable[list[tuple[str, Ranking]]], name: str) -> Iterator[list[str]]:
    """Each query's lines of the run, for :class:`LinesFile`."""
    for batch in batches:
        yield [run_lines(query, found, name) for query, found in batch]


def search_to_file(
    index: Index,
    queries: Representations,
    settings: SearchSettings,
    output: Path,
    name: str,
    batch: int = 64,
    block: int = 4096,
    overwrite: bool = False,
    progress: Optional[bool] = None,
) -> int:
    """The run of all queries into ``output``; returns how many queries it holds.

    Raises:
        InputError: queries that don't fit the index, another run in the way, a full disk.
    """
    index.check_queries(queries, settings.score)
    made_of = {"index": index.contents(), "queries": vars(queries.description), "name": name}
    file = LinesFile(output, asdict(settings) | made_of, overwrite)
    if file.finished:
        return len(queries)
    searcher = Searcher(index, settings, block)
    file.write(run_batches(rankings(searcher, queries, batch, file.done), name), len(queries), "search", progress)
    return len(queries)
