"""result.json of encoders' runs."""

import json

import pytest

from mass_plugins.errors import InputError
from mass_plugins.scoring import encoder_runs


def write(folder, name, rows):
    lines = []
    for number, (system, seed, value) in enumerate(rows):
        file = folder / f"{name}.{number}.json"
        file.write_text(json.dumps({"average": value, "signature": "accuracy|x"}))
        lines.append(f"{system}\t{seed}\ttatoeba, zero-shot\taccuracy\t{file}\n")
    (folder / f"{name}.tsv").write_text("".join(lines))
    return folder / f"{name}.tsv"


def test_seeds_become_one_score(tmp_path):
    runs = [write(tmp_path, "a", [("msm", 1, 40.0), ("mlm", 1, 20.0)]), write(tmp_path, "b", [("msm", 2, 44.0)])]
    scores = {score.system: score for score in encoder_runs.read_scores(runs)}
    assert scores["msm"].values == [40.0, 44.0] and scores["msm"].seeds == [1, 2] and scores["msm"].mean == 42
    assert scores["mlm"].values == [20.0]


def test_result(tmp_path):
    example = tmp_path / "example"
    example.mkdir()
    (example / "config.sh").write_text("x")
    words = [str(write(tmp_path, "a", [("msm", 1, 40.0)])), "--example", str(example), "--claim", "c"]
    words += ["--status", "scaled down", "--config", str(example / "config.sh"), "--seconds", "3"]
    assert encoder_runs.main([*words, "--output", str(tmp_path / "result.json")]) == 0
    score = json.loads((tmp_path / "result.json").read_text())["scores"][0]
    assert (score["system"], score["metric"], score["values"]) == ("msm", "accuracy", [40.0])


def test_tatoeba_each_way(tmp_path):
    pairs = {"de": {"forward": 10.0, "backward": 20.0}, "fr": {"forward": 30.0, "backward": 60.0}}
    content = {"average": 30.0, "signature": "a", "pairs": pairs}
    found = [encoder_runs.find_number(content, f"accuracy{way}")[0] for way in ("", ", forward", ", backward")]
    assert found == [30, 20, 40]
    with pytest.raises(KeyError):
        encoder_runs.find_number(content, "accuracy, sideways")


def test_numbers_of_rankings_and_of_xor_retrieve(tmp_path):
    """The mean over queries; the mean over languages."""
    rankings = {"signatures": {"MRR@100": "rr"}, "queries": {"run": {"MRR@100": {"q1": 50.0, "q2": 0.0}}}}
    answers = {"signatures": {"R@2kt": "a", "R@5kt": "b"}, "recall": {"R@5kt": {"all": 30.0, "ja": 40.0, "fi": 20.0}}}
    for name, content in (("m", rankings), ("x", answers)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    run = tmp_path / "a.tsv"
    run.write_text(f"msm\t1\tmr\tMRR@100\t{tmp_path}/m.json\nmsm\t1\txor\tR@5kt\t{tmp_path}/x.json\n")
    found = encoder_runs.read_scores([run])
    assert [(score.metric, score.values, score.signature) for score in found] == [
        ("MRR@100", [25.0], "rr"), ("R@5kt", [30.0], "b"),
    ]  # fmt: skip
    run.write_text(f"msm\t1\tmr\tnDCG@10\t{tmp_path}/m.json\n")
    with pytest.raises(InputError, match="holds no score"):
        encoder_runs.read_scores([run])


def test_bad_runs(tmp_path, capsys):
    (tmp_path / "a.tsv").write_text("msm\t1\n")
    with pytest.raises(InputError, match="has 2 columns"):
        encoder_runs.read_scores([tmp_path / "a.tsv"])
    (tmp_path / "b.tsv").write_text(f"msm\t1\ts\tm\t{tmp_path}/none.json\n")
    with pytest.raises(InputError, match="holds no score"):
        encoder_runs.read_scores([tmp_path / "b.tsv"])
