"""Every way in: --user-dir of each command, common.user_dir of Hydra's, and ``import mass_plugins``."""

import json
import os
import subprocess
import sys

import torch

from tests.conftest import PLUGIN, ROOT, environment, run, script


def test_training_prints_nothing_on_stderr(pretrained, finetuned):
    """fairseq-train with --user-dir, from raw start to end: no warning, of whosever making."""
    assert (pretrained / "stderr").read_text() == ""
    assert (finetuned / "stderr").read_text() == ""
    assert "warn" not in (finetuned / "stdout").read_text().lower().replace("warmup", "").replace("warning_time", "")


def test_relative_user_dir(tiny_data_bin, finetuned):
    """As the README writes it: from the repository's folder."""
    done = run(
        [script("fairseq-generate"), tiny_data_bin, "--user-dir", "mass_plugins", "--cpu",
         "--task", "seq2seq_finetuning",
         "--source-lang", "en", "--target-lang", "de", "--path", finetuned / "checkpoint_last.pt", "--beam", 1],
        cwd=ROOT,
    )  # fmt: skip
    assert "D-0\t" in done.stdout
    assert "Warning" not in done.stderr


def test_hydra(tiny_data_bin, tmp_path):
    """A partial configuration: what it doesn't name has the preset's value, what it names reaches the model."""
    model = "{_name: mass_tiny, encoder_layers: 1, encoder_attention_heads: 8}"
    run(
        [script("fairseq-hydra-train"), f"common.user_dir={PLUGIN}", "common.cpu=true", "common.log_format=json",
         f"+task={{_name: mass_pretraining, data: {tiny_data_bin}, span_ratio: 0.25}}", f"+model={model}",
         "criterion=label_smoothed_cross_entropy", "optimizer=adam", "optimization.lr=[0.001]",
         "dataset.max_tokens=500", "dataset.num_workers=0", "optimization.max_update=1",
         f"checkpoint.save_dir={tmp_path}/checkpoints"],
        cwd=tmp_path,
    )  # fmt: skip
    state = torch.load(tmp_path / "checkpoints" / "checkpoint_last.pt", weights_only=True)
    chosen = state["cfg"]["model"]
    assert (chosen["encoder_layers"], chosen["encoder_attention_heads"]) == (1, 8)
    assert (chosen["decoder_layers"], chosen["encoder_embed_dim"]) == (3, 256)
    assert state["cfg"]["task"]["span_ratio"] == 0.25
    assert "encoder.layers.1.fc1.weight" not in state["model"] and "decoder.layers.2.fc1.weight" in state["model"]


def in_fresh_python(code):
    """Standard output of ``code``; nothing may come on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "default::UserWarning", "-c", code],
        env={**environment(), "PYTHONPATH": str(ROOT)},
        cwd=os.sep,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_import_registers_everything_quietly():
    """And the folder as --user-dir afterwards, as a script may do, is the same package."""
    found = json.loads(
        in_fresh_python(
            f"""
import argparse, json, logging
import mass_plugins
from fairseq import utils
from fairseq.models import MODEL_REGISTRY
from fairseq.tasks import TASK_REGISTRY
root = logging.getLogger()
before = [len(root.handlers), root.level]
utils.import_user_module(argparse.Namespace(user_dir={str(PLUGIN)!r}))
ours = lambda names: sorted(n for n, c in names.items() if c.__module__.startswith("mass_plugins"))
print(json.dumps([ours(MODEL_REGISTRY), ours(TASK_REGISTRY), before, mass_plugins.__version__]))
"""
        )
    )
    mass = {"mass_base", "mass_middle", "mass_tiny", "mass_unmt"}
    retrieval = {"dupmae", "dupmae_bert_base", "retriever", "retriever_bert_base", "cross_encoder_bert_base"}
    assert mass | retrieval | {"text_encoder", "text_encoder_bert_base"} <= set(found[0])
    tasks = {"mass_pretraining", "seq2seq_finetuning", "unsupervised_translation", "mlm_pretraining"}
    assert tasks | {"dupmae_pretraining", "retrieval_finetuning", "relevance_finetuning"} <= set(found[1])
    assert found[2] == [0, 30]  # no handler, level WARNING: fairseq's logging.basicConfig is undone
