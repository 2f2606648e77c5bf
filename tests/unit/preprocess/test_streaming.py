"""Chunks of lines, the ordered pool of processes, and what holds for every tool."""

import io
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from mass_plugins.errors import InputError
from preprocess import streaming
from preprocess.streaming import Chunk, describe_counts, ordered_map, read_aligned, read_chunks, split_columns

ROOT = Path(__file__).resolve().parents[3]
TOOLS = {
    "normalize.py": ["--languages", "en"],
    "filter.py": ["--languages", "en"],
    "deduplicate.py": [],
    "moses_tokenize.py": ["--languages", "en"],
}


def tool(name, *flags, **options):
    return subprocess.Popen(
        [sys.executable, ROOT / "preprocess" / name, *flags],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def chunks_of(data: bytes):
    return list(read_chunks(io.BytesIO(data), "a.txt"))


def make_slow_echo():
    """Chunks with a small number take longest, so that the order would change if it could."""

    def work(number):
        time.sleep(0.05 if number % 4 == 0 else 0)
        return number, os.getpid()

    return work


def make_dying():
    return lambda number: os._exit(1)


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


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_order_is_kept(workers):
    results = list(ordered_map(make_slow_echo, (), range(40), workers))
    assert [number for number, _ in results] == list(range(40))
    processes = {pid for _, pid in results}
    assert (processes == {os.getpid()}) if workers == 1 else (os.getpid() not in processes)


def test_one_chunk_starts_no_process():
    assert list(ordered_map(make_slow_echo, (), [0], 4)) == [(0, os.getpid())]
    assert list(ordered_map(make_slow_echo, (), [], 4)) == []


def test_few_chunks_are_in_flight():
    read = 0

    def source():
        nonlocal read
        for number in range(200):
            read += 1
            yield number

    for done, _ in enumerate(ordered_map(make_slow_echo, (), source(), 2), start=1):
        assert read - done <= 2 * streaming.CHUNKS_A_WORKER + 2


def test_a_killed_worker_is_said(capsys):
    def main():
        return len(list(ordered_map(make_dying, (), range(4), 2)))

    assert streaming.exit_status("tool.py", main) == 1
    assert "tool.py: error: a worker process was killed" in capsys.readouterr().err


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


@pytest.mark.parametrize("name", TOOLS)
def test_tools_stream_keep_order_and_report(name):
    """Output comes while the input is still open; all of it, in order; counts on stderr, no progress bar."""
    lines = [f"This is line number {i}." for i in range(20_000)]
    with tool(name, *TOOLS[name], "--workers", "2") as process:
        process.stdin.write("".join(line + "\n" for line in lines).encode())
        process.stdin.flush()
        first = process.stdout.readline().decode()  # would wait for ever if the tool waited for the end
        assert process.poll() is None and not process.stdin.closed
        rest, err = process.communicate()
    words = [line.replace(" .", ".") for line in [first.rstrip("\n"), *rest.decode().splitlines()]]
    assert words == lines
    assert err.decode() == f"{name}: 20000 lines read, 20000 kept, 0 dropped\n"
    assert process.returncode == 0


@pytest.mark.parametrize("name", TOOLS)
def test_tools_name_a_bad_line_and_a_closed_pipe_is_no_error(name):
    with tool(name, *TOOLS[name]) as process:
        out, err = process.communicate(b"good\nb\xe4d\n")
    assert process.returncode == 1
    assert err.decode().startswith(f"{name}: error: standard input, line 2 is not UTF-8")
    assert err.count(b"\n") == 1
    shell = f"yes some words | '{sys.executable}' '{ROOT}/preprocess/{name}' {' '.join(TOOLS[name])} --workers 2"
    if name != "deduplicate.py":  # of which `yes` gets only one line out
        done = subprocess.run(["bash", "-c", f"{shell} | head -n 1"], capture_output=True, timeout=30)
        assert done.stdout == b"some words\n"
        assert done.stderr == b""


def test_progress_when_asked():
    with tool("deduplicate.py", "--progress") as process:
        _, err = process.communicate(b"a\nb\n")
    assert b"lines/s" in err or b"lines [" in err


def test_tools_import_no_torch():
    code = (
        "import sys; sys.argv = ['filter.py', '--help']; sys.path[0] = 'preprocess'\n"
        "import runpy\n"
        "try: runpy.run_path('preprocess/prepare.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert 'mass_plugins.data.text' in sys.modules\n"
        "assert 'torch' not in sys.modules and 'fairseq' not in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode()


def test_workers_end_with_a_killed_parent():
    process = tool("normalize.py", "--languages", "en", "--workers", "2", start_new_session=True)
    process.stdin.write(b"a line\n" * 20_000)
    process.stdin.flush()
    process.stdout.readline()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.1)


def test_chunk_of_nothing_but_ends():
    assert Chunk("a", 0, b"\n\n").lines() == ["", ""]
