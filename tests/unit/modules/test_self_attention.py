"""Dropped heads; the attention itself is compared with NumPy's in tests/unit/models/test_text_encoder.py."""

import torch

from mass_plugins.modules.self_attention import SelfAttention, drop_heads


def test_heads_go_whole_and_survivors_make_up_for_them():
    torch.manual_seed(1)
    context = torch.rand(2000, 8, 3, 4) + 1
    dropped = drop_heads(context, 0.25)
    gone = (dropped == 0).flatten(2)
    assert torch.equal(gone.any(-1), gone.all(-1))
    kept = ~gone.all(-1)
    assert abs(kept.float().mean() - 0.75) < 0.02
    scale = 8 / kept.sum(1).clamp(min=1)
    assert torch.allclose(dropped, context * (kept * scale[:, None])[:, :, None, None])


def test_not_all_heads_of_a_sequence_go():
    context = torch.ones(500, 2, 1, 1)
    assert (drop_heads(context, 0.9).sum(dim=(1, 2, 3)) == 2).all()


def test_heads_are_dropped_in_training_alone():
    torch.manual_seed(1)
    attention, x = SelfAttention(8, 2, drop_head=0.5), torch.rand(20, 3, 8)
    plain = attention.eval()(x)[0]
    assert torch.equal(plain, attention(x)[0])
    assert not torch.allclose(plain, attention.train()(x)[0])
