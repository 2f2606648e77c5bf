"""Any objective on a text encoder starts from any other's checkpoint; another shape is refused."""

import itertools
import types

import pytest
import torch
from fairseq import checkpoint_utils

from mass_plugins.errors import InputError
from mass_plugins.models.cmlm import Cmlm, CmlmConfig
from mass_plugins.models.dupmae import DupMae, DupMaeConfig
from mass_plugins.models.msm import Msm, MsmConfig
from mass_plugins.models.retriever import CrossEncoder, Retriever, RetrieverConfig
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderTinyConfig
from mass_plugins.objectives.pretrained import PretrainedModel, build_from

SHAPE = {"encoder_layers": 1, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 16, "encoder_attention_heads": 2}
KINDS = {
    "mlm": (TextEncoder, TextEncoderTinyConfig),
    "dupmae": (DupMae, DupMaeConfig),
    "msm": (Msm, MsmConfig),
    "cmlm": (Cmlm, CmlmConfig),
    "retriever": (Retriever, RetrieverConfig),
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


def test_a_folder_stands_for_its_checkpoint(tmp_path, monkeypatch):
    """As it does for `mass-plugins encode`."""
    monkeypatch.setattr(checkpoint_utils, "load_checkpoint_to_cpu", lambda path: torch.load(path, weights_only=True))

    def save(name, number):
        torch.save({"cfg": {"model": {"number": number}}, "model": {}}, tmp_path / name)

    with pytest.raises(InputError, match=f"--pretrained-checkpoint {tmp_path} holds no checkpoint.pt, checkpoint_best"):
        PretrainedModel.read(str(tmp_path))
    with pytest.raises(InputError, match=f"--pretrained-checkpoint {tmp_path}/none doesn't exist; give a checkpoint"):
        PretrainedModel.read(f"{tmp_path}/none")
    for number, name in enumerate(("checkpoint_last.pt", "checkpoint_best.pt", "checkpoint.pt")):
        save(name, number)
        found = PretrainedModel.read(str(tmp_path))
        assert found.path == str(tmp_path / name) and found.options == {"number": number}
    assert PretrainedModel.read(str(tmp_path / "checkpoint_best.pt")).options == {"number": 1}

    task = types.SimpleNamespace(cfg={}, adopt=lambda state, origin: origins.append(origin))
    model, origins = types.SimpleNamespace(state_dict=dict, load_state_dict=lambda *_, **__: None), []
    build_from(str(tmp_path), task, None, lambda: model, lambda *_: None)
    task.cfg = {"save_dir": str(tmp_path)}
    build_from(str(tmp_path / "gone"), task, None, lambda: model, lambda *_: None)  # a training that goes on
    (tmp_path / "empty").mkdir()
    build_from(str(tmp_path / "empty"), task, None, lambda: model, lambda *_: None)
    assert origins == [str(tmp_path / name) for name in ("checkpoint.pt", "checkpoint_last.pt", "checkpoint_last.pt")]

    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="is a Hugging Face folder; turn it into a checkpoint first"):
        PretrainedModel.read(str(tmp_path / "hf"))
