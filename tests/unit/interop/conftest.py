import pytest
import torch
from fairseq import checkpoint_utils

from mass_plugins.cli import main
from tests.unit.interop.transformers_folders import FAMILIES, make_folder


@pytest.fixture
def load():
    """Folder -> (model, task), through fairseq's own loading of checkpoints."""

    def load_folder(folder):
        models, _, task = checkpoint_utils.load_model_ensemble_and_task([str(folder / "checkpoint.pt")])
        return models[0].eval(), task

    return load_folder


@pytest.fixture
def logits():
    """Logits (T, V) of one sentence, ids of the imported dictionary."""

    @torch.no_grad()
    def compute(model, source, target, source_language=0, target_language=0):
        return model(
            torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([target]),
            torch.tensor([source_language]), torch.tensor([target_language]),
        )[0][0].numpy()  # fmt: skip

    return compute


@pytest.fixture(scope="module", params=FAMILIES)
def foreign(request, tmp_path_factory):
    """(family, folder, transformers' model, folder of our checkpoint)."""
    folder = tmp_path_factory.mktemp(request.param)
    model = make_folder(folder / "theirs", request.param)
    assert main(["import", "huggingface-encoder", str(folder / "theirs"), "--destdir", str(folder / "ours")]) == 0
    return request.param, folder / "theirs", model, folder / "ours"


@pytest.fixture
def folder(tmp_path):
    """A good folder to spoil."""
    make_folder(tmp_path / "theirs", "bert")
    return tmp_path / "theirs"
