"""From recorded runs to result.json."""

import json

import pytest

from mass_plugins.scoring import translation_runs

REFERENCE = [f"the {n} dogs run over green grass today" for n in range(20)]


def write_run(folder, system, setting, seed, translation, *more):
    name = f"{system}.{setting}.{seed}".replace(" ", "")
    (folder / "reference.txt").write_text("\n".join(REFERENCE) + "\n")
    (folder / f"{name}.txt").write_text("\n".join(translation) + "\n")
    run = folder / f"{name}.tsv"
    cells = [system, setting, str(seed), str(folder / f"{name}.txt"), str(folder / "reference.txt"), *more]
    run.write_text("\t".join(cells))
    return run


@pytest.fixture
def example(tmp_path):
    folder = tmp_path / "examples" / "toy"
    folder.mkdir(parents=True)
    (folder / "config.sh").write_text("UPDATES=1")
    return folder


def score(example, runs, *flags, status="scaled down"):
    return translation_runs.main(
        [*map(str, runs), "--example", str(example), "--config", str(example / "config.sh"), "--claim", "a claim"]
        + ["--output", str(example / "result.json"), "--status", status, "--seconds", "7", *flags]
    )


def test_result_holds_values_by_seed_and_comparisons(example, tmp_path, capsys):
    worse = [line.replace("green", "red") for line in REFERENCE]
    runs = [
        write_run(tmp_path, "scratch", "de-en, 10 pairs", 1, worse),
        write_run(tmp_path, "mass", "de-en, 10 pairs", 1, REFERENCE),
        write_run(tmp_path, "scratch", "de-en, 10 pairs", 2, worse),
        write_run(tmp_path, "mass", "de-en, 10 pairs", 2, worse),
    ]
    assert score(example, runs) == 0
    result = json.loads((example / "result.json").read_text())
    scratch, mass = result["scores"]
    assert (scratch["system"], mass["system"], mass["setting"], mass["metric"]) == (
        "scratch", "mass", "de-en, 10 pairs", "BLEU",
    )  # fmt: skip
    assert mass["values"] == [100.0, scratch["values"][0]] and mass["seeds"] == [1, 2]
    assert mass["mean"] == pytest.approx((100 + scratch["values"][0]) / 2, abs=0.01)
    assert scratch["std"] == 0 and mass["std"] > 0
    (comparison,) = result["comparisons"]
    assert (comparison["system"], comparison["baseline"], comparison["seeds"]) == ("mass", "scratch", [1, 2])
    assert comparison["differences"][0] > 0 and comparison["p_values"][0] < 0.05
    assert comparison["differences"][1] == 0 and comparison["p_values"][1] > 0.05
    assert result["command"] == "bash examples/toy/run.sh" and result["seconds"] == 7
    assert {"python", "torch", "fairseq", "sacrebleu"} <= result["versions"].keys()
    assert "± " in capsys.readouterr().out


def test_both_metrics_with_their_signatures(example, tmp_path, capsys):
    """A score of each metric, over the same seeds; what differs in case alone is right where case doesn't count."""
    other = [line.replace("the", "The") for line in REFERENCE]
    runs = [write_run(tmp_path, "mass", "de-en", seed, other, "en") for seed in (1, 2)]
    assert score(example, runs, "--tokenized-bleu", "lowercased") == 0
    result = json.loads((example / "result.json").read_text())
    assert [row["metric"] for row in result["scores"]] == ["BLEU", "tokenized lower-cased BLEU"]
    assert all(row["seeds"] == [1, 2] and len(row["values"]) == 2 for row in result["scores"])
    plain, tokenized = result["scores"]
    assert plain["mean"] < tokenized["mean"] == 100
    assert "case:mixed|eff:no|tok:13a" in plain["signature"] and "case:lc|eff:no|tok:none" in tokenized["signature"]
    assert "tokenized lower-cased BLEU 100.0" in capsys.readouterr().out
    assert score(example, runs, "--tokenized-bleu", "cased") == 0
    cased = json.loads((example / "result.json").read_text())["scores"][1]
    assert cased["metric"] == "tokenized BLEU" and cased["mean"] == plain["mean"]


def test_the_papers_number_is_that_of_tokenized_bleu_if_it_is_scored(example, tmp_path):
    runs = [
        write_run(tmp_path, "mass", "de-en", 1, REFERENCE, "en", "35.2"),
        write_run(tmp_path, "mass", "en-de", 1, REFERENCE, "de"),
    ]
    for flags, numbers in (((), [35.2, None]), (("--tokenized-bleu", "cased"), [None, 35.2, None, None])):
        assert score(example, runs, *flags) == 0
        scores = json.loads((example / "result.json").read_text())["scores"]
        assert [row["paper"] for row in scores] == numbers


def test_tokenized_bleu_needs_the_language(example, tmp_path, capsys):
    run = write_run(tmp_path, "mass", "de-en", 1, REFERENCE)
    assert score(example, [run], "--tokenized-bleu", "cased") == 1
    assert "mass, de-en: --tokenized-bleu needs its language" in capsys.readouterr().err


def test_languages_of_one_setting_are_not_mixed(example, tmp_path, capsys):
    """Moses' rules differ, and so do the signatures."""
    runs = [write_run(tmp_path, "mass", "x", 1, REFERENCE, "en"), write_run(tmp_path, "copy", "x", 1, REFERENCE, "de")]
    assert score(example, runs, "--tokenized-bleu", "cased") == 1
    assert f"x: tokenized BLEU of mass ({runs[0]}) is measured by " in capsys.readouterr().err
    assert score(example, runs) == 0


def test_config_hash_follows_the_configuration(example, tmp_path):
    run = write_run(tmp_path, "mass", "x", 1, REFERENCE)
    hashes = []
    for text in ("a", "b", "a"):
        (example / "config.sh").write_text(text)
        assert score(example, [run]) == 0
        hashes.append(json.loads((example / "result.json").read_text())["config_hash"])
    assert hashes[0] == hashes[2] != hashes[1]


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda run, folder: run.write_text("mass\tx\t1\n"), "has 3 columns"),
        (lambda run, folder: (folder / "reference.txt").unlink(), "reference.txt doesn't exist"),
        (lambda run, folder: (folder / "reference.txt").write_text("a\n"), "has 20 lines, its reference"),
    ],
)
def test_runs_that_do_not_fit_are_named(example, tmp_path, capsys, damage, message):
    run = write_run(tmp_path, "mass", "x", 1, REFERENCE)
    damage(run, tmp_path)
    assert score(example, [run]) == 1
    assert message in capsys.readouterr().err and not (example / "result.json").exists()


def test_unknown_status_is_refused(example, tmp_path, capsys):
    assert score(example, [write_run(tmp_path, "mass", "x", 1, REFERENCE)], status="great") == 1
    assert "'great' is not one of reproduced" in capsys.readouterr().err
