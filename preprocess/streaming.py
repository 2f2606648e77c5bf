"""Lines in, lines out: the machinery that all tools share.

A tool is a function from a ``Chunk`` of lines to a ``Result``; it runs in a pool of processes, the
order of the lines is kept, and only a few chunks are in memory at any time.
"""

import argparse
import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO, Callable, Iterator, NoReturn, Sequence

from mass_plugins.data.progress import Progress
from mass_plugins.data.text_files import not_utf8
from mass_plugins.errors import InputError
from preprocess.workers import ordered_map

CHUNK_LINES = 1000
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Chunk:
    """Some lines of a stream, still bytes: they are decoded by the worker."""

    name: str  # of the file, for messages
    start: int  # number of the first line, from 0
    data: bytes  # lines with their line ends

    def lines(self) -> list[str]:
        """The lines without their ends.

        Raises:
            InputError: a line is not UTF-8; names it.
        """
        try:
            text = self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(self.name, self.start + 1 + self.data[: error.start].count(b"\n"), self.data) from None
        return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


@dataclass
class Result:
    """What a tool made of a chunk."""

    lines: list[str]  # the lines that stay
    read: int  # lines that came in
    dropped: Counter = field(default_factory=Counter)  # reason -> lines


def read_aligned(streams: Sequence[BinaryIO], names: Sequence[str]) -> Iterator[tuple[Chunk, ...]]:
    """Cut streams of lines into chunks, line n of one always beside line n of the others.

    Lines end with a line feed, and nothing else ends them.
    """
    start, rows, size = 0, [], 0
    for row in zip(*streams, strict=True):
        rows.append(row)
        size += sum(map(len, row))
        if len(rows) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield _cut(names, start, rows)
            start, rows, size = start + len(rows), [], 0
    if rows:
        yield _cut(names, start, rows)


def read_chunks(stream: BinaryIO, name: str) -> Iterator[Chunk]:
    """Cut one stream of lines into chunks."""
    return (chunk for (chunk,) in read_aligned([stream], [name]))


def _cut(names: Sequence[str], start: int, rows: list[tuple[bytes, ...]]) -> tuple[Chunk, ...]:
    return tuple(Chunk(name, start, b"".join(column)) for name, column in zip(names, zip(*rows)))


def describe_counts(read: int, dropped: Counter) -> str:
    """``"1000 lines read, 950 kept, 50 dropped: 30 empty, 20 duplicates"``"""
    lost = sum(dropped.values())
    text = f"{read} lines read, {read - lost} kept, {lost} dropped"
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()) if count)
    return f"{text}: {reasons}" if reasons else text


def default_workers() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the list of all flags before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def add_stream_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of every tool that reads stdin and writes stdout."""
    parser.add_argument(
        "--languages",
        required=True,
        metavar="L[,L]",
        type=lambda text: text.split(","),
        help="the language of each tab-separated column: en for plain text, de,en for pairs made by paste",
    )
    add_run_flags(parser)


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=positive, default=default_workers(), metavar="N", help="processes (default: all cores)"
    )
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show lines per second on stderr (default: when stderr is a terminal)",
    )


def positive(text: str) -> int:
    """The type of a flag that counts something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)


def split_columns(lines: list[str], columns: int, dropped: Counter) -> Iterator[list[str]]:
    """The tab-separated columns of each line; lines with another number of them are dropped."""
    for line in lines:
        cells = line.split("\t") if columns > 1 else [line]  # in plain text a tab is white space
        if len(cells) == columns:
            yield cells
        else:
            dropped[f"without {columns} tab-separated columns"] += 1


def run_tool(
    name: str, make_function: Callable[..., Callable], arguments: tuple, args,
    after: Callable[[Result], Result] = lambda result: result,
) -> int:  # fmt: skip
    """stdin -> the function in all processes -> ``after`` in this one -> stdout; counts on stderr."""
    for stream, what in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None:
            raise InputError(f"standard {what} is closed; {name} reads standard input and writes standard output")
    read, dropped = 0, Counter()
    with Progress(name, args.progress) as progress:
        chunks = read_chunks(sys.stdin.buffer, "standard input")
        for result in map(after, ordered_map(make_function, arguments, chunks, args.workers)):
            sys.stdout.buffer.write("".join(line + "\n" for line in result.lines).encode("utf-8"))
            sys.stdout.buffer.flush()
            read += result.read
            dropped += result.dropped
            progress.add(result.read)
    print(f"{name}: {describe_counts(read, dropped)}", file=sys.stderr)
    return 0


def exit_status(name: str, main: Callable[[], int]) -> int:
    """Run a tool's main function; the user's errors are one line on stderr and status 1."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidied up after like Ctrl-C
    if sys.stderr is None:  # closed by the caller
        sys.stderr = open(os.devnull, "w")
    try:
        return main()
    except InputError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        print(f"{name}: error: {error.strerror or error}{where}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 1
