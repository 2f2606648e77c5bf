"""From result.json to the README and the cards."""

import json
from pathlib import Path

import pytest

from mass_plugins.scoring import results
from mass_plugins.scoring.result import Result, Score

ROOT = Path(__file__).resolve().parents[3]


def record(values, folder, paper=None):
    scores = [
        Score("scratch", "de-en", "BLEU", "sig", [10.0], [1]),
        Score("mass", "de-en", "BLEU", "sig", values, list(range(len(values))), paper),
    ]
    test = {"setting": "de-en", "system": "mass", "baseline": "scratch", "seeds": [1], "differences": [10.0]}
    test |= {"p_values": [0.001], "test": "paired bootstrap", "signature": "bs"}
    result = Result("toy", "a claim", "scaled down", "bash run.sh", [folder / "config.sh"], 1, scores, [test])
    return result.record(folder) | {"hardware": "h", "commit": "0123456789abc", "dirty": True}


def test_readme_and_card_are_rebuilt_between_the_marks(tmp_path, capsys):
    folder = tmp_path / "examples" / "toy"
    folder.mkdir(parents=True)
    (folder / "config.sh").write_text("UPDATES=3\n")
    (folder / "result.json").write_text(json.dumps(record([20.0, 22.0], folder, paper=37.5)))
    marks = f"{results.BEGIN}\nold\n{results.END}\nafter\n"
    (tmp_path / "README.md").write_text(f"before\n{marks}")
    (folder / "README.md").write_text(f"before\n\n**Outcome:** MASS is\nahead.\n\n{marks}")
    assert results.main(["--root", str(tmp_path), "--check"]) == 1
    assert results.main(["--root", str(tmp_path)]) == 0
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [[word.strip() for word in line if word] for line in lines] == [
        ["example", "setting", "metric", "system", "mean", "paper", "seeds"],
        ["toy", "de-en", "BLEU", "scratch", "10.0", "1"],
        ["mass", "21.0 ± 1.4", "37.5", "2"],
        [],
        ["2 of 2 pages changed"],
    ]
    text, card = ((path / "README.md").read_text() for path in (tmp_path, folder))
    for page in (text, card):
        assert "old" not in page and page.startswith("before\n") and page.endswith(f"{results.END}\nafter\n")
    assert "| de-en, BLEU | 10.0 | **21.0 ± 1.4** (paper 37.5) |" in text
    assert "[toy](examples/toy/README.md)" in text and "`sig`" in text
    assert "| de-en | mass | BLEU | 21.0 ± 1.4 (paper 37.5) | 20.00, 22.00 | 0, 1 |" in card
    assert "| de-en | mass less scratch | +10.00 | 0.001 |" in card and "0123456789 with changes" in card
    assert results.main(["--root", str(tmp_path), "--check"]) == 0
    assert "scaled down. Claim" in text and "\n**Outcome:** MASS is ahead.\n" in text
    (folder / "config.sh").write_text("UPDATES=4\n")
    assert results.main(["--root", str(tmp_path), "--check"]) == 1
    assert results.main(["--root", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "\ntoy *    de-en" in printed and "\n* measured before its configuration changed\n" in printed
    changed = (tmp_path / "README.md").read_text()
    assert "scaled down; measured before its configuration changed. Claim" in changed
    assert "Measured before the configuration changed." in (folder / "README.md").read_text()


def test_tests_by_seed_and_over_all_seeds(tmp_path):
    """The first have a value and a p-value for each seed, the second an interval; no p-value is 0."""
    (tmp_path / "config.sh").touch()
    result = record([20.0], tmp_path) | {"seconds": 1}
    test = result["comparisons"][0]
    test |= {"differences": [1.5, -2.0], "p_values": [0.0004, 0.0316]}
    lines = results.details(result).splitlines()
    assert "| setting | difference | by seed | p-values |" in lines
    assert "| de-en | mass less scratch | +1.50, -2.00 | < 0.001, 0.032 |" in lines
    test |= {"differences": [-0.25], "p_values": [0.5335], "interval": [-0.98, 0.48]}
    lines = results.details(result).splitlines()
    assert "| setting | difference | value, 95 % interval | p-value |" in lines
    assert "| de-en | mass less scratch | -0.25 (-0.98 to +0.48) | 0.533 |" in lines


def test_a_card_without_an_outcome_is_refused(tmp_path, capsys):
    folder = tmp_path / "examples" / "toy"
    folder.mkdir(parents=True)
    (folder / "config.sh").write_text("UPDATES=3\n")
    (folder / "result.json").write_text(json.dumps(record([20.0], folder)))
    for readme in (tmp_path / "README.md", folder / "README.md"):
        readme.write_text(f"{results.BEGIN}\n{results.END}\n")
    assert results.main(["--root", str(tmp_path)]) == 1
    assert "lacks a paragraph that begins with **Outcome:**" in capsys.readouterr().err


@pytest.mark.parametrize("text, message", [("nothing", "lacks the marks"), (None, "doesn't exist")])
def test_a_readme_without_marks_is_refused(tmp_path, capsys, text, message):
    if text:
        (tmp_path / "README.md").write_text(text)
    assert results.main(["--root", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_a_mean_is_rounded_once():
    """19.745 is 19.75 in the record, which to one place would be 19.8."""
    record = Score("mass", "en-de", "BLEU", "s", [19.84, 19.65], [1, 2]).record()
    assert record["mean"] == pytest.approx(19.745, abs=0.006)
    result = {"example": "toy", "claim": "c", "status": "s", "hardware": "h", "comparisons": [], "scores": [record]}
    assert "| 19.7 ± 0.1 |" in results.table(result)
    assert "  19.7 ± 0.1" in results.overview([result], [False])


@pytest.mark.parametrize("lower_is_better, row", [(False, "| 1.0 | **2.0** |  |"), (True, "| **1.0** | 2.0 |  |")])
def test_the_best_of_several_is_bold_and_the_only_one_is_not(lower_is_better, row):
    scores = [
        Score(system, setting, "m", "s", [value], [1], lower_is_better=lower_is_better).record()
        for system, setting, value in (("a", "all", 1.0), ("b", "all", 2.0), ("c", "own", 3.0))
    ]
    result = {"example": "toy", "claim": "c", "status": "s", "hardware": "h", "comparisons": [], "scores": scores}
    found = results.table(result)
    assert f"| all, m {row}" in found and "| own, m |  |  | 3.0 |" in found


def test_the_readme_has_the_first_metric_of_each_setting_and_the_card_all():
    scores = [
        Score(system, setting, metric, f"signature of {metric}", [value], [1]).record()
        for system, value in (("a", 1.0), ("b", 2.0))
        for setting, metrics in (("words", ["ROUGE-1", "ROUGE-L"]), ("order", ["tau", "ROUGE-1"]))
        for metric in metrics
    ]
    result = {"example": "toy", "claim": "c", "status": "s", "hardware": "h", "comparisons": [], "scores": scores}
    result |= {"versions": {}, "commit": "", "dirty": False, "seconds": 1}
    rows = [line for line in results.table(result).splitlines() if line.startswith("|")]
    assert rows == [
        "| | a | b |",
        "|---|---|---|",
        "| words, ROUGE-1 | 1.0 | **2.0** |",
        "| order, tau | 1.0 | **2.0** |",
    ]
    assert results.table(result).endswith("\n\nROUGE-1: `signature of ROUGE-1`; tau: `signature of tau`; h.")
    card = results.details(result).splitlines()
    assert [line for line in card if line.startswith("| ") and "**" in line] == [
        f"| {row} | 1.0 | **2.0** |" for row in ("words, ROUGE-1", "words, ROUGE-L", "order, tau", "order, ROUGE-1")
    ]


def test_tables_are_in_the_order_of_the_list_of_examples(tmp_path):
    for name in ("a", "b", "c", "demo"):
        (tmp_path / "examples" / name).mkdir(parents=True)
        (tmp_path / "examples" / name / "result.json").write_text("{}")
    assert [file.parent.name for file in results.find_results(tmp_path)] == ["a", "b", "c", "demo"]
    (tmp_path / "examples" / "README.md").write_text("[demo](demo/README.md) [see](c/README.md) [B](b/README.md)\n")
    assert [file.parent.name for file in results.find_results(tmp_path)] == ["c", "b", "a", "demo"]


def test_examples_without_a_result_are_named(tmp_path):
    for name in ("b", "a", "run"):
        folder = tmp_path / "examples" / name
        folder.mkdir(parents=True)
        (folder / "README.md").write_text(f"**Outcome:** Good.\n\n{results.BEGIN}\n{results.END}\n")
    (folder / "config.sh").write_text("UPDATES=3\n")
    (folder / "result.json").write_text(json.dumps(record([20.0], folder)))
    (tmp_path / "README.md").write_text(f"{results.BEGIN}\n{results.END}\n")
    found = results.pages(tmp_path, results.find_results(tmp_path))
    assert set(found) == {tmp_path / "README.md", folder / "README.md"}
    named = "Not run yet: [a](examples/a/README.md), [b](examples/b/README.md)."
    assert found[tmp_path / "README.md"].endswith(f"\n\n{named}\n\n{results.END}\n")
    for name in "ab":
        (tmp_path / "examples" / name / "README.md").unlink()
    assert "Not run" not in results.pages(tmp_path, results.find_results(tmp_path))[tmp_path / "README.md"]


def test_the_pages_of_this_repository_are_up_to_date(capsys):
    """If not, run make results."""
    assert results.main(["--root", str(ROOT), "--check"]) == 0, capsys.readouterr().err
