"""The four small tools as commands: what holds for each of them when it is used in a pipe."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOOLS = {
    "normalize.py": ["--languages", "en"],
    "filter.py": ["--languages", "en"],
    "deduplicate.py": [],
    "moses_tokenize.py": ["--languages", "en"],
}
PATIENCE = 30  # seconds; a tool that hangs fails its test


def tool(name, *flags, **options):
    return subprocess.Popen(
        [sys.executable, ROOT / "preprocess" / name, *flags],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def shell(command):
    return subprocess.run(["bash", "-c", command], capture_output=True, timeout=PATIENCE, cwd=ROOT)


@pytest.mark.parametrize("name", TOOLS)
def test_streams_keeps_order_and_reports(name):
    """Output comes while the input is still open; all of it, in order; counts on stderr, no progress bar."""
    lines = [f"This is line number {i}." for i in range(20_000)]
    received = threading.Event()

    def feed():
        process.stdin.write("".join(line + "\n" for line in lines).encode())
        process.stdin.flush()
        received.wait(PATIENCE)
        process.stdin.close()

    with tool(name, *TOOLS[name], "--workers", "2") as process:
        feeder = threading.Thread(target=feed)
        feeder.start()
        first = process.stdout.readline().decode()
        input_was_open = not process.stdin.closed
        received.set()
        rest, err = process.stdout.read(), process.stderr.read()
        feeder.join()
    words = [line.replace(" .", ".") for line in [first.rstrip("\n"), *rest.decode().splitlines()]]
    assert input_was_open and words == lines
    assert err.decode() == f"{name}: 20000 lines read, 20000 kept, 0 dropped\n"
    assert process.returncode == 0


@pytest.mark.parametrize("name", TOOLS)
def test_a_bad_line_is_named(name):
    with tool(name, *TOOLS[name]) as process:
        _, err = process.communicate(b"good\n" * 2500 + b"b\xe4d\n", timeout=PATIENCE)
    assert process.returncode == 1
    assert err.decode().startswith(f"{name}: error: standard input, line 2501 is not UTF-8")
    assert err.count(b"\n") == 1


@pytest.mark.parametrize("name", ["normalize.py", "filter.py"])
def test_a_reader_that_has_seen_enough_is_no_error(name):
    done = shell(f"yes some words | '{sys.executable}' preprocess/{name} --languages en --workers 2 | head -n 1")
    assert done.stdout == b"some words\n"
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("redirection", "message"),
    [
        ("<&-", "standard input is closed"),
        ("< /dev/null >&-", "standard output is closed"),
        ("> /dev/full", "No space left on device"),
    ],
)
def test_closed_and_full_streams(redirection, message):
    done = shell(f"yes | head -n 3000 | '{sys.executable}' preprocess/filter.py --languages en {redirection}")
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"filter.py: error: {message}") and done.stderr.count(b"\n") == 1


def test_without_stderr_the_work_is_done():
    done = shell(f"yes | head -n 3000 | '{sys.executable}' preprocess/filter.py --languages en --workers 2 2>&-")
    assert done.returncode == 0 and done.stdout == b"y\n" * 3000


def test_no_input_is_no_output():
    done = shell(f"'{sys.executable}' preprocess/normalize.py --languages en < /dev/null")
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"normalize.py: 0 lines read, 0 kept, 0 dropped\n"


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_tool(process: int) -> bool:
    try:
        return b"normalize.py" in Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("number", "victim", "status", "message"),
    [
        (signal.SIGINT, "all", 130, b"normalize.py: stopped\n"),
        (signal.SIGTERM, "parent", 130, b"normalize.py: stopped\n"),
        (signal.SIGKILL, "parent", -signal.SIGKILL, b""),
        (signal.SIGKILL, "worker", 1, b"normalize.py: error: a worker process was killed (out of memory?)"),
    ],
)
def test_signals_end_it_and_its_workers(number, victim, status, message):
    """In the middle of an endless input, while its own output waits for a reader."""
    with open("/dev/zero", "rb") as endless, subprocess.Popen(["tr", "\\0", "\\n"], stdin=endless, stdout=-1) as lines:
        process = subprocess.Popen(
            [sys.executable, ROOT / "preprocess" / "normalize.py", *TOOLS["normalize.py"], "--workers", "2"],
            stdin=lines.stdout, stdout=-1, stderr=-1, start_new_session=True,
        )  # fmt: skip
        try:
            process.stdout.read(1)
            workers = children_of(process.pid)
            assert len(workers) == 2
            if victim == "all":
                os.killpg(process.pid, number)
            else:
                os.kill(process.pid if victim == "parent" else workers[1], number)
            _, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            lines.kill()
    assert process.returncode == status
    assert err.startswith(message) and err.count(b"\n") == (1 if message else 0)
    deadline = time.monotonic() + 10
    while any(map(is_tool, workers)):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.02)


def test_progress_when_asked():
    with tool("deduplicate.py", "--progress") as process:
        _, err = process.communicate(b"a\nb\n", timeout=PATIENCE)
    assert b"lines/s" in err or b"lines [" in err


def test_wrong_flags_are_one_line():
    for name, flags, message in (
        ("normalize.py", ["--languages", "en", "--workers", "0"], "--workers: 0 is not a whole number of 1 or more"),
        ("filter.py", ["--languages", "en", "--max-ratio", "-1"], "--max-ratio -1.0 is not a limit; give a positive"),
        ("moses_tokenize.py", ["--languages", "ja"], "the Moses tokenizer doesn't segment 'ja'"),
    ):
        with tool(name, *flags) as process:
            _, err = process.communicate(b"", timeout=PATIENCE)
        assert process.returncode != 0
        assert message in err.decode().strip().split("\n")[-1]


def test_pairs_pass_through_all_tools_together():
    """The pipe of the README: columns stay side by side, and a pair goes as a whole."""
    pairs = [
        ("Ein “Haus”,\u200b nah.", "A “house”, near."),
        ("Ein Haus", ""),
        ("Ein “Haus”, nah.", "A  “house”, near."),
    ]
    text = "".join("\t".join(pair) + "\n" for pair in pairs)
    run = f"'{sys.executable}' preprocess"
    done = subprocess.run(
        ["bash", "-c", f"{run}/normalize.py --languages de,en | {run}/filter.py --languages de,en"
         f" | {run}/deduplicate.py | {run}/moses_tokenize.py --languages de,en"],
        input=text.encode(), capture_output=True, timeout=PATIENCE, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.decode() == 'Ein " Haus " , nah .\tA " house , " near .\n'
    assert "3 lines read, 2 kept, 1 dropped: 1 empty" in done.stderr.decode()
    assert "2 lines read, 1 kept, 1 dropped: 1 duplicates" in done.stderr.decode()


def test_the_tools_import_no_torch():
    code = (
        "import sys; sys.argv = ['prepare.py', '--help']; sys.path[0] = 'preprocess'\n"
        "import runpy\n"
        "try: runpy.run_path('preprocess/prepare.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert 'mass_plugins.data.text' in sys.modules\n"
        "assert 'torch' not in sys.modules and 'fairseq' not in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode()
