"""The demo as its reader runs it: two languages learn to translate each other from text alone, if there is something
to be learned."""

import json
import sys

import pytest
import torch
from fairseq import checkpoint_utils

from tests.conftest import ROOT, run


def bleu(folder) -> dict[tuple[str, str], float]:
    """(system, direction) -> BLEU."""
    scores = json.loads((folder / "work" / "result.json").read_text())["scores"]
    return {(score["system"], score["setting"]): score["mean"] for score in scores}


@pytest.fixture(scope="module")
def demo(once):
    """``demo("demo", *flags)``: the folder with a demo's ``work`` and what it printed, ``stdout``."""

    def finished(name, *flags):
        def make(folder):
            command = [sys.executable, ROOT / "examples" / "demo" / "demo.py", "--work", folder / "work", *flags]
            (folder / "stdout").write_text(run(command, timeout=7200).stdout)

        return once(f"whole-{name}", make)

    return finished


def test_translation_is_learned_without_a_pair(demo):
    scores = bleu(demo("demo"))
    assert min(scores["mass+bt", "sola-druk"], scores["mass+bt", "druk-sola"]) >= 80
    assert max(scores["copy", "sola-druk"], scores["copy", "druk-sola"]) < 20


def test_nothing_is_learned_from_a_language_that_means_nothing(demo):
    """The control: it is the two languages' meaning that translations come from, not the shared words."""
    scores = bleu(demo("control", "--control"))
    assert max(scores["mass+bt", "sola-babble"], scores["mass+bt", "babble-sola"]) < 20


def test_pre_training_has_learned_to_use_its_source(demo):
    """The right source predicts the span better than that of another sentence of the batch."""
    path = str(demo("demo") / "work" / "pretraining" / "checkpoint_last.pt")
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
