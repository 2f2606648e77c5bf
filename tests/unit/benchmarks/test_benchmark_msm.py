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


def test_it_runs_and_writes_records(tmp_path):
    output = tmp_path / "msm.json"
    assert msm.main(["--documents", "1", "2", "--width", "8", "--pairs", "1", "--output", str(output)]) == 0
    assert len(json.loads(output.read_text())) == 4
