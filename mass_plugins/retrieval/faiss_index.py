"""Vectors in FAISS: flat (exact), IVF-PQ or HNSW (approximate), by inner product."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterator

import numpy as np

from mass_plugins.data.text_files import whole_file
from mass_plugins.errors import InputError
from mass_plugins.retrieval.top import RunningTop, Top

KINDS = ("flat", "ivfpq", "hnsw")


@dataclass(frozen=True)
class FaissSettings:
    """How an index is built.

    Attributes:
        kind: one of ``KINDS``.
        lists: of IVF-PQ: inverted lists; 0: 4 * sqrt(N), but no more than a 39th of the vectors that teach it (FAISS
            warns of fewer for a list).
        codes, bits: of IVF-PQ: pieces that a vector is cut into, and bits that each is kept in.
        training: vectors, evenly spread over the documents, that IVF-PQ is trained on.
        links, build_depth: of HNSW: M and efConstruction.

    Raises:
        InputError: what FAISS can't build.
    """

    kind: str = "flat"
    lists: int = 0
    codes: int = 48
    bits: int = 8
    training: int = 200_000
    links: int = 32
    build_depth: int = 200

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError(f"--kind {self.kind!r} is not one of {', '.join(KINDS)}")
        if self.links < 2:  # FAISS doesn't say so, it crashes
            raise InputError(f"--links {self.links} is too few for a graph; set 2 or more")
        if not 1 <= self.bits <= 16:
            raise InputError(f"--bits {self.bits} is not between 1 and 16")

    def as_dict(self) -> dict:
        return asdict(self)


def train(settings: FaissSettings, width: int, count: int, sample: np.ndarray):
    """An empty index for ``count`` vectors of ``width``; ``sample`` (n, d) teaches IVF-PQ its cells.

    Raises:
        InputError: settings that don't fit the vectors.
    """
    import faiss

    if settings.kind == "flat":
        return faiss.IndexFlatIP(width)
    if settings.kind == "hnsw":
        graph = faiss.IndexHNSWFlat(width, settings.links, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = settings.build_depth
        return graph
    lists = count_lists(settings, width, count, len(sample))
    quantizer = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFPQ(quantizer, width, lists, settings.codes, settings.bits, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # no warning of small samples: --training says how many
    index.pq.cp.min_points_per_centroid = 1
    index.train(np.ascontiguousarray(sample))
    return index


def count_lists(settings: FaissSettings, width: int, count: int, sampled: int) -> int:
    """Cells of an IVF-PQ index for ``count`` vectors of ``width`` that learns from ``sampled`` of them.

    Raises:
        InputError: settings that don't fit the vectors.
    """
    if width % settings.codes:
        raise InputError(f"--codes {settings.codes} doesn't divide the width {width}; set --codes to a divisor of it")
    lists = settings.lists or max(1, min(int(4 * count**0.5), sampled // 39))
    more = ", more --training" if sampled < count else ""
    for flag, chosen, least in (("lists", lists, lists), ("bits", settings.bits, 1 << settings.bits)):
        if sampled < least:
            raise InputError(
                f"--{flag} {chosen} needs {least} vectors to learn from, here are {sampled}; "
                f"set fewer --{flag}{more}, or --kind flat"
            )
    return lists


def fill(index, blocks: Iterator[np.ndarray]) -> None:
    for vectors in blocks:
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))


def write(index, path: Path) -> None:
    """Whole or not at all."""
    import faiss

    with whole_file(path) as temporary:
        faiss.write_index(index, str(temporary))


def read(path: Path):
    """Raises InputError: no index of FAISS, or a truncated one."""
    import faiss

    try:
        return faiss.read_index(str(path))
    except RuntimeError as error:
        words = str(error).replace("\n", " ")
        raise InputError(
            f"{path} is damaged or cut off ({words[-120:]}); make the index anew: mass-plugins index … --overwrite"
        ) from None


def set_effort(index, probes: int, depth: int) -> None:
    """Inverted lists that a query looks into; HNSW's efSearch."""
    if hasattr(index, "nprobe"):
        index.nprobe = probes
    if hasattr(index, "hnsw"):
        index.hnsw.efSearch = depth


def search(index, vectors: np.ndarray, size: int) -> Top:
    """The best ``size`` of an index's documents, by place in it, ties in the order of the documents.

    FAISS leaves open which of equal scores it keeps. Of an exact index we ask for one more until the last one is worse
    than the ``size``-th, so that no equal one is left out.
    """
    ask, vectors = size + 1, np.ascontiguousarray(vectors, dtype=np.float32)
    exact = type(index).__name__.startswith("IndexFlat")
    waiting = np.arange(len(vectors))
    rows = np.full((len(vectors), size), -1, dtype=np.int64)
    scores = np.full((len(vectors), size), -np.inf, dtype=np.float32)
    while len(waiting):
        ask = max(1, min(ask, index.ntotal))
        found, places = index.search(vectors[waiting], ask)
        unsure = np.zeros(len(waiting), dtype=bool)
        if exact and ask < index.ntotal:
            unsure = found[:, -1] == found[:, size - 1]
        top = RunningTop(len(waiting), size)
        top.add_candidates(places, found)
        settled = waiting[~unsure]
        rows[settled], scores[settled] = top.result().rows[~unsure], top.result().scores[~unsure]
        waiting, ask = waiting[unsure], 2 * ask
    return Top(rows, scores)
