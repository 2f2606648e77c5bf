"""result.json: the scores of an example with everything that they depend on, written by the scoring code.

Result(example, claim, ..., scores=[Score(...)]).write(path, folder of the example)
"""

import hashlib
import os
import platform
import statistics
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Optional, Sequence

from mass_plugins import doctor
from mass_plugins.data.json_file import write_json
from mass_plugins.errors import InputError

OPTIONAL = ("rouge-score", "transformers", "tokenizers", "safetensors", "sentence-transformers")  # where installed
STATUSES = ("reproduced", "scaled down", "not run")


@dataclass
class Score:
    """One system in one setting, over one or more seeds.

    Attributes:
        values, seeds: as many of each; ``values`` in the metric's own unit (BLEU: percent).
        paper: the paper's number for this setting, if it has one.
        intervals: of each value its (low, high), where the metric has them.
        lower_is_better: as of perplexity.
    """

    system: str
    setting: str
    metric: str
    signature: str
    values: list[float]
    seeds: list[int]
    paper: Optional[float] = None
    intervals: list[tuple[float, float]] = field(default_factory=list)
    lower_is_better: bool = False

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def std(self) -> float:
        """Standard deviation of the sample; 0 with one seed."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0

    def record(self) -> dict:
        rounded = {"mean": round(self.mean, 2), "std": round(self.std, 2)}
        record = {**asdict(self), "values": [round(value, 2) for value in self.values], **rounded}
        record["intervals"] = [[round(bound, 2) for bound in interval] for interval in self.intervals]
        for name in ("intervals", "lower_is_better"):  # of some metrics only
            if not record[name]:
                del record[name]
        return record


@dataclass
class Result:
    """What ``result.json`` holds.

    Attributes:
        example: name of the folder.
        command: what to run from the top of the repository.
        config: the files that fix the experiment.
        seconds: of all stages added up, whether they ran at the same time or not.
        comparisons: paired significance tests, a dict each.
    """

    example: str
    claim: str
    status: str
    command: str
    config: list[Path]
    seconds: int
    scores: list[Score]
    comparisons: list[dict] = field(default_factory=list)

    def __post_init__(self):
        if self.status not in STATUSES:
            raise InputError(f"status {self.status!r} is not one of {', '.join(STATUSES)}; fix STATUS in config.sh")

    def record(self, folder: Path) -> dict:
        return {
            "example": self.example,
            "claim": self.claim,
            "status": self.status,
            "command": self.command,
            "config_hash": hash_of_files(self.config),
            "config_files": [_within(path, folder) for path in self.config],
            "seconds": self.seconds,
            **commit_of(folder),
            "versions": versions(),
            "hardware": hardware(),
            "scores": [score.record() for score in self.scores],
            "comparisons": self.comparisons,
        }

    def write(self, path: Path, folder: Path) -> None:
        """Write ``path`` at once: it is whole or as it was. ``folder``: the example's, in a repository or not."""
        write_json(path, self.record(folder))


def _within(path: Path, folder: Path) -> str:
    """Seen from the top of the repository, where the example's folder is ``examples/NAME``; else its name."""
    top, whole = folder.resolve().parents[1], path.resolve()
    return whole.relative_to(top).as_posix() if whole.is_relative_to(top) else whole.name


def configuration_changed(result: dict, top: Path) -> bool:
    """Whether the files that fixed a result are others than those in the repository at ``top`` now."""
    files = [top / name for name in result.get("config_files", [])]
    return not all(file.is_file() for file in files) or hash_of_files(files) != result.get("config_hash")


def hash_of_files(paths: Sequence[Path]) -> str:
    """A short fingerprint of the contents, in the given order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def commit_of(folder: Path) -> dict:
    """The commit that is checked out in ``folder`` and whether tracked files differ from it."""

    def git(*words: str) -> Optional[str]:
        try:
            done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)examples/*/result.json")
    return {"commit": commit, "dirty": None if commit is None else bool(changed)}


def versions() -> dict:
    packages = ["torch", "fairseq-fixed", "numpy", "sacrebleu", "sentencepiece", "subword-nmt", "sacremoses"]
    packages += [package for package in OPTIONAL if doctor.version_of(package)]
    found = {package.removesuffix("-fixed"): doctor.version_of(package) for package in packages}
    return {"python": platform.python_version(), **found}


def hardware() -> str:
    """Like ``4 x AMD EPYC 7763, no GPU``."""
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{os.cpu_count()} x {doctor.cpu_name()}, {' + '.join(gpus) if gpus else 'no GPU'}"
