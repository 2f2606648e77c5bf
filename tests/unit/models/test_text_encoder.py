"""The text encoder against an independent NumPy forward pass, and its properties."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from fairseq.models import MODEL_REGISTRY
from omegaconf import OmegaConf

from mass_plugins.errors import InputError
from mass_plugins.models.cmlm import Cmlm
from mass_plugins.models.dupmae import DupMae
from mass_plugins.models.encoder_checks import check_same_encoder
from mass_plugins.models.msm import Msm
from mass_plugins.models.retriever import CrossEncoder, Retriever, RetrieverConfig
from mass_plugins.models.text_encoder import BertBaseConfig, RobertaBaseConfig, TextEncoder
from tests.tiny_encoder import lm_logits
from tests.unit.models.numpy_mass import attend, feed_forward, gelu, layer_norm, linear

SMALL = {"encoder_layers": 2, "encoder_embed_dim": 12, "encoder_ffn_embed_dim": 20, "encoder_attention_heads": 3,
         "max_positions": 16}  # fmt: skip
SIZE = 30
FAMILIES = {"bert": (BertBaseConfig(**SMALL), 0), "roberta": (RobertaBaseConfig(**SMALL), 1)}


def make(family: str, **options) -> TextEncoder:
    torch.manual_seed(1)
    cfg, padding = FAMILIES[family]
    model = TextEncoder(replace(cfg, **options), SIZE, padding).eval()
    for parameter in model.parameters():  # norms and biases, too
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def batch(padding: int, lengths=(5, 9, 1)) -> torch.Tensor:
    random = np.random.default_rng(2)
    rows = np.full((len(lengths), max(lengths)), padding)
    for row, length in zip(rows, lengths):
        row[:length] = random.integers(2, SIZE, size=length)
    return torch.from_numpy(rows)


def numpy_forward(tokens, weights, family, layers=2, heads=3):
    """One text without padding: (S,) -> (S, D), written from the papers."""
    epsilon, first = (1e-12, 0) if family == "bert" else (1e-5, 2)
    x = weights["embed_tokens.weight"][tokens] + weights["embed_positions.weight"][first : first + len(tokens)]
    if family == "bert":
        x = x + weights["embed_types.weight"][0]
    x = layer_norm(x, weights, "layernorm_embedding", epsilon)
    everything = np.ones((len(tokens), len(tokens)), dtype=bool)
    for layer in range(layers):
        name = f"layers.{layer}"
        x = x + attend(x, x, everything, weights, f"{name}.self_attn", heads)
        x = layer_norm(x, weights, f"{name}.self_attn_layer_norm", epsilon)
        x = layer_norm(x + feed_forward(x, weights, name), weights, f"{name}.final_layer_norm", epsilon)
    return x


@pytest.mark.parametrize("family", FAMILIES)
def test_against_numpy(family):
    model, padding = make(family), FAMILIES[family][1]
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    tokens, epsilon = batch(padding), 1e-12 if family == "bert" else 1e-5
    hidden = model(tokens)
    logits = lm_logits(model, hidden)
    for row, states, scores in zip(tokens.numpy(), hidden, logits):
        real = row[row != padding]
        expected = numpy_forward(real, weights, family)
        assert np.abs(states[: len(real)].detach().numpy() - expected).max() < 1e-5
        head = layer_norm(gelu(linear(expected, weights, "lm_head.dense")), weights, "lm_head.layer_norm", epsilon)
        expected = head @ weights["embed_tokens.weight"].T + weights["lm_head.bias"]
        assert np.abs(scores[: len(real)].detach().numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_changes_nothing(family):
    model, padding = make(family), FAMILIES[family][1]
    tokens = batch(padding, lengths=(6, 6))
    padded = torch.nn.functional.pad(tokens, (0, 4), value=padding)
    assert torch.allclose(model(tokens), model(padded)[:, :6], atol=1e-6)


def random_model(kind, **options):
    torch.manual_seed(1)
    model = kind(OmegaConf.create({**vars(FAMILIES["bert"][0]), **options}), SIZE, 0).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


CONDITION = {"condition_vectors": 2, "condition_pooling": "mean"}


@pytest.mark.parametrize("kind, options, more", [(TextEncoder, {}, {}), (Cmlm, CONDITION, {"condition_tokens": [[4]]})])
def test_a_padding_symbol_within_a_text_is_seen(kind, options, more):
    """Its position has a part in the other tokens' states; that of padding has none."""
    for row, slot, seen in (([5, 0, 7, 3], 1, True), ([5, 7, 3, 0], 3, False)):
        model = random_model(kind, **options)
        states = model(torch.tensor([row]), **{name: torch.tensor(value) for name, value in more.items()})
        states[:, [0, 2]].square().sum().backward()
        assert (model.embed_positions.weight.grad[slot].abs().sum() > 0) == seen


