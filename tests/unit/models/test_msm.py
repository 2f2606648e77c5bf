"""MSM's document encoder: what a prediction may depend on; padding; ablation; start from an encoder's checkpoint."""

import pytest
import torch

from mass_plugins.errors import InputError
from mass_plugins.models.msm import Msm, MsmConfig
from mass_plugins.models.text_encoder import TextEncoder

WIDTH, UNITS = 16, 6


def make_model(**options):
    torch.manual_seed(1)
    shape = {"encoder_layers": 1, "encoder_embed_dim": WIDTH, "encoder_ffn_embed_dim": 24, "max_positions": 12}
    shape |= {"encoder_attention_heads": 2, "units_per_document": UNITS, **options}
    return Msm(MsmConfig(**shape), 40, 1).eval()


def documents(counts, seed=0):
    """(vectors (B, U, D), real (B, U))."""
    real = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
    return torch.randn(*real.shape, WIDTH, generator=torch.Generator().manual_seed(seed)), real


def test_own_slot_never_leaks():
    """p_t has no gradient with respect to s_t, nor to other documents, and has one to each other unit of its own."""
    model, (vectors, real) = make_model(), documents([4, 6, 2])
    vectors.requires_grad_()
    predicted = model.predict_units(vectors, real)
    for row, (document, slot) in enumerate(real.nonzero().tolist()):
        (gradient,) = torch.autograd.grad(predicted[row].square().sum(), vectors, retain_graph=True)
        felt = gradient.abs().sum(dim=-1) > 0
        expected = torch.zeros_like(real)
        expected[document] = real[document]
        expected[document, slot] = False
        torch.testing.assert_close(felt, expected)


def test_padding_changes_nothing():
    model, (vectors, real) = make_model(), documents([3, 6])
    both = model.predict_units(vectors, real)
    alone = model.predict_units(vectors[:1, :3], real[:1, :3])
    torch.testing.assert_close(both[:3], alone, rtol=1e-4, atol=1e-5)
    vectors[0, 3:] = 1e6
    torch.testing.assert_close(model.predict_units(vectors, real), both, rtol=1e-4, atol=1e-5)


def test_equals_one_copy_at_a_time():
    """The copies made by hand: slot t replaced, the whole document read, slot t taken."""
    model, (vectors, real) = make_model(), documents([5])
    part = model.document_encoder
    for slot, found in enumerate(model.predict_units(vectors, real)):
        copy = vectors.clone()
        copy[0, slot] = part.mask_vector
        x = part.layernorm_embedding(copy + part.embed_positions.weight[:5])
        for layer in part.layers:
            x = layer(x, encoder_padding_mask=None)
        torch.testing.assert_close(found, x[0, slot], rtol=1e-4, atol=1e-5)


def test_order_matters():
    model, (vectors, real) = make_model(), documents([5])
    swapped = vectors[:, [0, 2, 1, 3, 4]]
    assert (
        model.predict_units(vectors, real)[4] - model.predict_units(swapped, real)[4]
    ).abs().max() > 1e-5  # rounding: 1e-7


def test_without_context_only_the_place_is_known():
    model = make_model(document_context="none")
    first, second = (model.predict_units(*documents([5, 3], seed)) for seed in (0, 1))
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first[:3], first[5:])  # the same places of another document
    assert (first[0] - first[1]).abs().max() > 1e-4


def test_no_documents():
    model = make_model().train()
    nothing = torch.zeros(0, 1, WIDTH, requires_grad=True)
    predicted = model.predict_units(nothing, torch.zeros(0, 1, dtype=torch.bool))
    assert predicted.shape == (0, WIDTH)
    model.query_head(predicted).sum().backward()
    assert all(p.grad is not None for p in [*model.document_encoder.parameters(), *model.query_head.parameters()])


def test_too_many_units():
    with pytest.raises(InputError, match="--units-per-document 6"):
        make_model().predict_units(*documents([7]))


def test_encoder_has_the_names_of_a_text_encoder():
    model = make_model()
    names = {name for name in model.state_dict() if not name.startswith(Msm.EXTRA_WEIGHTS)}
    shape = {"encoder_layers": 1, "encoder_embed_dim": WIDTH, "encoder_ffn_embed_dim": 24, "max_positions": 12}
    assert names == set(TextEncoder(MsmConfig(**shape, encoder_attention_heads=2), 40, 1).state_dict())


@pytest.mark.parametrize("option", ("document_layers", "units_per_document"))
def test_bad_sizes(option):
    with pytest.raises(InputError, match=option.replace("_", "-")):
        make_model(**{option: 0})


def test_width_of_the_heads():
    (vectors, real), model = documents([2]), make_model(head_dim=10)
    assert model.key_head(vectors[0]).shape == model.query_head(model.predict_units(vectors, real)).shape == (2, 10)
    assert model.key_head.inner.weight.shape == (10, WIDTH)
