"""Interrupted at any moment and started again, a run ends with the weights of an undisturbed one, bit for bit."""

import shutil
import signal

import pytest
import torch

from tests import tiny
from tests.conftest import run, run_until, script, torchrun

# 120 lines a shard: 16 updates an epoch, and each epoch the other shard
UPDATES = ("--max-update", "32", "--save-interval-updates", "5", "--validate-interval-updates", "10")
MANY = ("--batch-size", "16")


@pytest.fixture
def stages(tiny_shards, pretrained):
    """Flags of fairseq-train for each stage."""
    data = f"{tiny_shards}/0:{tiny_shards}/1"
    start = ("--pretrained-checkpoint", str(pretrained / "checkpoint_last.pt"))
    return {
        "pretraining": [data, *tiny.PRETRAIN, *MANY, *UPDATES, "--mono-langs", "de", "--parallel-directions", "de-en"],
        "unsupervised": [
            data, *tiny.UNSUPERVISED, *MANY, *UPDATES, *start, "--back-translation-sampling",
            "--denoising-weight", "1", "--mass-weight", "0:1,20:0", "--pairs-weight", "0.5",
        ],
        "finetuning": [data, *tiny.FINETUNE, *MANY, *UPDATES, *start, "--eval-bleu"],
    }  # fmt: skip


def weights(folder, name="checkpoint_last.pt"):
    state = torch.load(folder / name, map_location="cpu", weights_only=True)
    return state["model"], state["last_optimizer_state"], state["extra_state"]["train_iterator"]


def assert_same(one, other):
    """Equal to the last bit, whatever they are made of."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.equal(other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for pair in zip(one, other):
            assert_same(*pair)
    else:
        assert one == other


def interrupt(command, words, number, folder, updates):
    """Send signal ``number`` at ``words``; ``folder`` is then left with a whole checkpoint of ``updates`` updates."""
    done = run_until(command, words, number)
    state = torch.load(folder / "checkpoint_last.pt", weights_only=True)
    assert state["optimizer_history"][-1]["num_updates"] == updates
    assert not (folder / "checkpoint_2_32.pt").exists()
    return done


@pytest.mark.parametrize(
    "stage, workers",
    [("pretraining", "0"), ("pretraining", "2"), ("finetuning", "0"), ("finetuning", "2"), ("unsupervised", "2")],
)
def test_interrupted_run_ends_as_an_undisturbed_one(stage, workers, stages, once, tmp_path, run_fairseq):
    """Killed while it saves in the first epoch, Ctrl-C in the second one, on the other shard; in the end the checkpoint
    that it started from is gone."""
    flags, start = stages[stage], tmp_path / "start.pt"
    undisturbed = once(f"undisturbed-{stage}", lambda folder: run_fairseq("train", *flags, "--save-dir", folder))
    pretrained = [flag for flag in flags if flag.endswith("checkpoint_last.pt")]
    if pretrained:
        shutil.copy(pretrained[0], start)
    folder = tmp_path / "checkpoints"
    again = [str(start) if flag in pretrained else flag for flag in flags]
    again += ["--save-dir", folder, "--num-workers", workers]
    command = [script("fairseq-train"), *again, *tiny.PLUGIN_FLAGS]

    killed = interrupt(command, "checkpoint_1_10.pt", signal.SIGKILL, folder, updates=5)
    assert killed.status == -signal.SIGKILL
    stopped = interrupt(command, '"num_updates": "22"', signal.SIGINT, folder, updates=20)
    assert stopped.status == -signal.SIGINT
    # its last line, because torch warns where there are fewer cores than workers
    assert "Traceback" not in stopped.stderr
    assert stopped.stderr.endswith(
        "mass_plugins: interrupted; run the same command again to resume from the last checkpoint\n"
    )
    start.unlink(missing_ok=True)
    assert "Loaded checkpoint" in run_fairseq("train", *again).stdout

    assert_same(weights(folder), weights(undisturbed))
    assert not list(folder.glob("*.tmp"))


def test_two_processes_go_on_after_a_kill(tiny_shards, tmp_path):
    """Also shows that torchrun starts the plugin; rank 0 alone saves, and hands what it loads to rank 1."""
    flags = [
        f"{tiny_shards}/0:{tiny_shards}/1", *tiny.PRETRAIN, *MANY, "--max-update", 40, "--save-interval-updates", 5,
        "--disable-validation", *tiny.PLUGIN_FLAGS,
    ]  # fmt: skip
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = run(torchrun(*flags, "--save-dir", whole))
    assert "training on 2 devices" in done.stdout
    run_until(torchrun(*flags, "--save-dir", broken), '"num_updates": "8"', signal.SIGKILL)
    state = torch.load(broken / "checkpoint_last.pt", weights_only=True)
    assert 5 <= state["optimizer_history"][-1]["num_updates"] < 40
    run(torchrun(*flags, "--save-dir", broken))
    assert_same(weights(broken), weights(whole))
