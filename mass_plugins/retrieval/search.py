"""Queries against an index: the best documents of each, and a TREC run that goes on where it was cut off."""

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Container, Iterable, Iterator, Mapping, NamedTuple, Optional

import numpy as np

from mass_plugins.data.retrieval_files import Ranking, run_lines, without_own_id
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
        ignore_identical_ids: leave out a document with the query's id; ``depth`` others are found, then.
    """

    score: str = "cls"
    depth: int = 1000
    query_top: int = 0
    candidates: int = 2000
    probes: int = 32
    search_depth: int = 2000
    ignore_identical_ids: bool = False

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
        """(Q, depth) of the best documents, ties in the order of the index; one more if one may have to be left out."""
        settings = self.settings
        size = min(settings.depth + settings.ignore_identical_ids, len(self.index))
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
    ids, names, settings = searcher.index.ids(), queries.ids(), searcher.settings
    for begin in range(skip, len(queries), batch):
        top = searcher.search(queries.parts(begin, min(begin + batch, len(queries))))
        found = [
            (names[begin + row], [(ids[place], float(score)) for place, score in zip(places, scores) if place >= 0])
            for row, (places, scores) in enumerate(zip(top.rows, top.scores))
        ]
        if settings.ignore_identical_ids:
            found = [(name, without_own_id(name, ranking)[: settings.depth]) for name, ranking in found]
        yield found


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

    def rankings(
        self, wanted: Optional[Mapping[str, Iterable[str]]] = None, skip: int = 0
    ) -> Iterator[tuple[str, Ranking]]:
        """Query after query; the first ``skip`` have none.

        Args:
            wanted: query -> documents whose scores are to be compared with those of its ranking: the ones that it lacks
                are at its end, and all scores are exact, by :meth:`Searcher.pairs`. IVF-PQ's own are of vectors in few
                bits, and can't be compared with those of a document that its search didn't bring up.
        """
        for name in self._queries.ids()[:skip]:
            yield name, []
        if wanted is None:
            yield from (found for batch in rankings(self._searcher, self._queries, skip=skip) for found in batch)
            return
        ids, queries = self._searcher.index.ids(), self._queries.ids()
        asked = {name for names in wanted.values() for name in names}
        places = {name: place for place, name in enumerate(ids) if name in asked}
        for begin in range(skip, len(queries), 64):
            names = queries[begin : begin + 64]
            parts = self._queries.parts(begin, begin + len(names))
            found = self._searcher.search(parts).rows
            known = [[places[document] for document in wanted.get(name, ()) if document in places] for name in names]
            missing = [[place for place in own if place not in row] for own, row in zip(known, found)]
            rows = np.concatenate([found, _padded(missing)], axis=1)
            scores, best = self._searcher.pairs(parts, rows), RunningTop(*found.shape)
            best.add_candidates(found, scores[:, : found.shape[1]])
            order = np.concatenate([best.result().rows, rows[:, found.shape[1] :]], axis=1)
            values = np.concatenate([best.result().scores, scores[:, found.shape[1] :]], axis=1)
            for name, own, score in zip(names, order, values):
                yield name, [(ids[place], float(value)) for place, value in zip(own, score) if place >= 0]


def _padded(rows: list[list[int]]) -> np.ndarray:
    """(Q, longest row), -1 where a row is shorter."""
    size = max(map(len, rows))
    return np.array([row + [-1] * (size - len(row)) for row in rows], dtype=np.int64).reshape(len(rows), size)


def run_batches(batches: Iterable[list[tuple[str, Ranking]]], name: str) -> Iterator[list[str]]:
    """Each query's lines of the run, for :class:`LinesFile`."""
    for batch in batches:
        yield [run_lines(query, found, name) for query, found in batch]


class Searched(NamedTuple):
    """What a run holds.

    Attributes:
        short: queries for which fewer documents were found than asked for, and than there are: an approximate index has
            looked into too little of itself.
    """

    queries: int
    documents: int
    short: int


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
) -> Searched:
    """The run of all queries into ``output``.

    Raises:
        InputError: queries that don't fit the index, another run in the way, a full disk.
    """
    index.check_queries(queries, settings.score)
    made_of = {"index": index.contents(), "queries": vars(queries.description), "name": name}
    file = LinesFile(output, asdict(settings) | made_of, overwrite)
    if not file.finished:
        found = rankings(Searcher(index, settings, block), queries, batch, file.done)
        own = {*queries.ids()}.intersection(index.ids()) if settings.ignore_identical_ids else set()
        counted = _counted(found, file.counts, settings.depth, len(index), own)
        file.write(run_batches(counted, name), len(queries), "search", progress)
    return Searched(len(queries), file.counts["documents"], file.counts["short"])


def _counted(
    batches: Iterable[list[tuple[str, Ranking]]], counts: Counter[str], depth: int, documents: int, own: set[str]
) -> Iterator[list[tuple[str, Ranking]]]:
    """The batches, counted for :class:`Searched`; the queries ``own`` have a document less to be found."""
    for batch in batches:
        for query, ranking in batch:
            counts["documents"] += len(ranking)
            counts["short"] += len(ranking) < min(depth, documents - (query in own))
        yield batch
