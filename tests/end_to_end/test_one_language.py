"""Pairs of one language through the real commands: text, fine-tuning, summaries, scores, a talk."""

import io
import json
import random
import re
import signal
import subprocess
import sys

import pytest

from mass_plugins import cli
from tests import tiny
from tests.conftest import ROOT, Finished, environment, run, script

WORDS = [a + b for a in ("th", "wh", "s", "gr") for b in ("ight", "ound", "ing", "oat", "eed", "all", "ore", "ink")]
PREPARE = [script("python"), ROOT / "preprocess" / "prepare.py"]
SUMMARIES = ["--min-len", 6, "--max-len", 9]


def write_text(folder):
    """Documents of 20 to 200 words whose summary is how they begin."""
    draw = random.Random(1)
    for split, lines in (("train", 60), ("valid", 8), ("test", 6)):
        documents = [" ".join(draw.choices(WORDS, k=draw.randint(20, 200))) for _ in range(lines)]
        (folder / f"{split}.source").write_text("".join(f"{line}.\n" for line in documents))
        (folder / f"{split}.target").write_text("".join(f"{' '.join(line.split()[:5])}\n" for line in documents))


@pytest.fixture(scope="module")
def model(once, run_fairseq):
    """A folder with the text, ``data-bin``, ``finetuned`` and what the commands said."""

    def make(folder):
        write_text(folder)
        done = run(
            [*PREPARE, "--mono", f"en={folder}/train.source", "--parallel", f"en-en={folder}/train", "--valid-parallel",
             f"en-en={folder}/valid", "--test-parallel", f"en-en={folder}/test", "--destdir", folder / "data-bin",
             "--vocab-size", 150, "--max-pieces", 120, "--workers", 1]
        )  # fmt: skip
        (folder / "prepare.txt").write_text(done.stdout)
        size = ["--max-source-positions", 128, "--max-target-positions", 128]
        done = run_fairseq(
            "train", folder / "data-bin", "--task", "seq2seq_finetuning", "--directions", "en-en", *tiny.MODEL,
            *tiny.TRAINING, *size, "--truncate-source", 50, "--eval-rouge", "--eval-max-len-a", 0,
            "--eval-max-len-b", 9, "--eval-min-len", 3, "--best-checkpoint-metric", "rouge2",
            "--maximize-best-checkpoint-metric",
            "--max-update", 4, "--save-interval-updates", 2, "--validate-interval-updates", 2,
            "--save-dir", folder / "finetuned",
        )  # fmt: skip
        (folder / "finetuned.txt").write_text(done.output)

    return once("one-language", make)


@pytest.fixture
def plugins(monkeypatch, capsys):
    """plugins(*arguments, stdin="", expect=0) → stdout and stderr of ``mass-plugins``, within this process."""

    def call(*arguments, stdin="", expect=0):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        assert cli.main(list(map(str, arguments))) == expect
        return Finished(expect, *capsys.readouterr())

    return call


def test_documents_are_cut_and_named_by_their_side(model):
    report = json.loads((model / "data-bin" / "prepare.json").read_text())
    cut = {row["split"]: row.get("cut", 0) for row in report["corpora"] if row["corpus"] == "en-en"}
    lengths = [len(line.split()) for line in (model / "train.source").read_text().splitlines()]
    assert report["languages"] == ["en"] and all(cut.values()) and cut["train"] <= len(lengths)
    rows = {row["split"]: row["lines"] for row in report["corpora"] if row["corpus"] == "en-en"}
    assert rows == {"train": 60, "valid": 8, "test": 6}  # nothing is dropped, however long
    names = {path.name for path in (model / "data-bin").iterdir()}
    assert {"train.en-en.source.bin", "test.en-en.target.idx", "dict.en.txt"} <= names
    assert not [name for name in names if "source-target" in name or name.startswith("dict.source")]
    assert f"{cut['train']} sources are cut to the first 120 sub-words" in (model / "prepare.txt").read_text()


def test_rouge_in_validation_chooses_the_checkpoint(model):
    text = (model / "finetuned.txt").read_text()
    _, line = re.findall(r"\| valid \| (\{.*\})", text)
    scores = {name: float(json.loads(line)[f"valid_{name}"]) for name in ("rouge1", "rouge2", "rougeL")}
    assert 0 <= scores["rouge2"] <= scores["rougeL"] <= scores["rouge1"] <= 100
    assert "best_rouge2" in line and "validation ROUGE of en-en: nrefs:1|f:1|case:lc|stem:porter" in text


def check_summaries(summaries, pieces=None):
    assert len(summaries) == 6
    for words in pieces or ():
        assert 6 <= len(words) <= 9
        grams = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
        assert len(grams) == len(set(grams))


