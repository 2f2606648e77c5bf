import pytest
import torch
from fairseq import checkpoint_utils


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
