"""A text file that grows by batches of items and goes on where it was cut off."""

import os
from pathlib import Path
from typing import Iterable, Optional, Sequence

from mass_plugins.data.progress import Progress
from mass_plugins.errors import InputError
from mass_plugins.retrieval.growing import GrowingLines
from mass_plugins.retrieval.representations import read_json, write_json

_VERSION = 1


class LinesFile:
    """OUTPUT.part and OUTPUT.json until it is finished, then OUTPUT.

    Args:
        settings: all that decides the content; an unfinished file of other settings is refused.

    Raises:
        InputError: that, or a finished file is in the way.
    """

    def __init__(self, output: Path, settings: dict, overwrite: bool = False):
        self.output, self._settings = output, settings
        self._part, self._record = Path(f"{output}.part"), Path(f"{output}.json")
        record = None if overwrite else read_json(self._record, _VERSION)
        if record is not None and record["settings"] != settings:
            raise InputError(f"{output} is being written with other settings; name another file, or give --overwrite")
        if record is None and output.exists() and not overwrite:
            raise InputError(f"{output} exists; name another file, or give --overwrite to lose it")
        self.done: int = record["items"] if record else 0  # items that an earlier run has written
        self._size: int = record["size"] if record else 0

    def write(
        self, batches: Iterable[Sequence[str]], total: Optional[int], label: str, progress: Optional[bool] = None
    ) -> None:
        """The rest of the file, a text of no, one or more lines an item; then its final name.

        Raises:
            InputError: the disk is full, for instance.
        """
        try:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            lines = GrowingLines(self._part, self._size)
            try:
                with Progress(label, progress, total, self.done) as bar:
                    for batch in batches:
                        lines.append([text.removesuffix("\n") for text in batch if text])
                        self.done += len(batch)
                        record = {"version": _VERSION, "settings": self._settings, "items": self.done}
                        write_json(self._record, record | {"size": lines.commit()})
                        bar.add(len(batch))
            finally:
                lines.close()
            os.replace(self._part, self.output)
        except OSError as error:
            raise InputError(
                f"{self.output} can't be written ({error.strerror}); mend that and run the same command again"
            ) from None
        self._record.unlink(missing_ok=True)
