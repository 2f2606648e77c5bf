"""Made-up representations: small whole numbers, so that every score is exact in float32 and ties are many."""

from pathlib import Path

import numpy as np

from mass_plugins.retrieval.representations import Description, Parts, RepresentationWriter

VOCABULARY, WIDTH, KEPT = 50, 8, 6


def documents(count: int, seed: int = 0) -> Parts:
    rng = np.random.default_rng(seed)
    index = np.sort(np.argsort(rng.random((count, VOCABULARY)), axis=1)[:, :KEPT], axis=1)
    value = rng.integers(-2, 4, (count, KEPT)).astype(np.float32)
    return Parts(rng.integers(-3, 4, (count, WIDTH)).astype(np.float32), index.astype(np.int32), value)


def queries(count: int, seed: int = 1) -> Parts:
    rng = np.random.default_rng(seed)
    cls = rng.integers(-3, 4, (count, WIDTH)).astype(np.float32)
    return Parts(cls, dense=rng.integers(-3, 4, (count, VOCABULARY)).astype(np.float32))


def rows(parts: Parts, begin: int, end: int) -> Parts:
    return Parts(*(None if part is None else part[begin:end] for part in parts))


def write(
    folder: Path, parts: Parts, role: str, prefix: str, model: str = "a model", commit_every: int = 7,
    overwrite: bool = False, text: dict | None = None,
) -> Path:  # fmt: skip
    count = len(parts.cls)
    description = Description(model, role, cls=WIDTH, ot=KEPT, vocabulary=VOCABULARY, text=text or {})
    with RepresentationWriter(folder, description, overwrite) as writer:
        for begin in range(0, count, commit_every):
            ids = [f"{prefix}{number}" for number in range(count)[begin : begin + commit_every]]
            writer.append(ids, rows(parts, begin, begin + commit_every))
            writer.commit()
        writer.commit(finished=True)
    return folder


def brute_force(query: Parts, document: Parts, which: str) -> np.ndarray:
    """(Q, N) one pair after the other, in float64."""
    scores = np.zeros((len(query.cls), len(document.cls)))
    for q in range(len(query.cls)):
        for d in range(len(document.cls)):
            if which in ("cls", "both"):
                scores[q, d] += float(np.dot(query.cls[q].astype(float), document.cls[d].astype(float)))
            if which in ("ot", "both"):
                scores[q, d] += sum(query.dense[q, i] * v for i, v in zip(document.entries[d], document.values[d]))
    return scores


def ranked(scores: np.ndarray, size: int) -> np.ndarray:
    """(Q, size) best first, ties in the order of the documents."""
    return np.array([sorted(range(scores.shape[1]), key=lambda d, row=row: (-row[d], d))[:size] for row in scores])
