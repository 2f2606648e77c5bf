"""What a retriever makes of its encoder's states, against NumPy text by text: vector, bag of words, activations."""

import numpy as np
import pytest
import torch

from mass_plugins.errors import InputError
from mass_plugins.models.retriever import CrossEncoder, Retriever, RetrieverConfig
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderConfig

PAD, SIZE, WIDTH, KEPT = 0, 23, 8, 5
TOKENS = torch.tensor([[1, 7, 9, 7, 12, 2], [1, 5, 6, 2, 0, 0], [1, 17, 2, 0, 0, 0]])
INSIDE = [[1, 2, 3, 4], [1, 2], [1]]  # slots between [CLS] and [SEP]
SHAPE = dict(encoder_layers=1, encoder_embed_dim=WIDTH, encoder_ffn_embed_dim=12, encoder_attention_heads=2,
             max_positions=10)  # fmt: skip


def moved(model):
    """In float64, with weights that aren't those of the beginning."""
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def make_model(**options):
    torch.manual_seed(9)
    return moved(Retriever(RetrieverConfig(**SHAPE, **{"cls_dim": 6, "ot_top": KEPT, **options}), SIZE, PAD))


def states(model):
    """(B, S, D) of the encoder alone."""
    return TextEncoder.forward(model, TOKENS).detach().numpy()


def array(tensor):
    return tensor.detach().numpy()


ACTIVATIONS = {
    "none": lambda mu: mu,
    "relu": lambda mu: np.where(mu > 0, mu, 0),
    "log1p_relu": lambda mu: np.log(1 + np.where(mu > 0, mu, 0)),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_bag_of_words_and_its_activation(activation):
    """The maximum is over the words' slots; a query keeps all of it, a document the largest values after activation."""
    model = make_model(ot_activation=activation)
    queries, documents = model(TOKENS, role="queries"), model(TOKENS, role="documents")
    hidden, weight = states(model), array(model.embed_tokens.weight)
    assert queries.entries is None and queries.values.shape == (3, SIZE)
    maxima = [np.max([weight @ hidden[text, place] for place in places], axis=0) for text, places in enumerate(INSIDE)]
    assert all((mu > 0).sum() > KEPT for mu in maxima)  # so that relu leaves the kept ones their order
    assert maxima[-1].min() < -np.sort(maxima[-1])[-KEPT]  # and something farther below 0 than they are above
    for text, mu in enumerate(maxima):
        expected = ACTIVATIONS[activation](mu)
        assert np.allclose(array(queries.values[text]), expected)
        largest = np.sort(np.argsort(expected)[-KEPT:])
        assert documents.entries[text].tolist() == largest.tolist()
        assert np.allclose(array(documents.values[text]), expected[largest])


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("width", [6, 0])
def test_the_vector(pooling, width):
    """Of queries and documents alike: the [CLS] state, or the mean of all tokens', projected or not."""
    model = make_model(vector_pooling=pooling, cls_dim=width, representation="cls")
    hidden, lengths = states(model), [len(places) + 2 for places in INSIDE]
    pooled = [row[0] if pooling == "cls" else row[:length].mean(axis=0) for row, length in zip(hidden, lengths)]
    expected = np.stack(pooled) @ array(model.cls_projection.weight).T if width else np.stack(pooled)
    for role in ("queries", "documents"):
        found = model(TOKENS, role=role)
        assert np.allclose(array(found.cls), expected, atol=1e-6) and found.values is found.entries is None
    assert model.cls_width == expected.shape[1]


def test_parts_of_each_representation_and_the_weights_that_they_train():
    both, ot = make_model(), make_model(representation="ot")
    assert both(TOKENS).cls is not None and both(TOKENS).values is not None
    assert ot(TOKENS).cls is None and ot.cls_projection is None and ot.cls_width == 0
    assert make_model(ot_top=1000)(TOKENS).values.shape == (3, SIZE)
    for options, trained in (
        ({"bow_projection": "tied"}, {"cls_projection"}),
        ({"bow_projection": "own"}, {"cls_projection", "bow_projection"}),
        ({"bow_projection": "mlm_head"}, {"cls_projection", "lm_head"}),
        ({"bow_projection": "own", "representation": "cls"}, {"cls_projection"}),
        ({"bow_projection": "mlm_head", "representation": "cls"}, {"cls_projection"}),
    ):
        named = make_model(**options).named_parameters()
        parts = {name.split(".")[0] for name, parameter in named if parameter.requires_grad}
        assert parts & {"cls_projection", "bow_projection", "lm_head"} == trained
    for options in ({"ot_top": 0}, {"cls_dim": -1}):
        with pytest.raises(InputError, match="--ot-top .* --cls-dim"):
            make_model(**options)


def test_relevance_is_a_linear_map_of_the_first_state():
    torch.manual_seed(3)
    model = moved(CrossEncoder(TextEncoderConfig(**SHAPE), SIZE, PAD))
    expected = states(model)[:, 0] @ array(model.relevance.weight)[0] + array(model.relevance.bias)
    assert np.allclose(array(model(TOKENS)), expected, atol=1e-6) and model(TOKENS).shape == (3,)
    assert not any(parameter.requires_grad for parameter in model.lm_head.parameters())
