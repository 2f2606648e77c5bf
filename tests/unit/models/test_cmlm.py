"""CMLM: what the tokens see of the text before them."""

import pytest
import torch

from mass_plugins.errors import InputError
from mass_plugins.models.cmlm import Cmlm, CmlmConfig
from mass_plugins.models.text_encoder import TextEncoder

PAD = 1


def make_model(**options):
    torch.manual_seed(1)
    shape = {"encoder_layers": 2, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 24, "max_positions": 12}
    shape |= {"encoder_attention_heads": 2, "condition_vectors": 3, **options}
    return Cmlm(CmlmConfig(**shape), 40, PAD).eval()


def tokens(rows, slots, seed=0):
    return torch.randint(4, 40, (rows, slots), generator=torch.Generator().manual_seed(seed))


def test_condition_reaches_every_token_of_its_own_text_alone():
    model, text, before = make_model(), tokens(2, 5), tokens(2, 4, 1)
    changed = before.clone()
    changed[0, 2] = 4 if changed[0, 2] != 4 else 5
    with_it, otherwise = (model(text, condition_tokens=condition) for condition in (before, changed))
    moved = (with_it - otherwise).abs().amax(dim=-1)
    assert (moved[0] > 1e-6).all() and (moved[1] < 1e-6).all()
    assert with_it.shape == (2, 5, 16)


def test_padding_changes_nothing():
    model, text, before = make_model(), tokens(1, 5), tokens(1, 4, 1)
    wide = torch.cat([text, torch.full((1, 3), PAD)], dim=1)
    long = torch.cat([before, torch.full((1, 2), PAD)], dim=1)
    expected = model(text, condition_tokens=before)
    torch.testing.assert_close(model(wide, condition_tokens=long)[:, :5], expected, rtol=1e-4, atol=1e-5)


def test_without_condition_a_text_encoder():
    model, text = make_model(), tokens(2, 5)
    plain = TextEncoder(CmlmConfig(
        encoder_layers=2, encoder_embed_dim=16, encoder_ffn_embed_dim=24, max_positions=12, encoder_attention_heads=2
    ), 40, PAD).eval()  # fmt: skip
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith(Cmlm.EXTRA_WEIGHTS)})
    torch.testing.assert_close(model(text), plain(text))


def test_one_encoder_learns_from_both_sides():
    model, text, before = make_model(), tokens(2, 5), tokens(2, 4, 1)
    only_before = next(iter(set(before.unique().tolist()) - set(text.unique().tolist())))
    model(text, condition_tokens=before).square().sum().backward()
    assert model.embed_tokens.weight.grad[only_before].abs().sum() > 0


def test_bad_number():
    with pytest.raises(InputError, match="--condition-vectors 0"):
        make_model(condition_vectors=0)


@pytest.mark.parametrize("how", ("mean", "cls"))
def test_what_the_condition_is_made_of(how):
    model, text = make_model(condition_pooling=how), tokens(2, 5)
    hidden = TextEncoder.forward(model, text)
    vector = hidden.mean(dim=1) if how == "mean" else hidden[:, 0]
    torch.testing.assert_close(model.conditions(text)[:, 1], model.condition_projections[1](vector))
