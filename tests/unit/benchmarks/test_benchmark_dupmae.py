"""The peer is the same function, and the program runs through and writes its records."""

import json

import numpy as np
import pytest

from benchmarks import dupmae
from benchmarks.harness import dupmae_sides as sides

ENTRIES = 2000


def test_the_loop_equals_the_arrays():
    rows = [row for length in (2, 3, 4, 9, 40, 300) for row in sides.make_texts(2, length, ENTRIES, seed=length)]
    sides.check_equality(rows, sides.make_masker(ENTRIES), seed=3)


@pytest.mark.parametrize("name, draw, differs", [
    ("pattern", lambda self, row, count: 0, "visible"),
    ("hidden", lambda self, pattern, length, count: list(range(1, count + 1)), "visible"),
    ("action", lambda self, slot: 0.85, "source"),
    ("shuffle", lambda self, words: words, "masked|source"),
])  # fmt: skip
def test_the_check_sees_a_difference(monkeypatch, name, draw, differs):
    monkeypatch.setattr(sides.KeyedDraws, name, draw)
    with pytest.raises(AssertionError, match=f"({differs}) differs"):
        sides.check_equality(sides.make_texts(2, 20, ENTRIES, 1), sides.make_masker(ENTRIES), 1)


def test_both_sides_come_to_what_the_model_uses():
    """Equal shapes and types, those of the whole visibility; neither side stops at patterns."""
    rows, masker = sides.make_texts(3, 30, ENTRIES, 1), sides.make_masker(ENTRIES)
    ours = sides.mask_at_once(rows, masker, np.arange(3, dtype=np.uint64))
    theirs = sides.mask_in_a_loop(rows, masker, [sides.PythonDraws(number, ENTRIES) for number in range(3)])
    for mine, other in zip(ours, theirs):
        assert mine.shape == other.shape and mine.dtype == other.dtype
    shares = [side.visible[:, 1:, 1:].float().mean().item() for side in (ours, theirs)]
    assert ours.visible.shape == (3, 30, 30) and shares[0] == pytest.approx(shares[1], abs=0.03)


def test_it_runs_and_writes_records(tmp_path, monkeypatch):
    monkeypatch.setattr(dupmae, "VOCABULARY", ENTRIES)
    output = tmp_path / "dupmae.json"
    sizes = ["--texts", "2", "--length", "12", "--update-texts", "2", "--update-length", "12"]
    sizes += ["--memory-texts", "2", "--memory-length", "12"]
    sizes += ["--documents", "1500", "--queries", "3", "--block", "400", "--pairs", "1", "--output", str(output)]
    assert dupmae.main(sizes) == 0
    records = json.loads(output.read_text())
    assert len(records) == 5 and all(np.isfinite(record["ratio"]) for record in records)
    assert dupmae.main([*sizes, "--parts", "masking", "--pairs", "2"]) == 0
    again = json.loads(output.read_text())
    assert again[1:] == records[1:] and again[0]["pairs"] == 2
    assert again[0]["benchmark"] == records[0]["benchmark"] == "dupmae, masking (2 x 12)"
