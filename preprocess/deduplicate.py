"""Drop lines (or tab-separated pairs) that came before, stdin to stdout; the first one stays.

    python preprocess/deduplicate.py < good.de > unique.de

A line is remembered as 8 bytes, its hash, in a table of 12 to 24 bytes a line (36 for a moment
when it grows): 100 million lines need about 2 GB. Of 100 million different lines, the chance that
even one is dropped by mistake is 3 in 10 000.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Callable

import numpy as np

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401

from mass_plugins.data.seen_hashes import SeenHashes, hash_lines
from preprocess.streaming import Chunk, Parser, Result, add_run_flags, exit_status, run_tool


def make_hasher() -> Callable[[Chunk], tuple[Result, np.ndarray]]:
    """Chunk -> its lines and their hashes: the part of the work that several processes can share."""

    def hash_chunk(chunk: Chunk) -> tuple[Result, np.ndarray]:
        lines = chunk.lines()
        return Result(lines, len(lines)), hash_lines(lines)

    return hash_chunk


def keep_new(result: Result, hashes: np.ndarray, seen: SeenHashes) -> Result:
    """The lines of a result whose hashes are new, in order."""
    new = seen.add(hashes)
    lines = [line for line, fresh in zip(result.lines, new) if fresh]
    dropped = result.dropped + Counter(duplicates=len(result.lines) - len(lines))
    return Result(lines, result.read, dropped)


def main() -> int:
    parser = Parser(prog="deduplicate.py", description=__doc__.split("\n")[0])
    add_run_flags(parser)
    args = parser.parse_args()
    seen = SeenHashes()
    return run_tool("deduplicate.py", make_hasher, (), args, after=lambda both: keep_new(*both, seen))


if __name__ == "__main__":
    sys.exit(exit_status("deduplicate.py", main))
