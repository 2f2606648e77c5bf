"""Vectors of tokens as text, in the format of word2vec, which fairseq's ``--encoder-embed-path`` reads, too.

The first line has the number of vectors and their dimensions, each other one a token and its vector.
"""

from pathlib import Path
from typing import Iterable, NamedTuple

import numpy as np

from mass_plugins.data.text_files import read_lines, whole_file
from mass_plugins.errors import InputError


class NamedVectors(NamedTuple):
    """Attributes:
    tokens: N of them.
    vectors: (N, D) float32.
    """

    tokens: list[str]
    vectors: np.ndarray


def write_vectors(path: Path, tokens: Iterable[str], vectors: np.ndarray) -> None:
    """Write ``path`` at once: it is whole or as it was.

    Raises:
        InputError: a token with a space in it, which no reader could tell from its vector.
    """
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(f"{vectors.shape[0]} {vectors.shape[1]}\n")
        for token, vector in zip(tokens, vectors):
            if " " in token:
                raise InputError(f"the token {token!r} has a space in it; prepare the text with other sub-words")
            file.write(f"{token} {' '.join(f'{value:.5g}' for value in vector.tolist())}\n")


def read_vectors(path: Path, flag: str) -> NamedVectors:
    """Read what :func:`write_vectors` or word2vec wrote; the file may be compressed.

    Raises:
        InputError: it isn't there, or no such file; the message names the line.
    """
    lines = read_lines([path], flag)
    _, head = next(lines, (1, ""))
    words = head.split()
    if len(words) != 2 or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise InputError(
            f"{flag}: {path}, line 1 is not the number of vectors and their dimensions, like '6000 256'; give a file "
            "that mass-plugins align or word2vec wrote"
        )
    count, dim = map(int, words)
    first_line: dict[str, int] = {}
    vectors = []
    for number, line in lines:
        token, *values = line.rstrip(" ").split(" ")
        vector = _parse(values)
        if len(vector) != dim or not np.isfinite(vector).all():
            raise InputError(
                f"{flag}: {path}, line {number} is not a token without spaces and {dim} finite numbers; fix the line "
                "or take it out"
            )
        if first_line.setdefault(token, number) != number:
            raise InputError(
                f"{flag}: {path}, lines {first_line[token]} and {number} are both of {token!r}; take one out"
            )
        vectors.append(vector)
    if len(vectors) != count:
        raise InputError(f"{flag}: {path} has {len(vectors)} vectors but line 1 says {count}; write it again")
    return NamedVectors(list(first_line), np.stack(vectors))


def _parse(values: list[str]) -> np.ndarray:
    """(D,) float32; empty if one is no number, infinite where one is too large."""
    try:
        with np.errstate(over="ignore"):
            return np.array(values, dtype=np.float64).astype(np.float32)
    except ValueError:
        return np.empty(0, dtype=np.float32)
