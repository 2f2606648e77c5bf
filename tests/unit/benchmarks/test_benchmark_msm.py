"""The peer finds the same loss, the check sees a difference, and the program runs through."""

import json

import pytest
import torch

from benchmarks import msm


def vectors(documents=2, width=8):
    return torch.randn(documents, msm.UNITS, width, generator=torch.Generator().manual_seed(3)).requires_grad_()


def test_both_ways_are_equal():
    msm.check_equality(msm.make_model(8), vectors())


def test_the_check_sees_a_difference(monkeypatch):
    monkeypatch.setattr(msm, "by_all_pairs", lambda encoder, units: units.flatten(0, 1))
    with pytest.raises(AssertionError):
        msm.check_equality(msm.make_model(8), vectors())


def test_growth_is_the_exponent():
    assert msm.growth([2, 4, 8], [3.0, 12.0, 48.0]) == pytest.approx(2)


def test_it_runs_and_writes_records(tmp_path, monkeypatch):
    """Memory of small steps is below a megabyte; that of larger ones: benchmarks/msm.json."""
    measured = []
    monkeypatch.setattr(msm, "memory_of", lambda *words: measured.append(words) or len(measured))
    output = tmp_path / "msm.json"
    assert msm.main(["--documents", "2", "1", "--width", "8", "--pairs", "1", "--output", str(output)]) == 0
    records = json.loads(output.read_text())
    assert measured == [("ours", 1, 8), ("pairs", 1, 8), ("ours", 2, 8), ("pairs", 2, 8)]
    assert [record["unit"].split()[0] for record in records] == ["units", "megabytes"] * 2 + ["units"] + [
        "exponent"
    ] * 2
    assert "whole update of 2 documents" in records[4]["benchmark"]


def test_updates_of_different_losses_are_not_compared(monkeypatch):
    monkeypatch.setitem(msm.SIDES, "pairs", lambda encoder, units: units.flatten(0, 1))
    with pytest.raises(AssertionError):
        msm.compare_updates(1, 8, 1, "cpu")


def test_memory_is_that_of_a_process_of_its_own():
    assert 0 < msm.memory_of("ours", 1, 64) < 500
