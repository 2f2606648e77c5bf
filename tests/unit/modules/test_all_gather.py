"""Two gloo processes = one process on the joined batch, gradients at fairseq's scale included."""

import numpy as np
import pytest
import torch
import torch.distributed as dist

from mass_plugins.losses.info_nce import two_view_info_nce
from mass_plugins.modules.all_gather import all_gather_rows
from tests.ranks import run_ranks

STRINGS = np.random.default_rng(5).normal(size=(2, 7, 6)).astype(np.float32)  # two views of seven strings
TEMPERATURE = 0.1


def network():
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4))


def loss_of(model, places):
    """(loss, anchors) of one process that holds these strings; with none, what a dummy batch does."""
    views = model(torch.from_numpy(STRINGS[:, places or [0]].reshape(-1, 6)))
    gathered = all_gather_rows(views if places else views[:0])
    if not places:
        return (gathered.rows.sum() + views.sum()) * 0, 0
    found = two_view_info_nce(views, TEMPERATURE, *gathered)
    return found.loss, found.anchors


def work(rank, shares):
    """One process: a step as fairseq's trainer takes it, gradients averaged by DDP and scaled by W / sample size."""
    model = torch.nn.parallel.DistributedDataParallel(network())
    loss, anchors = loss_of(model, shares[rank])
    loss.backward()
    totals = torch.tensor([float(loss), anchors])
    dist.all_reduce(totals)
    return [p.grad * len(shares) / totals[1] for p in model.parameters()], totals


def alone():
    model = network()
    loss, anchors = loss_of(model, list(range(7)))
    loss.backward()
    return [p.grad / anchors for p in model.parameters()], torch.tensor([float(loss), anchors])


@pytest.mark.parametrize(
    "shares",
    [([0, 1, 2], [3, 4, 5, 6]), ([0, 1, 2, 3, 4, 5, 6], [])],
    ids=["unequal shares", "one process has a dummy batch"],
)
def test_two_processes_are_one(shares):
    expected, totals = alone()
    for gradients, sums in run_ranks(work, len(shares), shares):
        assert torch.allclose(sums, totals)
        for found, right in zip(gradients, expected, strict=True):
            assert torch.allclose(found, right, atol=1e-6)


def test_alone_rows_stay_as_they_are():
    rows = torch.randn(3, 2, requires_grad=True)
    gathered = all_gather_rows(rows)
    assert gathered.rows is rows and gathered.offset == 0
