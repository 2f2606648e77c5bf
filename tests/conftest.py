"""What tests share: a small data-bin, fairseq's real commands, and two small trained models.

Everything here that takes longer than a moment is made once for all processes of pytest-xdist.
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional

import pytest

from tests import tiny
from tests.warm import WarmCommands

# A shell that runs the tests in the background has them ignore SIGINT, and so would every command that they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "mass_plugins"


class Finished(NamedTuple):
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def environment() -> dict[str, str]:
    """One thread, and nothing that would show the package to fairseq but ``--user-dir``."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def script(name: str) -> str:
    """The console command ``name`` of the Python that runs the tests."""
    return str(Path(sys.executable).with_name(name))


def run(arguments, cwd=None, expect=0, timeout=300, stdin="", **options) -> Finished:
    """Run a command to its end; ``expect`` is its exit status, None for any but 0."""
    done = subprocess.run(
        list(map(str, arguments)),
        cwd=cwd,
        env=environment(),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
        **options,
    )
    return as_expected(Finished(done.returncode, done.stdout, done.stderr), expect)


def as_expected(done: Finished, expect: Optional[int]) -> Finished:
    good = done.status == expect if expect is not None else done.status != 0
    assert good, f"exit status {done.status}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def run_until(arguments, words: str, number: signal.Signals, timeout=300) -> Finished:
    """Run a command and send ``number`` to it and its children as soon as it prints ``words``.

    Its output goes through a pipe of one page that nobody empties from then on, so it cannot run far ahead.
    """
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen(
        list(map(str, arguments)), env=environment(), stdin=subprocess.DEVNULL, stdout=write_end,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(write_end)
        alarm = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        seen = b""
        while words.encode() not in seen and (new := os.read(read_end, 512)):
            seen += new
        for pid in family(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while new := os.read(read_end, 4096):
            seen += new
        os.close(read_end)
        stderr = process.stderr.read().decode()
        process.wait()
        alarm.cancel()
    output = seen.decode()
    assert words in output, f"{words!r} was not printed\n{output[-2000:]}\n{stderr[-4000:]}"
    return Finished(process.returncode, output, stderr)


def family(pid: int) -> list[int]:
    """A process and all that it started, whichever process group they made for themselves."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def torchrun(*arguments) -> list[str]:
    """The command line that runs fairseq-train in two processes."""
    launch = ("--nproc_per_node", "2", "--master_port", str(free_port()))
    return list(map(str, [script("torchrun"), *launch, script("fairseq-train"), *arguments]))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def run_fairseq() -> Iterator[Callable[..., Finished]]:
    """``run_fairseq("train", data_bin, *flags)`` runs ``fairseq-train`` with the plugin, on the CPU.

    In a process that has imported fairseq already; ``test_user_dir.py`` starts the commands from nothing.
    """
    warm = WarmCommands()

    def run_command(command: str, *arguments, expect=0, timeout=300, stdin="") -> Finished:
        words = list(map(str, [script(f"fairseq-{command}"), *arguments, *tiny.PLUGIN_FLAGS]))
        return as_expected(Finished(*warm.run(words, environment(), stdin, timeout)), expect)

    yield run_command
    warm.close()


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """``once(name, make)``: the folder that ``make(folder)`` filled, in whichever process came first."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent

    def get(name: str, make: Callable[[Path], object]) -> Path:
        folder, lock = base / f"once-{name}", base / f"once-{name}.lock"
        with open(lock, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not (folder / ".made").exists():
                folder.mkdir()  # fails if an earlier try failed: one failure, then one line for each test
                make(folder)
                (folder / ".made").touch()
        return folder

    return get


@pytest.fixture(scope="session")
def tiny_data_bin(once) -> Path:
    """Languages de, en, fr; monolingual text, pairs de-en and en-fr; ``text.json``. Don't write into it."""
    return once("data-bin", tiny.make_data_bin)


@pytest.fixture(scope="session")
def tiny_shards(once) -> Path:
    """The like of ``tiny_data_bin`` in two shards, ``/0`` and ``/1``."""

    def make(folder: Path):
        for shard in (0, 1):
            (folder / str(shard)).mkdir()
            tiny.make_data_bin(folder / str(shard), lines=120, seed=shard)

    return once("shards", make)


@pytest.fixture(scope="session")
def pretrained(once, tiny_data_bin, run_fairseq) -> Path:
    """``checkpoint_last.pt`` of three updates of pre-training on de, en, fr; ``stdout`` and ``stderr``."""

    def make(folder: Path):
        done = run_fairseq("train", tiny_data_bin, *tiny.PRETRAIN, "--max-update", 3, "--save-dir", folder)
        (folder / "stdout").write_text(done.stdout)
        (folder / "stderr").write_text(done.stderr)

    return once("pretrained", make)


@pytest.fixture(scope="session")
def finetuned(once, tiny_data_bin, pretrained, run_fairseq) -> Path:
    """``checkpoint_best.pt`` of a few updates of fine-tuning de-en and en-de; also ``stdout``, ``stderr``."""

    def make(folder: Path):
        done = run_fairseq(
            "train", tiny_data_bin, *tiny.FINETUNE, "--pretrained-checkpoint", pretrained / "checkpoint_last.pt",
            "--eval-bleu", "--best-checkpoint-metric", "bleu", "--maximize-best-checkpoint-metric",
            "--max-update", 6, "--save-dir", folder,
        )  # fmt: skip
        (folder / "stdout").write_text(done.stdout)
        (folder / "stderr").write_text(done.stderr)

    return once("finetuned", make)


@pytest.fixture(scope="session")
def translating(once, tiny_data_bin, run_fairseq) -> Path:
    """``checkpoint_last.pt`` that translates de-en and en-de: badly, but different lines differently, with an end."""

    def make(folder: Path):
        run_fairseq(
            "train", tiny_data_bin, *tiny.FINETUNE, "--lr", 0.01, "--max-update", 200, "--disable-validation",
            "--log-format", "none", "--save-dir", folder,
        )  # fmt: skip

    return once("translating", make)