def test_generate_and_summarize_find_the_same_summaries(model, run_fairseq, plugins):
    """At least 6 sub-words, no trigram twice, documents cut as in training."""
    checkpoint = model / "finetuned" / "checkpoint_best.pt"
    found = run_fairseq(
        "generate", model / "data-bin", "--task", "seq2seq_finetuning", "-s", "en", "-t", "en", "--path", checkpoint,
        "--truncate-source", 50, "--beam", 3, "--min-len", 6, "--max-len-b", 9, "--no-repeat-ngram-size", 3,
        "--lenpen", 1.5,
    )  # fmt: skip
    pieces = dict(re.findall(r"^H-(\d+)\t\S+\t(.*)$", found.stdout, re.MULTILINE))
    texts = dict(re.findall(r"^D-(\d+)\t\S+\t(.*)$", found.stdout, re.MULTILINE))
    check_summaries(texts, [line.split() for line in pieces.values()])
    documents = (model / "test.source").read_text()
    flags = ("--beam", 3, *SUMMARIES, "--length-penalty", 1.5)
    done = plugins("summarize", checkpoint, *flags, stdin=documents)
    assert done.stdout.splitlines() == [texts[str(number)] for number in range(6)]
    cut = plugins("summarize", checkpoint, *flags, "--truncate", 10, stdin=documents + "\n")
    assert cut.stdout.count("\n") == 7 and cut.stdout.endswith("\n\n")  # an empty document stays empty


def test_the_evaluations(model, plugins):
    checkpoint = model / "finetuned" / "checkpoint_best.pt"
    target, source = model / "test.target", model / "test.source"
    scores = plugins("evaluate", "rouge", target, target).stdout
    assert scores.startswith("ROUGE-1  100.00  [100.00, 100.00]\n") and "stem:porter" in scores
    compared = json.loads(plugins("evaluate", "rouge", target, target, "--baseline", source, "--json", "-").stdout)
    assert compared["comparisons"][0]["difference"] > 0 and compared["ROUGE-L"]["score"] == 100
    assert "distinct-2  " in plugins("evaluate", "distinct", target).stdout
    flags = ("evaluate", "perplexity", checkpoint, "--source", "en", "--target", "en", source, target)
    whole, small = (json.loads(plugins(*flags, "--json", "-", "--batch-tokens", n).stdout) for n in (4000, 1))
    assert whole["perplexity"] == pytest.approx(small["perplexity"], rel=1e-4) and whole["tokens"] == small["tokens"]
    assert f"tokens:{whole['tokens']}" in whole["signature"]
    sides = (model / "valid.source", model / "valid.target")
    last = model / "finetuned" / "checkpoint_last.pt"
    found = json.loads(plugins(*flags[:2], last, *flags[3:-2], *sides, "--json", "-").stdout)
    logged = re.findall(r'"valid_ppl": "([\d.]+)"', (model / "finetuned.txt").read_text())[-1]
    assert found["perplexity"] == pytest.approx(float(logged), rel=1e-3)  # as fairseq counts it in validation
    done = plugins("evaluate", "rouge", target, model / "valid.target", expect=1)
    assert "has 6 lines" in done.stderr and done.stderr.count("\n") == 1


def test_a_talk(model, plugins):
    """Equal seeds answer alike; what was said is remembered and forgotten; end of input ends it."""
    search = ("chat", model / "finetuned" / "checkpoint_best.pt", "--max-len", 5, "--beam", 2)
    chat = (*search[:-2], "--seed", 3)
    said = "thight whound\n/history\n/temperature 0.7\n/temperature hot\n/nothing\n\n/reset\n/history\n/quit\nnever\n"
    first, again = (plugins(*chat, stdin=said) for _ in range(2))
    assert first.stdout == again.stdout and not first.stderr
    lines = first.stdout.splitlines()
    assert lines[1:3] == ["thight whound", lines[0]]
    assert lines[3:] == [
        "(temperature 0.7)", "('hot' is not a number; say, for example, /temperature 0.7)",
        "(there is no command /nothing; /help lists the commands)", "(all is forgotten)", "(nothing was said)",
    ]  # fmt: skip
    assert plugins(*search, stdin="sing\n").stdout.count("\n") == 1
    wrong = plugins("chat", model / "finetuned" / "checkpoint_best.pt", "--temperature", 0, expect=1)
    assert "temperature of 0.0 is not finite and 1e-10 or more" in wrong.stderr


def test_ctrl_c_leaves_a_talk_cleanly(model):
    command = [script("python"), "-m", "mass_plugins", "chat", model / "finetuned" / "checkpoint_best.pt", "--beam", 1]
    with subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        process.stdin.write("sing\n")
        process.stdin.flush()
        assert process.stdout.readline().endswith("\n")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 0 and not errors
