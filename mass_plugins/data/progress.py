"""The progress bar of everything that goes through lines of text."""

import sys
from typing import Optional


class Progress:
    """Lines a second on stderr while it runs; silent when stderr is no terminal, unless asked.

    Args:
        label: stands before the bar.
        show: None: if stderr is a terminal.
        total: lines to come, if known.
        done: lines of ``total`` that an earlier run went through.
    """

    def __init__(self, label: str, show: Optional[bool] = None, total: Optional[int] = None, done: int = 0):
        from tqdm import tqdm

        class Bar(tqdm):
            monitor_interval = 0  # tqdm's thread and the fork of a pool of processes don't go together

        shown = sys.stderr.isatty() if show is None else show
        self._bar = Bar(
            desc=label, total=total, initial=done, unit=" lines", unit_scale=True, disable=not shown, file=sys.stderr
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_):
        self._bar.close()

    def add(self, lines: int) -> None:
        self._bar.update(lines)
