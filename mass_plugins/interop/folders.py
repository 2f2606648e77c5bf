"""Folders that are there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mass_plugins.errors import InputError


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that is given its name in the end, whole, or isn't there.

    Raises:
        InputError: it exists, or can't be written.
    """
    if folder.exists():
        raise InputError(f"{folder} exists; name a folder that doesn't, or remove it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # a name that is nobody's yet: what is beside the folder is the user's
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as between:
            half = Path(between) / folder.name
            half.mkdir()
            yield half
            os.replace(half, folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}; make room or choose another") from None
