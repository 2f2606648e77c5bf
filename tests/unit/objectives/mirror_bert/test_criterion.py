"""The loss of a batch against NumPy; what makes two equal rows two views."""

import numpy as np
import pytest
import torch

from mass_plugins.models.text_encoder import TextEncoder, TextEncoderTinyConfig
from mass_plugins.objectives.mirror_bert.criterion import LOGGED, MirrorBertCriterion
from mass_plugins.objectives.mirror_bert.settings import MODES

PAD = 1
SMALL = {"encoder_layers": 1, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 16, "encoder_attention_heads": 4}


class Task:
    """What the criterion takes of a task."""

    settings = MODES["sentence"]

    class target_dictionary:
        @staticmethod
        def pad():
            return PAD


def make(**options):
    torch.manual_seed(0)
    dropout = {"dropout": 0.0, "attention_dropout": 0.0, **options}
    return TextEncoder(TextEncoderTinyConfig(**SMALL, max_positions=12, **dropout), 30, PAD), MirrorBertCriterion(
        Task()
    )


def batch(strings=5, equal=True, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.integers(4, 30, (strings, 7))
    first[0, 4:] = PAD
    first[1, 2] = PAD  # written out in the text: a token like others
    second = first if equal else np.where(first == PAD, PAD, rng.integers(4, 30, (strings, 7)))
    tokens = torch.from_numpy(np.concatenate([first, second]))
    return {"net_input": {"src_tokens": tokens}, "nsentences": strings, "ntokens": int(tokens.ne(PAD).sum())}


def test_loss_and_logs_are_numpys():
    model, criterion = make()
    sample = batch(equal=False)
    loss, anchors, logs = criterion(model.eval(), sample)
    tokens = sample["net_input"]["src_tokens"]
    with torch.no_grad():
        hidden = model(tokens).double().numpy()
    real = np.arange(7) < np.array([4, 7, 7, 7, 7] * 2)[:, None]
    vectors = np.stack([row[mask].mean(axis=0) for row, mask in zip(hidden, real)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    logits = vectors @ vectors.T / 0.04
    np.fill_diagonal(logits, -np.inf)
    other = (np.arange(10) + 5) % 10
    expected = (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(10), other]).sum()
    assert float(loss) == pytest.approx(expected, rel=1e-4) and anchors == 10 == logs["sample_size"]
    assert int(logs["correct"]) == int((logits.argmax(axis=1) == other).sum())
    assert tuple(logs) == LOGGED and logs["nsentences"] == 5


def test_a_dummy_batch_gives_a_loss_of_zero_and_the_same_logs():
    model, criterion = make()
    loss, anchors, logs = criterion(model, {**batch(), "dummy": True})
    loss.backward()
    assert float(loss.detach()) == 0 == anchors and tuple(logs) == LOGGED
    assert all(torch.count_nonzero(p.grad) == 0 for p in model.parameters() if p.grad is not None)
    real = criterion(model, batch())[2]
    assert [torch.is_tensor(value) for value in logs.values()] == [torch.is_tensor(value) for value in real.values()]


@pytest.mark.parametrize("noise", [{"dropout": 0.1}, {"attention_dropout": 0.3}, {"drop_head": 0.3}], ids=str)
def test_dropout_and_drop_head_make_two_views_of_equal_rows(noise):
    model, _ = make(**noise)
    tokens = batch()["net_input"]["src_tokens"]
    first, second = model.train()(tokens).chunk(2)
    assert sum(not torch.allclose(a, b, atol=1e-5) for a, b in zip(first, second)) >= 3
    first, second = model.eval()(tokens).chunk(2)
    assert torch.allclose(first, second, atol=1e-6)


def test_without_them_the_views_are_one():
    model, criterion = make()
    first, second = model.train()(batch()["net_input"]["src_tokens"]).chunk(2)
    assert torch.allclose(first, second, atol=1e-6)
