"""Unsupervised translation through the real commands: metrics, several processes, and what must not stop it."""

import json
import re
from importlib.util import find_spec

import pytest
import torch

from mass_plugins.scoring.curves import read_run
from tests import tiny
from tests.conftest import run, torchrun

START = "--pretrained-checkpoint"
# 400 sentences in two languages, 16 an update: 25 batches, so that two processes have 13 and 12
EPOCH = ("--max-epoch", "1", "--batch-size", "16", "--dropout", "0", "--attention-dropout", "0")


@pytest.fixture(scope="module")
def trained(once, tiny_data_bin, pretrained, run_fairseq):
    """A run with every step, ``checkpoint_best.pt`` chosen by round trips; ``stdout``."""

    def make(folder):
        done = run_fairseq(
            "train", tiny_data_bin, *tiny.UNSUPERVISED, START, pretrained / "checkpoint_last.pt", "--max-update", 6,
            "--denoising-weight", 1, "--mass-weight", "0:1,3:0", "--pairs-weight", 0.5, "--save-dir", folder,
            "--best-checkpoint-metric", "round_trip_bleu", "--maximize-best-checkpoint-metric",
            *(("--tensorboard-logdir", folder / "board") if find_spec("tensorboard") else ()),
        )  # fmt: skip
        (folder / "stdout").write_text(done.stdout)
        (folder / "stderr").write_text(done.stderr)

    return once("unsupervised", make)


def logged(text, tag):
    """The last JSON line of fairseq's log with this tag."""
    return json.loads(re.findall(rf"\| {tag} \| (\{{.*\}})", text)[-1])


class TestLog:
    def test_each_step_has_its_loss(self, trained):
        losses = logged((trained / "stdout").read_text(), "train")
        for step in ("back_translation", "denoising", "mass", "pairs"):
            assert 0 < float(losses[f"train_{step}_loss"]) < 10
        assert 0 <= float(losses["train_copied"]) <= 1

    def test_validation_measures_with_and_without_pairs(self, trained):
        found = logged((trained / "stdout").read_text(), "valid")
        rates = ("copy_rate", "wrong_language_rate", "wrong_language_ceiling", "length_ratio")
        for name in ("bleu", "round_trip_bleu", *rates):
            for suffix in ("", "_de-en", "_en-de"):
                assert float(found[f"valid_{name}{suffix}"]) >= 0
        # of the sub-words of these languages' words most are one language's own
        assert 0.5 < float(found["valid_wrong_language_ceiling"]) < 1

    def test_tensorboard_has_the_same_numbers(self, trained):
        pytest.importorskip("tensorboard")
        board, found = read_run("", str(trained / "board")), logged((trained / "stdout").read_text(), "valid")
        for name in ("bleu_de-en", "round_trip_bleu", "copy_rate", "wrong_language_rate_en-de", "length_ratio"):
            assert board.values["valid", name][6] == pytest.approx(float(found[f"valid_{name}"]), abs=1e-4)

    def test_some_translations_are_shown(self, trained):
        text = (trained / "stdout").read_text()
        for third in ("and back", "reference"):
            shown = re.findall(rf"validation \| (de|en): .+ \| (de|en): .* \| {third}: ", text)
            assert shown.count(("de", "en")) == shown.count(("en", "de")) >= 3

    def test_nothing_to_worry_about(self, trained):
        assert not (trained / "stderr").read_text()
        assert not re.search(r"\| (WARNING|ERROR) \||Warning", (trained / "stdout").read_text())

    def test_the_checkpoint_is_chosen_by_round_trips(self, trained):
        best = torch.load(trained / "checkpoint_best.pt", weights_only=True)
        assert best["cfg"]["checkpoint"]["best_checkpoint_metric"] == "round_trip_bleu"
        assert (trained / "checkpoint_best.pt").exists()


def test_its_checkpoint_translates(trained, tiny_data_bin, run_fairseq):
    done = run_fairseq(
        "generate", tiny_data_bin, "--task", "unsupervised_translation", "--path", trained / "checkpoint_last.pt",
        "--source-lang", "de", "--target-lang", "en", "--gen-subset", "test", "--beam", 2, "--scoring", "sacrebleu",
    )  # fmt: skip
    assert re.search(r"Generate test with beam=2: BLEU = [\d.]+ ", done.stdout)


