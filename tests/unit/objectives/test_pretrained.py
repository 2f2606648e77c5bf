"""Any objective on a text encoder starts from any other's checkpoint; another shape is refused."""

import itertools

import pytest
import torch

from mass_plugins.errors import InputError
from mass_plugins.models.cmlm import Cmlm, CmlmTinyConfig
from mass_plugins.models.dupmae import DupMae, DupMaeTinyConfig
from mass_plugins.models.msm import Msm, MsmTinyConfig
from mass_plugins.models.retriever import CrossEncoder, Retriever, RetrieverTinyConfig
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderTinyConfig
from mass_plugins.objectives.pretrained import PretrainedModel

SHAPE = {"encoder_layers": 1, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 16, "encoder_attention_heads": 2}
KINDS = {
    "mlm": (TextEncoder, TextEncoderTinyConfig),
    "dupmae": (DupMae, DupMaeTinyConfig),
    "msm": (Msm, MsmTinyConfig),
    "cmlm": (Cmlm, CmlmTinyConfig),
    "retriever": (Retriever, RetrieverTinyConfig),
    "cross-encoder": (CrossEncoder, TextEncoderTinyConfig),
}


def build(kind, **other):
    model, config = KINDS[kind]
    return model(config(**{**SHAPE, "max_positions": 16, **other}), 30, 1)


@pytest.mark.parametrize("start, goal", itertools.permutations(KINDS, 2))
def test_the_encoder_of_any_objective_is_that_of_any_other(start, goal):
    trained, model = build(start), build(goal)
    PretrainedModel("x.pt", trained.state_dict(), None, {}).copy_into(model, None, lambda *_: None)
    weights = model.state_dict()
    for name, weight in build("mlm").state_dict().items():
        assert weight.shape == weights[name].shape and torch.equal(weights[name], trained.state_dict()[name])


def test_another_shape_is_refused():
    trained = PretrainedModel("x.pt", build("msm", encoder_layers=2).state_dict(), None, {})
    with pytest.raises(InputError, match="of another architecture"):
        trained.copy_into(build("retriever"), None, lambda *_: None)
