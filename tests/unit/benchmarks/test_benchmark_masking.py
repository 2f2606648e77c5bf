"""The peer is the same function, and the program runs through and writes its records."""

import json

import numpy as np
import pytest

from benchmarks import masking
from benchmarks.harness.pairs import Comparison, alternate
from mass_plugins.data.replacement import Replacement


@pytest.mark.parametrize("setting", masking.SETTINGS, ids=lambda setting: setting.name)
def test_the_loop_equals_the_masker(setting):
    rows = masking.make_sentences(setting._replace(sentences=min(setting.sentences, 30)), seed=3)
    masking.check_equality(rows, masking.make_masker(setting), seed=5)


def test_short_rows_are_equal_too():
    setting = masking.Setting("x", "span", 1, 1, Replacement(0.2, 0.2, 0.6))
    rows = [np.arange(masking.FIRST_WORD, masking.FIRST_WORD + length) for length in (1, 2, 3, 1)]
    masking.check_equality(rows, masking.make_masker(setting), seed=1)


def test_the_check_sees_a_difference(monkeypatch):
    setting = masking.SETTINGS[0]
    monkeypatch.setattr(masking.KeyedDraws, "placement", lambda self, window: [0.9, 0.0])
    with pytest.raises(AssertionError, match="differs"):
        masking.check_equality(masking.make_sentences(setting, 1), masking.make_masker(setting), 1)


def test_it_runs_and_writes_records(tmp_path, capsys):
    output = tmp_path / "masking.json"
    assert masking.main(["--pairs", "2", "--seconds", "0.001", "--output", str(output)]) == 0
    records = json.loads(output.read_text())
    assert len(records) == len(capsys.readouterr().out.splitlines()) == len(masking.SETTINGS) * len(masking.PEERS)
    for record in records:
        assert {"benchmark", "peer", "ours", "theirs", "unit", "ratio", "pairs", "hardware"} <= set(record)
        assert record["pairs"] == len(record["ratios"]) == 2 and record["ratio"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["masking.json"]


def test_sides_take_turns_and_each_takes_every_step():
    calls = []
    sides = {name: lambda step, name=name: calls.append((name, step)) for name in ("a", "b")}
    seconds = alternate(sides, pairs=3, steps=2)
    assert {name: len(values) for name, values in seconds.items()} == {"a": 3, "b": 3}
    for begin in range(0, 12, 2):
        step = begin // 2 % 2
        assert sorted(calls[begin : begin + 2]) == [("a", step), ("b", step)]


def test_ratio_is_the_median_over_pairs():
    comparison = Comparison("b", "p", ours=[1.0, 2.0, 1.0], theirs=[2.0, 2.0, 3.0], work=10, unit="u")
    record = comparison.record("h", {})
    assert (record["ratio"], record["ours"], record["theirs"]) == (2.0, 10, 5)
