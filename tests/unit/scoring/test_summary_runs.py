"""result.json of summaries and of responses, from recorded runs."""

import json

import pytest

from mass_plugins.scoring import response_runs, results, summary_runs

REFERENCE = [f"the meeting of group {n} is moved to room {n % 3}" for n in range(20)]
GOOD = [f"meeting of group {n} is moved" for n in range(20)]
POOR = ["hello to all of you"] * 20


@pytest.fixture
def record(tmp_path):
    """record(system, setting, seed, texts, *more) → the file of a run."""
    folder = tmp_path / "examples" / "toy"
    folder.mkdir(parents=True)
    (folder / "config.sh").write_text("UPDATES=1")
    (tmp_path / "reference.txt").write_text("".join(f"{line}\n" for line in REFERENCE))

    def write(system, setting, seed, texts, *more):
        name = f"{system}-{setting}-{seed}"
        (tmp_path / f"{name}.txt").write_text("".join(f"{line}\n" for line in texts))
        cells = (system, setting, str(seed), str(tmp_path / f"{name}.txt"), str(tmp_path / "reference.txt"), *more)
        (tmp_path / f"{name}.tsv").write_text("\t".join(cells) + "\n")
        return tmp_path / f"{name}.tsv"

    return write


def score(module, tmp_path, runs, *flags):
    folder = tmp_path / "examples" / "toy"
    words = ["--example", folder, "--config", folder / "config.sh", "--output", folder / "result.json"]
    status = module.main(
        [*map(str, [*runs, *words]), "--claim", "c", "--status", "scaled down", "--seconds", "1", *flags]
    )
    return status, json.loads((folder / "result.json").read_text()) if status == 0 else None


def test_summaries_have_intervals_papers_numbers_and_comparisons(record, tmp_path):
    runs = [
        record("lead", "10 pairs", 0, POOR), record("scratch", "10 pairs", 1, POOR),
        record("mass", "10 pairs", 1, GOOD, "en", "38.73/19.71/35.96"), record("mass", "10 pairs", 2, GOOD, "en"),
    ]  # fmt: skip
    status, result = score(summary_runs, tmp_path, runs)
    assert status == 0
    found = {(row["system"], row["metric"]): row for row in result["scores"]}
    assert found["mass", "ROUGE-2"]["paper"] == 19.71 and found["mass", "ROUGE-2"]["seeds"] == [1, 2]
    for row in result["scores"]:
        assert all(low <= value <= high for value, (low, high) in zip(row["values"], row["intervals"]))
    tests = {(test["metric"], test["baseline"], test["system"]): test for test in result["comparisons"]}
    assert len(tests) == 9 and tests["ROUGE-1", "lead", "mass"]["seeds"] == [1, 2]  # the lead has no seed
    assert tests["ROUGE-1", "scratch", "mass"]["seeds"] == [1]
    assert tests["ROUGE-1", "scratch", "mass"]["p_values"][0] < 0.05
    card = results.details(result)
    assert (
        "ROUGE-1) | +" in card
        and "| 10 pairs | mass | ROUGE-1 | 75.0 ± 0.0 (paper 38.73) | 75.00 [75.00, 75.00]," in card
    )
    _, summary = score(summary_runs, tmp_path, runs, "--summary-level")
    assert all("|L:summary|" in row["signature"] for row in summary["scores"])


def test_several_references_are_between_tabs(record, tmp_path):
    (tmp_path / "reference.txt").write_text("".join(f"nothing alike\t{line}\n" for line in REFERENCE))
    status, result = score(summary_runs, tmp_path, [record("mass", "x", 1, REFERENCE)])
    assert status == 0 and {row["mean"] for row in result["scores"]} == {100.0}
    assert result["scores"][0]["signature"].startswith("nrefs:2|")


def test_runs_with_other_numbers_of_references_are_not_mixed(record, tmp_path, capsys):
    runs = [record("mass", "x", 1, GOOD), record("mass", "x", 2, GOOD)]
    (tmp_path / "two.txt").write_text("".join(f"nothing alike\t{line}\n" for line in REFERENCE))
    runs[1].write_text(runs[1].read_text().replace("reference.txt", "two.txt"))
    status, _ = score(summary_runs, tmp_path, runs)
    assert status == 1 and f"({runs[1]}) by nrefs:2|" in capsys.readouterr().err


def test_wrong_papers_numbers_are_told(record, tmp_path, capsys):
    status, _ = score(summary_runs, tmp_path, [record("mass", "x", 1, GOOD, "en", "38.73")])
    assert status == 1 and "38.73 are 1 numbers" in capsys.readouterr().err


def test_of_perplexities_the_lowest_is_the_best(record, tmp_path, capsys):
    def measured(name, value, signature="s"):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"perplexity": value, "tokens": 9, "signature": signature}))
        return str(path)

    runs = [
        record("scratch", "10 pairs", 1, POOR, measured("a", 82.0)),
        record("mass", "10 pairs", 1, GOOD, measured("b", 74.0), "74.32"),
        record("mass", "10 pairs", 2, GOOD, measured("c", 76.0)),
    ]
    status, result = score(response_runs, tmp_path, runs)
    assert status == 0 and len(result["scores"]) == 8
    assert "| 10 pairs, perplexity | 82.0 | **75.0 ± 1.4** (paper 74.32) |" in results.table(result)
    assert "| 10 pairs, distinct-1 | 5.0 | **" in results.details(result)  # 5 words of 100
    other = record("mass", "10 pairs", 3, GOOD, measured("d", 10.0, "other sub-words"))
    assert score(response_runs, tmp_path, [*runs, other])[0] == 1
    assert "10 pairs: perplexity of scratch" in capsys.readouterr().err
    assert score(response_runs, tmp_path, [record("mass", "y", 1, GOOD)])[0] == 1
    assert "holds no perplexity" in capsys.readouterr().err
