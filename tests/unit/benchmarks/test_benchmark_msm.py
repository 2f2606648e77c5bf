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
    assert measured == [(what, side, documents, 8, 1) for what in ("step", "update") for documents in (1, 2)
                        for side in ("ours", "pairs")]  # fmt: skip
    units = ["units", "megabytes"] * 2 + ["exponent"] * 2
    assert [record["unit"].split()[0] for record in records] == units * 2
    for record, words in zip(records[6:], ("update of 1", "memory of a whole update of 1", "update of 2", "memory")):
        assert words in record["benchmark"]
    assert [record["benchmark"].split(" from ")[0] for record in records if "growth" in record["benchmark"]] == [
        f"msm, growth of {what} of {which}" for which in ("a step", "a whole update") for what in ("time", "memory")
    ]


def test_updates_of_different_losses_are_not_compared(monkeypatch):
    monkeypatch.setitem(msm.SIDES, "pairs", lambda encoder, units: units.flatten(0, 1))
    with pytest.raises(AssertionError):
        msm.compare_updates(1, 8, 1, "cpu")


def test_memory_is_that_of_a_process_of_its_own():
    small, large = (msm.memory_of("step", "pairs", documents, 256, 1) for documents in (1, 4))
    assert 16 < large < 1000 and large - small > 64  # (4 x 32)^2 vectors of width 256 are 16 MiB, (1 x 32)^2 are 1
