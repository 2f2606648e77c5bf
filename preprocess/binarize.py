"""Sub-word text -> fairseq's binary files, by the real ``fairseq-preprocess``, several runs at a time."""

import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mass_plugins.errors import InputError

_INDEX_HEADER = struct.Struct("<9sQBQ")  # magic, version, type of the ids, number of sentences
_TOGETHER = 8  # processes with torch imported take 400 MB each


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
    together = max(1, min(len(jobs), workers, _TOGETHER))
    with ThreadPoolExecutor(together) as pool:
        for _ in pool.map(lambda job: _run(job, dictionary, max(1, workers // together)), jobs):
            pass
    for job in jobs:
        _check(job)
        (job.folder / "preprocess.log").unlink(missing_ok=True)  # names temporary files


def _run(job: Job, dictionary: Path, workers: int) -> None:
    source, *target = job.languages
    command = [sys.executable, "-m", "fairseq_cli.preprocess", "--source-lang", source, "--srcdict", str(dictionary)]
    command += ["--target-lang", target[0], "--tgtdict", str(dictionary)] if target else ["--only-source"]
    command += ["--destdir", str(job.folder), "--workers", str(workers)]
    for split, prefix in job.prefixes.items():
        command += [f"--{split}pref", str(prefix)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    if done.returncode:
        output = done.stdout.decode("utf-8", "replace")
        sys.stderr.write(output)
        last = (output.strip().split("\n") or [""])[-1]
        raise InputError(
            f"fairseq-preprocess ended with status {done.returncode} ({last}); its output is above, "
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
