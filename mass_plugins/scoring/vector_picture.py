"""A picture of sentence vectors in two dimensions: the same sentences in several languages."""

import os
from typing import Mapping

import numpy as np

from mass_plugins.errors import InputError
from mass_plugins.scoring.pictures import new_figure, save_picture
from mass_plugins.scoring.unit_rows import unit_rows


def principal_axes(rows: np.ndarray) -> np.ndarray:
    """(N, D) -> (N, 2), coordinates on the first two principal axes, whose largest loads are positive."""
    centred = rows - rows.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return centred @ (axes * signs[:, None]).T


def draw_vectors(panels: Mapping[str, Mapping[str, np.ndarray]], path: str | os.PathLike) -> None:
    """Draw one panel a model; languages have colours, the translations of a sentence are joined by a grey line.

    Args:
        panels: title -> language -> (N, D), row n of each language the same sentence; compared at unit length.
        path: the picture, in the format that its name ends in.

    Raises:
        InputError: languages with different numbers of sentences; matplotlib is missing, or no picture can be written.
    """
    for languages in panels.values():
        counts = {language: len(rows) for language, rows in languages.items()}
        if len(set(counts.values())) != 1 or min(counts.values()) < 2:
            raise InputError(f"all languages need the same number of sentences, at least two, and have {counts}")
    figure = new_figure(figsize=(5.5 * len(panels), 5), layout="tight")
    axes = figure.subplots(1, len(panels), squeeze=False)
    for axis, (title, languages) in zip(axes[0], panels.items()):
        unit = [unit_rows(rows) for rows in languages.values()]
        places = principal_axes(np.concatenate(unit)).reshape(len(languages), -1, 2)
        for sentence in places.transpose(1, 0, 2):
            axis.plot(*sentence.T, color="0.85", linewidth=0.8, zorder=1)
        for language, rows in zip(languages, places):
            axis.scatter(*rows.T, s=18, label=language, zorder=2)
        axis.set_title(title)
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0, 0].legend(fontsize="small")
    save_picture(figure, path)
