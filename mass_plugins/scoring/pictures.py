"""Pictures: what curves and vectors need of matplotlib, and how a picture is written."""

import os
from pathlib import Path

from mass_plugins.data.text_files import whole_file
from mass_plugins.errors import InputError


def new_figure(**options):
    """An empty figure of matplotlib's; no window, no global state.

    Raises:
        InputError: matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("matplotlib isn't installed; pip install mass_plugins[plot]") from error
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure


def check_output(output: str | os.PathLike) -> None:
    """Before the work that a picture is made of.

    Raises:
        InputError: :func:`save_picture` couldn't write it: no matplotlib, no such folder, an unknown format.
    """
    kinds = new_figure().canvas.get_supported_filetypes()
    path = Path(output)
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: the folder {path.parent} doesn't exist; make it")
    if _format_of(path) not in kinds:
        raise InputError(f"cannot write {path}: no format {_format_of(path)}; name a file that ends in .png")


def save_picture(figure, output: str | os.PathLike) -> None:
    """Write a figure, whole or not at all, in the format that the file's name ends in.

    Raises:
        InputError: it can't be written.
    """
    path = Path(output)
    try:
        with whole_file(path) as temporary:
            figure.savefig(temporary, format=_format_of(path), dpi=120)
    except (OSError, ValueError) as error:  # ValueError: a format that matplotlib doesn't know
        raise InputError(f"cannot write {path}: {error}; name a file that ends in .png") from error


def _format_of(path: Path) -> str:
    return path.suffix.lstrip(".").lower() or "png"
