"""Sub-word text -> fairseq's binary files, by the real ``fairseq-preprocess``."""

import json
import os
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

    languages: tuple[str, ...]
    prefixes: dict[str, Path]  # split -> prefix of the sub-word text, PREFIX.<language>
    lines: dict[str, int]  # split -> how many there must be in the end
    folder: Path


def binarize(jobs: list[Job], dictionary: Path, workers: int) -> None:
    """Run all jobs and check what they wrote.

    Raises:
        InputError: ``fairseq-preprocess`` failed; its output goes to stderr.
    """
    _run([_arguments(job, dictionary, workers) for job in jobs])
    for job in jobs:
        _check(job)
        (job.folder / "preprocess.log").unlink(missing_ok=True)  # names temporary files


def _arguments(job: Job, dictionary: Path, workers: int) -> list[str]:
    source, *target = job.languages
    arguments = ["--source-lang", source, "--srcdict", str(dictionary)]
    arguments += ["--target-lang", target[0], "--tgtdict", str(dictionary)] if target else ["--only-source"]
    for split, prefix in job.prefixes.items():
        arguments += [f"--{split}pref", str(prefix)]
    useful = 1 + max(job.lines.values()) // LINES_A_WORKER
    return [*arguments, "--destdir", str(job.folder), "--workers", str(min(workers, useful))]


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
        for language in job.languages:
            name = f"{split}.{job.languages[0]}-{'None' if len(job.languages) == 1 else job.languages[1]}.{language}"
            with open(job.folder / f"{name}.idx", "rb") as index:
                _, _, _, found = _INDEX_HEADER.unpack(index.read(_INDEX_HEADER.size))
            if found != expected:
                raise InputError(f"fairseq-preprocess wrote {found} of {expected} sentences to {name}; try --workers 1")
