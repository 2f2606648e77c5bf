"""Batch normalization over ranks: torch's own on one process; two processes equal one."""

import pytest
import torch
from torch import nn

from mass_plugins.modules.contrast_head import ContrastHead
from mass_plugins.modules.rank_batch_norm import RankBatchNorm
from tests.ranks import run_ranks

DIM = 6


def rows(count, seed=0):
    return torch.randn(count, DIM, generator=torch.Generator().manual_seed(seed)) * 3 + 2


def test_equals_torch():
    ours, theirs = RankBatchNorm(DIM), nn.BatchNorm1d(DIM)
    for norm in (ours, theirs):
        nn.init.constant_(norm.weight, 1.5)
        nn.init.constant_(norm.bias, -0.25)
    inputs = [rows(7).requires_grad_() for _ in range(2)]
    weight = rows(7, 1)
    outputs = [norm(x) for norm, x in zip((ours, theirs), inputs)]
    for output in outputs:
        (output * weight).sum().backward()
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(ours.eval()(rows(3, 2)), theirs.eval()(rows(3, 2)))


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16))
def test_heads_in_16_bits(dtype):
    """As --fp16 and --bf16 cast a model, buffers and all: the moments are computed in float32."""
    torch.manual_seed(0)
    head = ContrastHead(DIM, 8, 4).to(dtype).train()
    wide = ContrastHead(DIM, 8, 4).train()
    wide.load_state_dict({name: value.float() for name, value in head.state_dict().items()})
    narrow = rows(30).to(dtype).requires_grad_()
    found, expected = head(narrow), wide(narrow.detach().float())
    assert found.dtype == torch.float32 and head.inner_norm(rows(3).to(dtype)[:, :1].expand(3, 8)).dtype == dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=0.1)
    found.square().sum().backward()
    assert narrow.grad.isfinite().all() and head.inner.weight.grad.isfinite().all()
    assert (head.outer_norm.running_var != 1).any()


def test_a_head_ends_without_scale_and_shift():
    """What its last layer gives has mean 0 and variance 1, and nothing that is learned changes that."""
    learned = {name for name, _ in ContrastHead(DIM, 8, 4).named_parameters()}
    assert learned == {"inner.weight", "inner_norm.weight", "inner_norm.bias", "outer.weight"}


@pytest.mark.parametrize("count", (0, 1))
def test_too_few_rows_go_by_the_running_moments(count):
    norm = RankBatchNorm(DIM)
    norm(rows(9))
    before = norm.running_mean.clone()
    few = rows(count).requires_grad_()
    found = norm(few)
    torch.testing.assert_close(found, norm.eval()(few))
    torch.testing.assert_close(norm.running_mean, before)
    found.sum().backward()
    assert norm.weight.grad is not None and few.grad.isfinite().all()


def _part(rank, counts, seed):
    """A rank's share of the gradient of one loss over all rows."""
    torch.manual_seed(0)
    head = ContrastHead(DIM, 8, 4)
    begin = sum(counts[:rank])
    x = rows(sum(counts), seed)[begin : begin + counts[rank]].requires_grad_()
    weight = torch.randn(sum(counts), 4, generator=torch.Generator().manual_seed(5))[begin : begin + counts[rank]]
    out = head(x)
    (out * weight).square().sum().backward()
    return out.detach(), x.grad, head.inner.weight.grad, head.inner_norm.running_mean


@pytest.mark.parametrize("counts", ((4, 5), (9, 0)))
def test_two_ranks_equal_one(counts):
    (whole,) = run_ranks(_part, 1, (sum(counts),), 3)
    parts = run_ranks(_part, 2, counts, 3)
    for position in (0, 1):
        torch.testing.assert_close(torch.cat([part[position] for part in parts]), whole[position], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(sum(part[2] for part in parts), whole[2], rtol=1e-4, atol=1e-4)
    for part in parts:
        torch.testing.assert_close(part[3], whole[3])