def test_a_padding_symbol_within_a_text_is_pooled():
    row = torch.tensor([[5, 0, 7, 3], [5, 7, 3, 0]])
    retriever = random_model(Retriever, **{**vars(RetrieverConfig()), **SMALL, "vector_pooling": "mean", "cls_dim": 0})
    hidden = TextEncoder.forward(retriever, row)
    means = torch.stack([hidden[0].mean(dim=0), hidden[1, :3].mean(dim=0)])
    assert torch.allclose(retriever(row).cls, means, atol=1e-5)
    cmlm = random_model(Cmlm, **CONDITION)
    hidden = TextEncoder.forward(cmlm, row)
    means = torch.stack([hidden[0].mean(dim=0), hidden[1, :3].mean(dim=0)])
    assert torch.allclose(cmlm.conditions(row)[:, 1], cmlm.condition_projections[1](means), atol=1e-4)


def test_embedding_layer_alone():
    model = make("bert")
    tokens = batch(0)
    first = model.embed_tokens(tokens) + model.embed_positions.weight[: tokens.shape[1]] + model.embed_types.weight[0]
    assert torch.equal(model.embed(tokens), model.layernorm_embedding(first))
    assert model.output_weight is model.embed_tokens.weight


def test_flags_reach_the_modules():
    model = make("bert", dropout=0.3, attention_dropout=0.2, activation_dropout=0.4, drop_head=0.1,
                 activation_fn="relu", layer_norm_epsilon=1e-3, token_types=3)  # fmt: skip
    layer = model.layers[1]
    assert model.dropout.p == layer.dropout_module.p == 0.3
    assert (layer.self_attn.dropout, layer.self_attn.drop_head, layer.self_attn.heads) == (0.2, 0.1, 3)
    assert layer.activation_dropout_module.p == 0.4 and layer.activation_fn(torch.tensor(-1.0)) == 0
    norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert len(norms) == 6 and {norm.eps for norm in norms} == {1e-3}
    assert len(model.embed_types.weight) == 3 and model.max_positions() == 16


def test_recomputed_activations_give_the_same_gradient():
    gradients = []
    for checkpoint in (False, True):
        model = make("bert", checkpoint_activations=checkpoint, dropout=0.0, attention_dropout=0.0).train()
        model(batch(0)).square().sum().backward()
        gradients.append(model.embed_tokens.weight.grad)
    assert torch.allclose(*gradients, atol=1e-4)


@pytest.mark.parametrize(
    "options, message",
    [({"encoder_attention_heads": 5}, "doesn't divide"), ({"dropout": 1.0}, r"--dropout 1.0 is not in \[0, 1\)"),
     ({"encoder_layers": 0}, "--encoder-layers 0"),
     ({"encoder_embed_dim": 0}, "--encoder-embed-dim 0 is not 1 or more"),
     ({"encoder_ffn_embed_dim": 0}, "--encoder-ffn-embed-dim 0 is not 1 or more"),
     ({"token_types": -1}, "--token-types -1 is not 0 or more"),
     ({"layer_norm_epsilon": math.nan}, "--layer-norm-epsilon nan is not a number above 0")],
)  # fmt: skip
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        make("bert", **options)


def test_a_text_that_is_too_long():
    with pytest.raises(InputError, match="17 tokens, more than the model's 16 positions"):
        make("roberta")(torch.full((1, 17), 5))


def test_another_shape_is_named():
    cfg = dict(vars(FAMILIES["bert"][0]))
    with pytest.raises(InputError, match="--encoder-layers 3, not 2"):
        check_same_encoder("old.pt", {**cfg, "encoder_layers": 3}, cfg)
    with pytest.raises(InputError, match="is not a text encoder"):
        check_same_encoder("old.pt", {"decoder_layers": 3}, cfg)


@pytest.mark.parametrize("model", (TextEncoder, Cmlm, CrossEncoder, DupMae, Msm, Retriever))
def test_shapes_are_architectures_with_options_of_their_own(model):
    """A shape that was registered for one model changes neither the model nor another shape."""
    name = next(name for name, found in MODEL_REGISTRY.items() if found is model)
    shapes = {other: found for other, found in MODEL_REGISTRY.items() if other.startswith(f"{name}_")}
    assert {f"{name}_{shape}" for shape in ("tiny", "minilm", "bert_base")} < set(shapes)
    assert len({*shapes.values(), model}) == len(shapes) + 1
    if model in (CrossEncoder, Retriever):  # the fine-tuning has what pre-training has
        pretrained = {other.partition("_")[2] for other in MODEL_REGISTRY if other.startswith(("dupmae_", "msm_"))}
        assert {f"{name}_{shape}" for shape in pretrained} <= set(shapes)
    layers = {"tiny": 3, "minilm": 6, "bert_base": 12}
    for shape, count in layers.items():
        found = shapes[f"{name}_{shape}"]
        assert issubclass(found, model) and getattr(found, "__dataclass")().encoder_layers == count  # noqa: B009
