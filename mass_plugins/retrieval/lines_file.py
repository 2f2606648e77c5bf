"""A text file that grows by batches of items and goes on where it was cut off."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Iterable, Optional, Sequence

from mass_plugins.data.growing import GrowingLines
from mass_plugins.data.json_file import read_record, write_json
from mass_plugins.data.progress import Progress
from mass_plugins.errors import InputError

_VERSION = 1
_FIELDS = {"settings": dict, "items": int, "size": int, "counts": dict, "finished": bool}


class LinesFile:
    """OUTPUT.part until it is finished, then OUTPUT; OUTPUT.json says what it is made of, then and afterwards.

    Args:
        settings: all that decides the content, as JSON has it; a file of other settings is refused.

    Attributes:
        counts: for the writer of batches, who counts what has become of their items; kept with them.
        finished: OUTPUT is there, made with these settings: nothing is left to do.

    Raises:
        InputError: that, or a file that this has not made is in the way.
    """

    def __init__(self, output: Path, settings: dict, overwrite: bool = False):
        self.output, self._settings = output, json.loads(json.dumps(settings))
        self._part, self._record = Path(f"{output}.part"), Path(f"{output}.json")
        record = None if overwrite else read_record(self._record, _VERSION, _FIELDS)
        if record is None and output.exists() and not overwrite:
            raise InputError(f"{output} exists; name another file, or give --overwrite to lose it")
        if record is not None and record["settings"] != self._settings:
            names = [name for name, value in self._settings.items() if record["settings"].get(name) != value]
            raise InputError(
                f"{output} is made with other settings ({', '.join(names)}); name another file, or give --overwrite"
            )
        if record is not None and record["finished"]:
            record = self._finished_record(record)
        self.finished = record is not None and record["finished"]
        self.done: int = record["items"] if record else 0  # items that an earlier run has written
        self.counts: Counter[str] = Counter(record["counts"] if record else {})
        self._size: int = record["size"] if record else 0

    def _finished_record(self, record: dict) -> Optional[dict]:
        """None if the file is gone, which is to be made anew, then."""
        if self._part.exists():  # killed between the record and the last name
            os.replace(self._part, self.output)
        if not self.output.exists():
            return None
        size = self.output.stat().st_size
        if size != record["size"]:
            raise InputError(f"{self.output} has {size} bytes instead of {record['size']}: changed; give --overwrite")
        return record

    def write(
        self, batches: Iterable[Sequence[str]], total: Optional[int], label: str, progress: Optional[bool] = None
    ) -> None:
        """The rest of the file, a text of no, one or more lines an item; then its final name. Nothing if finished.

        Raises:
            InputError: the disk is full, for instance.
        """
        if self.finished:
            return
        try:
            if not self.done:  # a record of what is given up
                self._record.unlink(missing_ok=True)
            self.output.parent.mkdir(parents=True, exist_ok=True)
            lines = GrowingLines(self._part, self._size)
            try:
                with Progress(label, progress, total, self.done) as bar:
                    for batch in batches:
                        lines.append([text.removesuffix("\n") for text in batch if text])
                        self.done += len(batch)
                        self._keep(lines.commit(), finished=False)
                        bar.add(len(batch))
                self._keep(lines.commit(), finished=True)
            finally:
                lines.close()
            os.replace(self._part, self.output)
        except OSError as error:
            raise InputError(
                f"{self.output} can't be written ({error.strerror}); fix this and re-run the command"
            ) from None
        self.finished = True

    def _keep(self, size: int, finished: bool) -> None:
        record = {"version": _VERSION, "settings": self._settings, "items": self.done, "size": size}
        write_json(self._record, record | {"counts": dict(self.counts), "finished": finished})
