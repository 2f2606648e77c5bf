"""Stages of the demo: each is one command that the reader can copy, and goes on where it was cut off.

    Stage, Stage, ... --run_stages--> files in the work folder

A stage is done when ``stamps/NAME.json`` in the work folder holds its fingerprint: its command, the
files it reads and the stages it builds on. What was made with another fingerprint is removed and made
anew; what was begun with this one is left to the command, which goes on from there (fairseq-train from
its last checkpoint) or starts again.
"""

import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional

ROOT = Path(__file__).resolve().parents[2]
STAMPS = "2"  # layout of the stamps; with another one all is made anew
MARK = ".demo"  # in every work folder: what lies there is the demo's and may be removed by it
# One thread: at this size a second one makes an update slower (10.4 a second against 12.5). Keep freed memory: glibc
# otherwise returns and zeroes it in every update (+13 % speed).
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
    "PYTHONUNBUFFERED": "1",
}
_UPDATES = re.compile(rb'"(?:train_|valid_)?num_updates": "(\d+)"')


class DemoError(Exception):
    """One line: what is wrong, and the mend."""


@dataclass(frozen=True)
class Stage:
    """One command.

    Attributes:
        name: of its log and stamp.
        title: what the reader sees.
        command: run in ``ROOT``.
        makes: file or folder that it writes.
        needs: stages that it builds on.
        reads: files whose contents it depends on beside those of ``needs``.
        updates: of a training, for its progress.
        stdin, stdout: redirections; ``stdout`` is written to a temporary name, then renamed.
    """

    name: str
    title: str
    command: tuple[str, ...]
    makes: Path
    needs: tuple["Stage", ...] = ()
    reads: tuple[Path, ...] = ()
    updates: int = 0
    stdin: Optional[Path] = None
    stdout: Optional[Path] = None

    @property
    def fingerprint(self) -> str:
        parts = [STAMPS, *self.command]
        parts += [*(stage.fingerprint for stage in self.needs), *(path.read_bytes() for path in self.reads)]
        digest = hashlib.sha256()
        for part in parts:
            digest.update((part if isinstance(part, bytes) else part.encode()) + b"\0")
        return digest.hexdigest()[:16]

    def as_typed(self) -> str:
        """The command for a shell in ``ROOT``; long ones on several lines."""
        words, lines = [], [""]
        for word in self.command:  # a flag stays on one line with its value
            if words and words[-1].startswith("--") and " " not in words[-1] and not word.startswith("--"):
                words[-1] += f" {shlex.quote(word)}"
            else:
                words.append(shlex.quote(word))
        for sign, path in (("<", self.stdin), (">", self.stdout)):
            words += [f"{sign} {shlex.quote(show(path))}"] if path else []
        for word in words:
            if len(lines[-1]) + len(word) > 100:
                lines.append("")
            lines[-1] += f"{' ' * bool(lines[-1])}{word}"
        return " \\\n      ".join(lines)