def weights(folder):
    return torch.load(folder / "checkpoint_last.pt", weights_only=True)["model"]


def updates(folder):
    return torch.load(folder / "checkpoint_last.pt", weights_only=True)["optimizer_history"][-1]["num_updates"]


def test_two_processes_are_one_with_twice_the_batch(tiny_data_bin, pretrained, tmp_path, run_fairseq):
    """Two processes, one of them a batch short, take the updates that one takes with --update-freq 2, also after a
    validation in the midst of the epoch.

    fairseq itself ends a run whose processes disagree about the norm of the gradient.
    """
    flags = [
        tiny_data_bin, *tiny.UNSUPERVISED, *EPOCH, START, pretrained / "checkpoint_last.pt", "--denoising-weight", 0.5,
        "--validate-interval-updates", 5, "--max-tokens", 150, "--optimizer", "sgd", "--lr", 0.1, "--clip-norm", 0,
    ]  # fmt: skip
    two, one = tmp_path / "two", tmp_path / "one"
    done = run(torchrun(*flags, *tiny.PLUGIN_FLAGS, "--save-dir", two))
    assert "training on 2 devices" in done.stdout
    run_fairseq("train", *flags, "--update-freq", 2, "--save-dir", one)
    assert updates(two) == updates(one)
    before, after, other = weights(pretrained), weights(two), weights(one)
    moved = torch.cat([(after[key] - before[key]).flatten() for key in after if after[key].is_floating_point()])
    apart = torch.cat([(after[key] - other[key]).flatten() for key in after if after[key].is_floating_point()])
    assert apart.norm() < 1e-4 * moved.norm()


def test_a_loss_that_is_nan_ends_the_run_and_names_the_batch(tiny_data_bin, pretrained, tmp_path, run_fairseq):
    done = run_fairseq(
        "train", tiny_data_bin, *tiny.UNSUPERVISED, START, pretrained / "checkpoint_last.pt", "--max-update", 5,
        "--lr", "1e30", "--clip-norm", 0, "--save-dir", tmp_path, expect=None,
    )  # fmt: skip
    assert re.search(r"the loss of back_translation is nan; ids of the batch: \[\d+", done.output)
    assert done.stderr.strip().splitlines()[-1] == "FloatingPointError: gradients are Nan/Inf"
    assert "NaN detected in output of " in done.output and "Warning:" not in done.output


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--directions", "de-en"], "--directions has de-en without en-de, which has to translate its text; add it"),
        (
            ["--directions", "de-en", "--pairs-weight", "1"],
            "--directions has de-en without en-de, which has to translate",
        ),
        (["--directions", "de-de"], "--directions de-de has one language; there is nothing to translate"),
        (["--back-translation-weight", "0"], "are all 0 at update 0; raise one of them"),
        (["--mass-weight", "some"], "--mass-weight 'some' is not a weight; set it like 0.5 or 0:1,30000:0.1,60000:0"),
        (["--back-translation-temperature", "0.5"], "need --back-translation-sampling"),
        (["--back-translation-sampling", "--back-translation-topp", "2"], "2.0 is not in (0, 1]"),
        (["--denoising-weight", "1", "--word-drop", "1"], "--word-drop 1.0 is not in [0, 1)"),
        (["--ddp-backend", "fully_sharded"], "--ddp-backend fully_sharded can't generate translations"),
        (["--directions", "de-fr,fr-de", "--pairs-weight", "1"], "no train pairs of --directions"),
        (
            ["--directions", "de-fr,fr-de", "--best-checkpoint-metric", "bleu", "--maximize-best-checkpoint-metric"],
            "or choose by round_trip_bleu",
        ),
        (
            [
                "--directions",
                "de-fr,fr-de,de-en,en-de",
                "--best-checkpoint-metric",
                "bleu_de-fr",
                "--maximize-best-checkpoint-metric",
            ],
            "bleu_de-fr needs valid pairs of --directions that",
        ),
        (["--best-checkpoint-metric", "round_trip_bleu", "--no-eval-bleu"], "--no-eval-bleu exclude each other"),
    ],
)
def test_bad_flags_are_one_line(flags, message, tiny_data_bin, tmp_path, run_fairseq):
    done = run_fairseq("train", tiny_data_bin, *tiny.UNSUPERVISED, *flags, "--save-dir", tmp_path, expect=1)
    last = done.stderr.strip().splitlines()[-1]
    assert message in last and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
