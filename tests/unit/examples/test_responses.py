"""The recipes of response generation: what they say where text is missing."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("missing", ["dialogues_train.txt", "dialogues_validation.txt"])
def test_a_missing_file_is_named(missing, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("dialogues_train.txt", "dialogues_validation.txt", "self_dialogue.train.jsonl"):
        if name != missing:
            (data / name).write_text("a\n")
    for name in ("python", "fairseq-train"):  # nothing is computed
        (tmp_path / name).write_text("#!/bin/sh\necho 0\n")
        (tmp_path / name).chmod(0o755)
    command = ["bash", ROOT / "examples" / "response_generation_dailydialog" / "run.sh"]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WORK": str(tmp_path / "work"), "DATA": str(data)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (
        done.returncode and done.stderr.splitlines()[0] == f"error: DATA={data} has neither {missing} nor {missing}.xz"
    )
