"""``mass-plugins evaluate distinct``: its report, and its numbers in a file or alone on stdout."""

import json

from mass_plugins import cli


def test_report_and_numbers(tmp_path, capsys):
    (tmp_path / "answers").write_text("a a b\n")
    command = ["evaluate", "distinct", str(tmp_path / "answers")]
    assert cli.main([*command, "--json", str(tmp_path / "x.json")]) == 0
    report = capsys.readouterr().out
    assert report.startswith("distinct-1  66.67  (2 of 3)  n:1|") and "distinct-2  100.00  (2 of 2)" in report
    numbers = json.loads((tmp_path / "x.json").read_text())
    assert (numbers["distinct-1"]["different"], numbers["distinct-2"]["score"]) == (2, 100)
    assert cli.main([*command, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == numbers
