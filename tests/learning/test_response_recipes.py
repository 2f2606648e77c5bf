"""The recipes of response generation, on tiny made-up files in the real formats, from the raw text to the scores."""

import json
import subprocess

from tests.dialogue_mirror import make_mirror
from tests.end_to_end.test_recipes import ROOT, recipe_environment

METRICS = {"perplexity", "BLEU", "distinct-1", "distinct-2"}


def run_recipe(name, folder, *words, **more):
    environment = recipe_environment(WORK=folder / "work", CONFIG=folder / "config.sh", **more)
    command = ["bash", ROOT / "examples" / name / "run.sh", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    return json.loads((folder / "work" / "result.json").read_text()), done.stdout


def check(result, settings, systems=("scratch", "mass")):
    found = {(score["setting"], score["system"], score["metric"]): score for score in result["scores"]}
    assert set(found) == {(s, system, m) for s in settings for system in systems for m in METRICS}
    for (_, _, metric), score in found.items():
        assert score.get("lower_is_better", False) == (metric == "perplexity")
        assert ("dict:" in score["signature"]) == (metric == "perplexity")
    assert all(score["mean"] > 1 for key, score in found.items() if key[2] == "perplexity")
    return found


def test_cornell_from_the_mirror_to_the_scores(tmp_path):
    make_mirror(tmp_path)
    result, _ = run_recipe("response_generation_cornell", tmp_path, MIRROR=f"file://{tmp_path}/mirror", PROCESSES="1")
    found = check(result, ("20 pairs", "all pairs"))
    assert found["20 pairs", "mass", "perplexity"]["paper"] == 74.32
    assert found["20 pairs", "mass", "BLEU"]["paper"] is None
    (folder,) = tmp_path.glob("work/movies-*")
    assert {s: (folder / f"{s}.source").read_text().count("\n") for s in ("train", "valid", "test")} == {
        "train": 38, "valid": 10, "test": 12,
    }  # fmt: skip
    _, said = run_recipe("response_generation_cornell", tmp_path, MIRROR=f"file://{tmp_path}/mirror", PROCESSES="1")
    assert "starts" not in said


def test_dailydialog_from_raw_text_to_result(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    turns = [f"word{n % 7} word{n % 5} and word{n % 11} ." for n in range(400)]
    for name, start, count in (("train", 0, 60), ("validation", 240, 12)):
        rows = [" __eou__ ".join(turns[start + 4 * n : start + 4 * n + 4]) + " __eou__" for n in range(count)]
        (raw / f"dialogues_{name}.txt").write_text("".join(f"{row}\n" for row in rows))
    lines = [json.dumps({"turns": turns[n : n + 10]}) for n in range(0, 200, 10)]
    (raw / "self_dialogue.train.jsonl").write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "config.sh").write_text(
        f'source "{ROOT}/examples/response_generation_dailydialog/config.sh"\nCHECKSUMS=""\n'
        "VALID=4 VOCABULARY=60 BEAM=2\n"
        "MODEL+=(--encoder-layers 1 --decoder-layers 1)\nPRETRAINING+=(--max-update 3 --save-interval-updates 2)\n"
        'PAIRS=(20 all)\nSEEDS=([20]="1 2" [all]=1)\n'
        "for name in ${SYSTEMS[@]}; do for pairs in ${PAIRS[@]}; do UPDATES[$name.$pairs]=10; done; done\n"
    )
    result, _ = run_recipe("response_generation_dailydialog", tmp_path, DATA=raw)
    found = check(result, ("20 pairs", "all pairs"), ("scratch", "scratch-long", "mass"))
    assert found["20 pairs", "mass", "perplexity"]["seeds"] == [1, 2]
    (settings,) = tmp_path.glob("work/pairs-all-*/data-bin/dialogue.json")
    assert json.loads(settings.read_text())["turns"] == 3
