"""Chunks of lines, columns, counts, and errors in one line."""

import argparse
import io
import signal
from collections import Counter

import pytest

from mass_plugins.errors import InputError
from preprocess import streaming
from preprocess.streaming import Chunk, describe_counts, read_aligned, read_chunks, split_columns


def chunks_of(data: bytes):
    return list(read_chunks(io.BytesIO(data), "a.txt"))


@pytest.mark.parametrize("lines", [0, 1, 999, 1000, 1001, 2500])
@pytest.mark.parametrize("last_end", [b"\n", b""])
def test_chunks_are_the_stream_again(lines, last_end):
    data = b"".join(b"line %d\n" % i for i in range(lines)).removesuffix(b"\n") + (last_end if lines else b"")
    chunks = chunks_of(data)
    assert b"".join(chunk.data for chunk in chunks) == data
    assert [line for chunk in chunks for line in chunk.lines()] == [f"line {i}" for i in range(lines)]
    assert [chunk.start for chunk in chunks] == list(range(0, lines, 1000))


def test_long_lines_make_short_chunks():
    chunks = chunks_of(b"".join(b"x" * 400_000 + b"\n" for _ in range(9)))
    assert max(len(chunk.data) for chunk in chunks) < streaming.CHUNK_BYTES + 400_001
    assert sum(len(chunk.lines()) for chunk in chunks) == 9


def test_only_line_feeds_end_lines():
    text = "one\r\ntwo\x0b\x0c\x1c\x85\u2028\u2029 still two\n\nfour\rstill four"
    (chunk,) = chunks_of(text.encode())
    assert chunk.lines() == ["one", "two\x0b\x0c\x1c\x85\u2028\u2029 still two", "", "four\rstill four"]


def test_aligned_files_are_cut_at_the_same_lines():
    short = b"".join(b"%d\n" % i for i in range(3000))
    long = b"".join(b"%d" % i + b" " * 3000 + b"\n" for i in range(3000))
    for left, right in read_aligned([io.BytesIO(short), io.BytesIO(long)], ["a", "b"]):
        assert left.start == right.start
        assert left.lines() == [line.strip() for line in right.lines()]


@pytest.mark.parametrize("line", [1, 3, 1000, 1001])
def test_a_line_that_is_not_utf8_is_named(line):
    lines = [b"gut"] * 1500
    lines[line - 1] = "schön".encode("latin-1")
    with pytest.raises(InputError, match=rf"a.txt, line {line} is not UTF-8; .*iconv -f ISO-8859-1"):
        for chunk in chunks_of(b"\n".join(lines)):
            chunk.lines()


def test_counts_add_up():
    assert describe_counts(5, Counter()) == "5 lines read, 5 kept, 0 dropped"
    assert describe_counts(9, Counter(empty=1, duplicates=3)) == (
        "9 lines read, 5 kept, 4 dropped: 3 duplicates, 1 empty"
    )


def test_columns():
    dropped = Counter()
    assert list(split_columns(["a\tb", "a", "a\tb\tc", "\t"], 2, dropped)) == [["a", "b"], ["", ""]]
    assert dropped == {"without 2 tab-separated columns": 2}
    assert list(split_columns(["a\tb"], 1, dropped)) == [["a\tb"]]


def test_chunk_of_nothing_but_ends():
    assert Chunk("a", 0, b"\n\n").lines() == ["", ""]


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("line 3 is bad; mend it"), 1, "tool.py: error: line 3 is bad; mend it\n"),
        (FileNotFoundError(2, "No such file", "x.txt"), 1, "tool.py: error: No such file: x.txt\n"),
        (OSError(28, "No space left on device"), 1, "tool.py: error: No space left on device\n"),
        (KeyboardInterrupt(), 130, "tool.py: stopped\n"),
    ],
)  # fmt: skip
def test_errors_are_one_line(error, status, message, capsys):
    before = signal.getsignal(signal.SIGTERM)

    def main():
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        raise error

    assert streaming.exit_status("tool.py", main) == status
    assert capsys.readouterr().err == message
    assert signal.getsignal(signal.SIGTERM) is before  # a caller's own


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", ""])
def test_numbers_of_things_are_positive(text):
    with pytest.raises(argparse.ArgumentTypeError, match="not a whole number of 1 or more"):
        streaming.positive(text)
    assert streaming.positive("12") == 12