def show(path: Path) -> str:
    """``path`` as it is typed in ``ROOT``."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


@dataclass
class WorkFolder:
    """Logs, stamps and the lock of one run of the demo; ``lock`` is a file descriptor that children inherit."""

    path: Path
    lock: int

    def log(self, stage: Stage) -> Path:
        return self.path / "logs" / f"{stage.name}.log"

    def stamp(self, stage: Stage) -> Path:
        return self.path / "stamps" / f"{stage.name}.json"

    def state(self, stage: Stage) -> str:
        """``done``, ``begun``, ``other`` (made with other settings) or ``new``."""
        try:
            stamp = json.loads(self.stamp(stage).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return "new"
        if stamp["fingerprint"] != stage.fingerprint:
            return "other"
        return "done" if stamp["done"] and stage.makes.exists() else "begun"

    def seconds(self, stage: Stage) -> float:
        """That ``stage`` has run, interruptions and all."""
        return json.loads(self.stamp(stage).read_text(encoding="utf-8"))["seconds"]

    def write_stamp(self, stage: Stage, done: bool, seconds: float) -> None:
        content = {"fingerprint": stage.fingerprint, "done": done, "seconds": seconds, "command": stage.command}
        text = json.dumps(content, indent=1)
        temporary = self.stamp(stage).with_suffix(".tmp")
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(self.stamp(stage))

    def begin(self, stage: Stage) -> None:
        """Make room for ``stage``: what other settings have left goes, what it has begun itself stays."""
        before = 0.0
        if self.state(stage) == "begun":
            before = self.seconds(stage)
        else:
            for path in (stage.makes, self.log(stage)):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.write_stamp(stage, done=False, seconds=before)


@contextmanager
def open_work(path: Path, again: bool) -> Iterator[WorkFolder]:
    """The work folder, held by this process alone; emptied first with ``again``.

    Raises:
        DemoError: it can't be written, holds other things, or another demo is at work there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not (path / MARK).exists() and any(path.iterdir()):
            raise DemoError(f"{path} holds other files than the demo's; give --work an empty or a new folder")
        lock = os.open(path / MARK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DemoError(f"--work {path}: {error.strerror}; choose another folder") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DemoError(f"another demo is at work in {path}; wait for it, or choose another --work") from None
    try:
        for rest in path.iterdir() if again else ():
            if rest.name != MARK:
                shutil.rmtree(rest) if rest.is_dir() else rest.unlink()
        for name in ("logs", "stamps"):
            (path / name).mkdir(exist_ok=True)
        yield WorkFolder(path, lock)
    finally:
        os.close(lock)


def run_stages(work: WorkFolder, heading: str, *stages: Stage) -> None:
    """Run those of ``stages`` that are not done, side by side.

    Raises:
        DemoError: one of them failed; the others are stopped.
    """
    pending = [stage for stage in stages if work.state(stage) != "done"]
    if not pending:
        print(f"{heading}: done before")
        return
    print(heading)
    for stage in pending:
        print(f"    {'goes on: ' * (work.state(stage) == 'begun')}{stage.title}; log: {show(work.log(stage))}")
        print(f"    $ {stage.as_typed()}", flush=True)
        work.begin(stage)
    started = time.monotonic()
    running: list[_Running] = []
    try:
        for stage in pending:
            running.append(_Running(work, stage))
        with _ProgressLine() as line:
            while running:
                line.show(", ".join(filter(None, (one.progress() for one in running))), time.monotonic() - started)
                time.sleep(0.2)
                for one in [one for one in running if one.process.poll() is not None]:
                    one.finish()
                    running.remove(one)
    finally:
        for one in running:
            one.stop()
    print(f"    done in {time.monotonic() - started:.0f} s", flush=True)


@dataclass
class _Running:
    """A stage's process, in a process group of its own: Ctrl-C reaches it through ``stop`` alone."""

    work: WorkFolder
    stage: Stage
    process: subprocess.Popen = field(init=False)
    started: float = field(init=False)

    def __post_init__(self):
        stage, self.started = self.stage, time.monotonic()
        with open(self.work.log(stage), "ab") as log, open(stage.stdin or os.devnull, "rb") as stdin:
            output = open(_temporary(stage.stdout), "wb") if stage.stdout else None
            self.process = subprocess.Popen(
                stage.command,
                cwd=ROOT,
                env={**os.environ, **ENVIRONMENT},
                stdin=stdin,
                stdout=output or log,
                stderr=log,
                start_new_session=True,
                pass_fds=(self.work.lock,),  # orphans of a killed demo keep the folder locked
            )
            if output:
                output.close()

    def progress(self) -> str:
        if not self.stage.updates:
            return ""
        with open(self.work.log(self.stage), "rb") as log:
            log.seek(max(0, os.path.getsize(log.name) - 20000))
            found = _UPDATES.findall(log.read())
        return f"{self.stage.name} {int(found[-1]) if found else 0} of {self.stage.updates} updates"

    def finish(self) -> None:
        """Put what was made in its place.

        Raises:
            DemoError: the process failed.
        """
        if self.process.returncode:
            self._write_stamp(done=False)
            log = self.work.log(self.stage)
            lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
            raise DemoError(
                f"{self.stage.title} ended with status {self.process.returncode} ({last}); all it said is in "
                f"{log}; run the same command again to go on"
            )
        if self.stage.stdout:
            os.replace(_temporary(self.stage.stdout), self.stage.stdout)
        self._write_stamp(done=True)

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()
            self._write_stamp(done=False)

    def _write_stamp(self, done: bool) -> None:
        seconds = self.work.seconds(self.stage) + time.monotonic() - self.started
        self.work.write_stamp(self.stage, done, seconds)


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")


class _ProgressLine:
    """A line that is written over on a terminal, and not written elsewhere."""

    def __enter__(self) -> "_ProgressLine":
        self.terminal = sys.stdout.isatty()
        return self

    def show(self, text: str, seconds: float) -> None:
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K    {seconds:.0f} s  {text}"[: width + 4], end="", flush=True)

    def __exit__(self, *exception) -> None:
        if self.terminal:
            print("\r\033[K", end="", flush=True)
