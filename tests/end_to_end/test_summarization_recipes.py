"""The summarization recipe of the paper's size on a tiny local mirror of its files; the other one: tests/learning."""

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

from tests.summarization_mirror import make_mirror

ROOT = Path(__file__).resolve().parents[2]


def environment(folder, **more):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "JOBS": "2", "THREADS": "1", "WORK": str(folder / "work"),
            "CONFIG": str(folder / "config.sh"), "MIRROR": f"file://{folder}/mirror", **more}  # fmt: skip


def run_recipe(name, folder, *words, **more):
    command = ["bash", ROOT / "examples" / f"summarization_{name}" / "run.sh", *words]
    return subprocess.run(
        command, env=environment(folder, **more), capture_output=True, text=True, timeout=1200, check=False
    )


def check_result(folder, settings, paper, systems=("lead", "scratch", "mass")):
    """Every system in every setting has the three metrics with intervals; MASS has the paper's numbers beside it."""
    result = json.loads((folder / "work" / "result.json").read_text())
    found = {(score["setting"], score["system"], score["metric"]): score for score in result["scores"]}
    metrics = ("ROUGE-1", "ROUGE-2", "ROUGE-L")
    assert set(found) == {(s, system, m) for s in settings for system in systems for m in metrics}
    for (setting, system, metric), score in found.items():
        ((low, high),) = score["intervals"]
        assert low <= score["mean"] <= high and "stem:porter" in score["signature"]
        expected = paper[metrics.index(metric)] if paper and (setting, system) == ("all pairs", "mass") else None
        assert score["paper"] == expected
    pairs = set(combinations(systems, 2))
    tests = [(test["setting"], test["metric"], (test["baseline"], test["system"])) for test in result["comparisons"]]
    assert len(tests) == len(set(tests)) == len(settings) * len(metrics) * len(pairs)
    assert {both for _, _, both in tests} == pairs
    return result


def test_gigaword_recipe_from_the_mirror_to_the_scores(tmp_path):
    """MASS alone; from scratch, too, and with all pairs: tests/learning."""
    make_mirror(tmp_path, "gigaword", pairs="40", more="SYSTEMS=(mass)")
    done = run_recipe("gigaword", tmp_path)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    result = check_result(tmp_path, ("40 pairs",), None, ("lead", "mass"))
    assert {score["signature"].split("|L:")[1].split("|")[0] for score in result["scores"]} == {"text"}
    (report,) = tmp_path.glob("work/wikipedia-text-*/data-bin/prepare.json")
    report = json.loads(report.read_text())
    assert report["flags"]["running_text"] and report["shards"] == 2
    assert report["corpora"][0]["lines_read"] == 60 * 7 and not report["corpora"][0]["dropped"]
    (folder,) = tmp_path.glob("work/gigaword-*")
    assert (folder / "test.source").read_text().count("\n") == 5  # of six, one has no source
    assert "<unk>" not in (folder / "train.source").read_text() and "UNK" in (folder / "train.source").read_text()
