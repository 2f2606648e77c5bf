"""The peer is the same function, and the program runs through and writes its records."""

import json

import numpy as np
import pytest

from benchmarks import dupmae


def test_the_loop_equals_the_arrays():
    rows = [row for length in (2, 3, 4, 9, 40, 300) for row in dupmae.make_texts(2, length, seed=length)]
    dupmae.check_equality(rows, dupmae.make_hider(), seed=3)


def test_the_check_sees_a_difference(monkeypatch):
    monkeypatch.setattr(dupmae.KeyedDraws, "pattern", lambda self, row, count: 0)
    with pytest.raises(AssertionError, match="visible differs"):
        dupmae.check_equality(dupmae.make_texts(2, 20, 1), dupmae.make_hider(), 1)


def test_it_runs_and_writes_records(tmp_path, monkeypatch):
    monkeypatch.setattr(dupmae, "VOCABULARY", 2000)
    output = tmp_path / "dupmae.json"
    sizes = ["--texts", "2", "--length", "12", "--update-texts", "2", "--update-length", "12"]
    sizes += ["--memory-texts", "2", "--memory-length", "12"]
    sizes += ["--documents", "1500", "--queries", "3", "--block", "400", "--pairs", "1"]
    assert dupmae.main([*sizes, "--output", str(output)]) == 0
    records = json.loads(output.read_text())
    assert len(records) == 5 and all(np.isfinite(record["ratio"]) for record in records)
