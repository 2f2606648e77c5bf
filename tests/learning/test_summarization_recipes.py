"""The recipes of the paper's size on tiny local mirrors, down to the score."""

import json
import os
import signal
import subprocess

import pytest

from tests.end_to_end.test_summarization_recipes import ROOT, check_result, environment, run_recipe
from tests.summarization_mirror import make_mirror, sentences


def test_cnndm_in_parts(tmp_path):
    """Text, pre-training, then the rest; articles and highlights are apart, and each ends a sentence."""
    make_mirror(tmp_path, "cnndm")
    for goal in (("pretrain",), ("text",), ()):
        done = run_recipe("cnndm", tmp_path, *goal)
        assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    result = check_result(tmp_path, ("all pairs",), (42.12, 19.50, 39.01))
    assert all("|L:summary|" in score["signature"] for score in result["scores"])
    (folder,) = tmp_path.glob("work/cnndm-*")
    counts = {split: (folder / f"{split}.source").read_text().count("\n") for split in ("train", "valid", "test")}
    assert counts == {"train": 36, "valid": 6, "test": 6}
    text = (folder / "train.source").read_text() + (folder / "train.target").read_text()
    assert "@highlight" not in text and all(line.endswith((" .", ".")) for line in text.splitlines())


def test_gigaword_in_two_processes(tmp_path):
    make_mirror(tmp_path, "gigaword", pairs="40 all", more="GPUS_OF_FINE_TUNING=2")
    launch = {"LAUNCH": "torchrun --standalone --nproc_per_node 2", "PROCESSES": "2"}
    done = run_recipe("gigaword", tmp_path, **launch)
    assert done.returncode == 0, done.stdout + done.stderr
    check_result(tmp_path, ("40 pairs", "all pairs"), (38.73, 19.71, 35.96))
    again = run_recipe("gigaword", tmp_path, **launch)
    assert again.returncode == 0 and "starts" not in again.stdout
    wrong = run_recipe("gigaword", tmp_path, "everything")
    assert wrong.returncode == 1 and "there is no everything" in wrong.stderr
    uneven = run_recipe("gigaword", tmp_path, PROCESSES="3")
    assert uneven.returncode == 1 and "can't be shared by 3 processes" in uneven.stderr


SMALL = """
source "{root}/examples/{name}/config.sh"
CHECKSUMS="" VALID=4 VOCABULARY=150 LONGEST=60
MODEL+=(--encoder-layers 1 --decoder-layers 1)
PRETRAINING+=(--max-update 3 --max-tokens 512 --save-interval-updates 2)
PAIRS=(20 all)
UPDATES=([20]=5 [all]=5)
GENERATION+=(--beam 2 --min-len 2 --max-len 8)
"""


@pytest.mark.parametrize("name", ["aeslc", "scitldr"])
def test_small_recipes_from_raw_text_to_result(name, tmp_path):
    """Cut off in pre-training, then run to its end, by hand-made files in the forms of their sets."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for split, count in (("train", 60), ("dev", 12)):
        texts = [sentences(4, f"{split}{n}") for n in range(count)]
        if name == "aeslc":
            rows = [{"id": f"m_{n}", "body": ".\n".join(t), "subject": t[0][:20]} for n, t in enumerate(texts)]
        else:
            rows = [{"source": [f"{line}." for line in t], "target": [t[0], t[1]]} for t in texts]
        (raw / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (raw / "corpus_train.csv").write_text("doc_id,title,abstract,structured\n1,T,\"['Some words.'\n 'More.']\",False\n")
    (tmp_path / "config.sh").write_text(SMALL.format(root=ROOT, name=f"summarization_{name}"))
    first = subprocess.Popen(
        ["bash", ROOT / "examples" / f"summarization_{name}" / "run.sh", "pretrain"],
        env=environment(tmp_path, DATA=str(raw)), stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    for line in first.stdout:
        if b"pretraining" in line:
            os.kill(first.pid, signal.SIGINT)
            break
    first.communicate(timeout=300)
    assert first.returncode == 130 and not list(tmp_path.glob("work/pretraining-*/.done"))
    done = run_recipe(name, tmp_path, DATA=str(raw))
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    result = check_result(tmp_path, ("20 pairs", "all pairs"), None)
    assert {score["signature"].split("|")[0] for score in result["scores"]} == {
        "nrefs:1" if name == "aeslc" else "nrefs:2"
    }
    again = run_recipe(name, tmp_path, DATA=str(raw))
    assert again.returncode == 0 and "starts" not in again.stdout
