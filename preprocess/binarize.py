"""Sub-word text -> fairseq's binary files, by the real ``fairseq-preprocess``."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mass_plugins.errors import InputError

_INDEX_HEADER = struct.Struct("<9sQBQ")  # magic, version, type of the ids, number of sentences
LINES_A_WORKER = 20_000  # starting a process for fewer takes longer than it saves
_PREPROCESS = """
import json, sys
from fairseq_cli.preprocess import cli_main  # once for all runs: it takes four seconds
for arguments in json.load(sys.stdin):
    sys.argv = ["fairseq-preprocess", *arguments]
    cli_main()
"""


@dataclass(frozen=True)
class Job:
    """One run of ``fairseq-preprocess``."""

    name: str  # of the corpus, like de-en
    sides: tuple[str, ...]  # its languages; source and target, if they are the same
    prefixes: dict[str, Path]  # split -> prefix of the sub-word text, PREFIX.<side>
    lines: dict[str, int]  # split -> how many there must be in the end
    folder: Path

    @property
    def written(self) -> Path:
        """Where fairseq-preprocess writes: what it calls source and target is renamed afterwards, and it makes
        dictionaries of these names, which aren't languages."""
        return self.folder if self.sides != ("source", "target") else self.folder / self.name


def binarize(jobs: list[Job], dictionary: Path, workers: int) -> None:
    """Run all jobs and check what they wrote.

    Raises:
        InputError: ``fairseq-preprocess`` failed; its output goes to stderr.
    """
    _run([_arguments(job, dictionary, workers) for job in jobs])
    for job in jobs:
        if job.written != job.folder:
            _name_by_language(job)
        _check(job)
        (job.folder / "preprocess.log").unlink(missing_ok=True)  # names temporary files


def _name_by_language(job: Job) -> None:
    """``train.source-target.source.bin`` → ``train.en-en.source.bin``, a folder up."""
    for split in job.prefixes:
        for file in job.written.glob(f"{split}.{'-'.join(job.sides)}.*"):
            file.rename(job.folder / file.name.replace("-".join(job.sides), job.name, 1))
    shutil.rmtree(job.written)


def _arguments(job: Job, dictionary: Path, workers: int) -> list[str]:
    source, *target = job.sides
    arguments = ["--source-lang", source, "--srcdict", str(dictionary)]
    arguments += ["--target-lang", target[0], "--tgtdict", str(dictionary)] if target else ["--only-source"]
    for split, prefix in job.prefixes.items():
        arguments += [f"--{split}pref", str(prefix)]
    useful = 1 + max(job.lines.values()) // LINES_A_WORKER
    return [*arguments, "--destdir", str(job.written), "--workers", str(min(workers, useful))]


def _run(commands: list[list[str]]) -> None:
    # A session of its own, so that it can be ended together with its workers, which wouldn't end by themselves.
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _PREPROCESS], env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            output = process.communicate(json.dumps(commands).encode("utf-8"))[0].decode("utf-8", "replace")
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        sys.stderr.write(output)
        last = (output.strip().split("\n") or [""])[-1]
        raise InputError(
            f"fairseq-preprocess ended with status {process.returncode} ({last}); its output is above, "
            "`mass-plugins doctor` checks the installation"
        )


def _check(job: Job) -> None:
    for split, expected in job.lines.items():
        for side in job.sides:
            name = f"{split}.{job.name}{'-None' if len(job.sides) == 1 else ''}.{side}"
            with open(job.folder / f"{name}.idx", "rb") as index:
                _, _, _, found = _INDEX_HEADER.unpack(index.read(_INDEX_HEADER.size))
            if found != expected:
                raise InputError(f"fairseq-preprocess wrote {found} of {expected} sentences to {name}; try --workers 1")
