"""Vectors of tokens as text, in the format of word2vec, which fairseq's ``--encoder-embed-path`` reads, too.

The first line has the number of vectors and their dimensions, each other one a token and its vector.
"""

import os
from pathlib import Path
from typing import Iterable, NamedTuple

import numpy as np

from mass_plugins.data.text_files import read_lines
from mass_plugins.errors import InputError


class NamedVectors(NamedTuple):
    """Attributes:
    tokens: N of them.
    vectors: (N, D) float32.
    """

    tokens: list[str]
    vectors: np.ndarray


def write_vectors(path: Path, tokens: Iterable[str], vectors: np.ndarray) -> None:
    """Write ``path`` at once: it is whole or as it was."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(f"{vectors.shape[0]} {vectors.shape[1]}\n")
        for token, vector in zip(tokens, vectors):
            file.write(f"{token} {' '.join(f'{value:.5g}' for value in vector)}\n")
    os.replace(temporary, path)


def read_vectors(path: Path, flag: str) -> NamedVectors:
    """Read what :func:`write_vectors` or word2vec wrote; the file may be compressed.

    Raises:
        InputError: it isn't there, or no such file; the message names the line.
    """
    lines = read_lines([path], flag)
    _, head = next(lines, (1, ""))
    try:
        count, dim = (int(word) for word in head.split())
    except ValueError:
        raise InputError(
            f"{flag}: {path}, line 1 is not the number of vectors and their dimensions, like '6000 256'; give a file "
            "that mass-plugins align or word2vec wrote"
        ) from None
    tokens, vectors = [], []
    for number, line in lines:
        token, *values = line.rstrip(" ").split(" ")
        try:
            vectors.append(np.array(values, dtype=np.float32))
        except ValueError:
            raise InputError(f"{flag}: {path}, line {number} holds something else than a token and numbers") from None
        if len(values) != dim or not np.isfinite(vectors[-1]).all():
            raise InputError(
                f"{flag}: {path}, line {number} is not a token and {dim} finite numbers; write the file again"
            )
        tokens.append(token)
    if len(tokens) != count:
        raise InputError(f"{flag}: {path} has {len(tokens)} vectors and says {count} in line 1; it was cut off")
    if not tokens:
        raise InputError(f"{flag}: {path} has no vector; write the file again")
    return NamedVectors(tokens, np.array(vectors, dtype=np.float32).reshape(count, dim))
