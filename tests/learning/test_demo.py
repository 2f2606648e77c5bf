"""The demo as its reader runs it: MASS learns from text alone what training from scratch lacks."""

import re
import sys

import pytest
import torch
from fairseq import checkpoint_utils

from tests.conftest import ROOT, run


@pytest.fixture(scope="module")
def demo(once):
    """The folder with the demo's ``work`` and what it printed, ``stdout``."""

    def make(folder):
        command = [sys.executable, ROOT / "examples" / "demo" / "demo.py", "--work", folder / "work"]
        (folder / "stdout").write_text(run(command, timeout=3600).stdout)

    return once("whole-demo", make)


def test_mass_is_well_ahead_of_scratch(demo):
    scores = dict(re.findall(r"^  (MASS|scratch) +([\d.]+)   ", (demo / "stdout").read_text(), re.MULTILINE))
    assert float(scores["MASS"]) > float(scores["scratch"]) + 5


def test_pre_training_has_learned_to_use_its_source(demo):
    """The right source predicts the span better than that of another sentence of the batch."""
    path = str(demo / "work" / "pretraining" / "checkpoint_last.pt")
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([path])
    model.eval()
    task.load_dataset("valid")
    batches = task.get_batch_iterator(task.dataset("valid"), max_tokens=2000).next_epoch_itr(shuffle=False)
    sums, tokens = {"right": 0.0, "other": 0.0}, 0
    for batch in batches:
        given, target = batch["net_input"], batch["target"]
        others = given["src_tokens"].roll(1, dims=0)
        with torch.no_grad():
            for name, source in (("right", given["src_tokens"]), ("other", others)):
                log_probs = model(**{**given, "src_tokens": source})[0].float().log_softmax(-1)
                chosen = log_probs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
                sums[name] -= chosen[target != task.vocabulary.pad].sum().item()
        tokens += batch["ntokens"]
    assert (sums["other"] - sums["right"]) / tokens > 0.3  # nats a token
