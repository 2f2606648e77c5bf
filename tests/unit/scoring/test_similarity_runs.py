"""Runs of encoders become result.json: means over seeds, a row a set, paired tests against baselines."""

import json

import numpy as np
import pytest

from mass_plugins.data.json_file import write_json
from mass_plugins.errors import InputError
from mass_plugins.scoring.similarity import evaluate
from mass_plugins.scoring.similarity_runs import compare_runs, main, read_run, run_record, score_runs
from mass_plugins.scoring.similarity_sets import PairSet


def sets():
    rng = np.random.default_rng(0)
    texts = {name: [[f"{name}{side}{n}" for n in range(60)] for side in "ab"] for name in ("one", "two")}
    return [PairSet(name, *sides, rng.normal(size=60), (name,)) for name, sides in texts.items()]


def record(path, system, seed, noise, seconds=None, which=None):
    """A run whose cosines are the gold scores with noise."""
    chosen, rng = which or sets(), np.random.default_rng(seed)
    angle = {
        text: np.arctan(score + noise * rng.normal()) if side else np.pi / 2
        for pairs in chosen
        for side, texts in enumerate((pairs.first, pairs.second))
        for text, score in zip(texts, pairs.gold)
    }
    encode = lambda texts: np.array([[np.sin(angle[text]), -np.cos(angle[text])] for text in texts])  # noqa: E731
    write_json(path, run_record(system, seed, evaluate(encode, chosen, samples=20), chosen, seconds))
    return path


@pytest.fixture
def runs(tmp_path):
    files = [record(tmp_path / "before.json", "mlm", 1, 3.0)]
    for seed in (1, 2):
        files.append(record(tmp_path / f"after.{seed}.json", "mirror", seed, 0.3, seconds=10.0 + seed))
    return files


def test_a_run_read_again_is_the_same(runs):
    found = read_run(runs[1])
    assert (found.system, found.seed, found.seconds) == ("mirror", 1, 11.0)
    assert [score.name for score in found.scores] == ["one", "two", "average"]
    assert found.scores[-1].parts == ("one", "two") and set(found.cosines) == set(found.gold) == {"one", "two"}


def test_scores_by_set_and_average_over_seeds(runs):
    read = [read_run(path) for path in runs]
    scores = {(score.system, score.setting): score for score in score_runs(read, {("mirror", "average"): 74.3})}
    assert set(scores) == {(s, n) for s in ("mlm", "mirror") for n in ("one", "two", "average")} | {
        ("mirror", "training")
    }
    average = scores["mirror", "average"]
    assert average.seeds == [1, 2] and average.metric == "spearman" and average.paper == 74.3
    assert average.values == [run.scores[-1].spearman for run in read[1:]]
    assert "sets:one+two|pairs:120" in average.signature and scores["mlm", "average"].paper is None
    assert scores["mirror", "training"].values == [11.0, 12.0] and scores["mirror", "training"].metric == "seconds"
    assert average.mean == pytest.approx((scores["mirror", "one"].mean + scores["mirror", "two"].mean) / 2)


def test_a_better_system_is_significantly_better_and_itself_is_not(runs, tmp_path):
    read = [read_run(path) for path in runs]
    (test,) = compare_runs(read, samples=200)
    assert (test["system"], test["baseline"], test["seeds"]) == ("mirror", "mlm", [1, 2])
    assert min(test["differences"]) > 10 and max(test["p_values"]) < 0.05
    same = read_run(record(tmp_path / "same.json", "same", 1, 3.0))
    (again,) = compare_runs([read[0], same], samples=200)
    assert again["differences"] == [0.0] and again["p_values"] == [1.0]


def test_scores_keep_their_intervals_and_the_fastest_training_is_the_best(runs):
    scores = {(s.system, s.setting): s for s in score_runs([read_run(path) for path in runs])}
    average = scores["mirror", "average"]
    assert average.intervals == [(r.scores[-1].low, r.scores[-1].high) for r in map(read_run, runs[1:])]
    assert all(low < value < high for (low, high), value in zip(average.intervals, average.values))
    assert scores["mirror", "training"].record()["lower_is_better"] and not average.lower_is_better


def test_each_system_has_the_baseline_that_is_named(runs, tmp_path):
    """A baseline by seed, one that has a single run, a system with two; what has no run yet is left out."""
    files = [*runs, *(record(tmp_path / f"peer.{seed}.json", "peer", seed, 1.0) for seed in (1, 2))]
    against = [("mirror", "mlm"), ("peer", "mirror"), ("peer", "mlm"), ("late", "mlm"), ("mirror", "late")]
    read = [read_run(path) for path in files]
    found = compare_runs(read, against, samples=50)
    assert [(test["system"], test["baseline"]) for test in found] == against[:3]
    average = {(run.system, run.seed): run.scores[-1].spearman for run in read}
    by_seed = [average["peer", seed] - average["mirror", seed] for seed in (1, 2)]
    assert found[1]["differences"] == [round(value, 2) for value in by_seed] and max(by_seed) < 0
    assert found[2]["differences"] == [round(average["peer", seed] - average["mlm", 1], 2) for seed in (1, 2)]


def test_runs_on_different_pairs_are_not_mixed(runs, tmp_path):
    shorter = [
        pairs._replace(first=pairs.first[:50], second=pairs.second[:50], gold=pairs.gold[:50]) for pairs in sets()
    ]
    other = record(tmp_path / "other.json", "mirror", 3, 0.3, which=shorter)
    with pytest.raises(InputError, match=r"one: spearman of .*pairs:60\|.* \(.*other.json\) by .*pairs:50\|"):
        score_runs([read_run(path) for path in (*runs, other)])


@pytest.mark.parametrize("part", [slice(50), slice(None, None, -1)], ids=["fewer", "another order"])
def test_systems_on_different_pairs_are_not_compared(part, runs, tmp_path):
    """The bootstrap draws the pairs of both systems alike: they must be the same ones."""
    first, *others = sets()
    changed = first._replace(first=first.first[part], second=first.second[part], gold=first.gold[part])
    other = read_run(record(tmp_path / "other.json", "other", 1, 0.3, which=[changed, *others]))
    with pytest.raises(InputError, match=r"other \(seed 1\) and mlm \(seed 1\) are of different pairs of one") as error:
        compare_runs([read_run(runs[0]), other], samples=20)
    assert "\n" not in str(error.value)


def test_main_writes_the_result(runs, tmp_path, capsys):
    example, output = tmp_path / "mirror", tmp_path / "result.json"
    example.mkdir()
    (example / "config.sh").write_text("x=1\n")
    words = [
        *map(str, runs),
        "--example",
        str(example),
        "--config",
        str(example / "config.sh"),
        "--output",
        str(output),
    ]
    words += ["--claim", "It helps", "--status", "scaled down", "--seconds", "5"]
    assert main([*words, "--paper", "mirror:average=74.3"]) == 0
    result = json.loads(output.read_text())
    assert result["example"] == "mirror" and len(result["scores"]) == 7 and len(result["comparisons"]) == 1
    assert main([*words, "--paper", "mirror"]) == 1 and "SYSTEM:SET=NUMBER" in capsys.readouterr().err
    assert main([*words, "--compare", "mirror=mirror"]) == 1 and "SYSTEM=BASELINE" in capsys.readouterr().err
    runs[0].write_text("{}")
    assert main(words) == 1 and "is not a run of" in capsys.readouterr().err
