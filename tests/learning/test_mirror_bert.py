"""Mirror-BERT: two processes are one; the recipes, with their peers; the benchmark."""

import json
import random
import subprocess

import pytest
import torch

from mass_plugins.objectives.pretrained import PretrainedModel
from tests import tiny
from tests.conftest import ROOT, run, torchrun
from tests.end_to_end.test_recipes import recipe_environment
from tests.mirror import STRINGS, flags, get_encoder, logged, write_strings


@pytest.fixture(scope="session")
def encoder(once, tiny_data_bin, run_fairseq):
    return get_encoder(once, tiny_data_bin, run_fairseq)


@pytest.fixture
def strings(tmp_path):
    return write_strings(tmp_path / "strings.txt")


def test_two_processes_train_as_one_on_the_joined_batch(run_fairseq, encoder, strings, tmp_path):
    """An update on all strings in one batch, or with half of them in each process; without dropout."""
    words = ["--dropout", 0, "--attention-dropout", 0, "--disable-validation", "--max-update", 1]
    words += ["--no-epoch-checkpoints"]
    one = run_fairseq("train", *flags(encoder, strings), *words, "--batch-size", 64, "--save-dir", tmp_path / "one")
    words += ["--batch-size", 32, "--save-dir", tmp_path / "two"]
    two = run(torchrun(*flags(encoder, strings), *words, *tiny.PLUGIN_FLAGS))
    logs = [logged(done.output, "train_inner")[0] for done in (one, two)]
    assert logs[0]["loss"] == logs[1]["loss"] and logs[0]["accuracy"] == logs[1]["accuracy"]
    assert float(logs[0]["gnorm"]) == pytest.approx(float(logs[1]["gnorm"]), abs=0.002)
    states = [PretrainedModel.read(str(tmp_path / name / "checkpoint_last.pt")).weights for name in ("one", "two")]
    for name, weight in states[0].items():
        assert torch.allclose(weight, states[1][name], atol=1e-5), name


def test_workers_change_nothing(run_fairseq, encoder, strings, tmp_path):
    """The second epoch's spans reach a worker, too."""
    words = ["--disable-validation", "--max-epoch", 2, "--batch-size", 16, "--no-save"]
    logs = [
        logged(run_fairseq("train", *flags(encoder, strings), *words, "--num-workers", n).output, "train")
        for n in (0, 1)
    ]
    assert [log["train_loss"] for log in logs[0]] == [log["train_loss"] for log in logs[1]]


def test_recipe_of_words_from_raw_text_to_result(tmp_path):
    """The recipe as it is, with few lines and updates."""
    data = tmp_path / "data"
    data.mkdir()
    lines = tiny.sentences(300, ["en"], "recipe")["en"]
    (data / "text.txt").write_text("".join(f"{line}\n" for line in lines))
    words = sorted({word.rstrip(".") for line in lines for word in line.split()})
    (data / "EN-RG-65.txt").write_text(
        "".join(f"{a}\t{b}\t{n % 5}\n" for n, (a, b) in enumerate(zip(words, words[1:])))
    )
    config = tmp_path / "config.sh"
    config.write_text(
        f'source "{ROOT}/examples/mirror_bert_words/config.sh"\nVOCABULARY=200\nNUMBER=30\nSEEDS=(1)\n'
        "ORDER=(mirror mirror-cls)\n"
        "SUMS=()\nMINILM_SEEDS=()\nPAIRS=(EN-RG-65.txt=x)\nWORD_SETS=()\nLOCAL_TEXT=(text.txt)\nLOCAL_READERS=(text.txt=lines)\n"
        "ENCODER=(--arch text_encoder_tiny --encoder-layers 1 --encoder-embed-dim 16 --encoder-attention-heads 2 "
        "--max-positions 128)\nPRETRAINING+=(--max-update 2)\nMIRROR_TRAINING+=(--batch-size 10)\n"
    )
    environment = recipe_environment(CONFIG=config, DATA=data, WORK=tmp_path / "work", JOBS="1")
    command = ["bash", str(ROOT / "examples" / "mirror_bert_words" / "run.sh")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    result = json.loads((tmp_path / "work" / "words.result.json").read_text())
    found = {(score["system"], score["setting"], score["metric"]) for score in result["scores"]}
    sets = {(system, "RG-65", "spearman") for system in ("mlm", "mlm-cls", "mirror", "mirror-cls")}
    assert found == sets  # no times: they are trained beside each other
    assert [(test["system"], test["baseline"]) for test in result["comparisons"]] == [
        ("mirror", "mlm"), ("mirror-cls", "mlm-cls"),
    ]  # fmt: skip


def test_recipe_of_sentences_with_peers(tmp_path):
    """The recipe as it is but for the real model, with few lines and updates; the second call does nothing anew."""
    data, draw = tmp_path / "data", random.Random(1)
    data.mkdir()
    lines = tiny.sentences(400, ["en"], "recipe")["en"]
    (data / "text.txt").write_text("".join(f"{line}\n" for line in lines[:300]))
    table = "".join(f"{draw.random() * 5:.1f}\t{a}\t{b}\n" for a, b in zip(lines[300:], lines[301:]))
    for name in ("2012.A.test.tsv", "2013.B.test.tsv"):
        (data / name).write_text(table)
    (data / "stsb-en-train.csv").write_text("".join(f"{a},{b},1.0\n" for a, b in zip(STRINGS, lines)) + "x y,z w,2\n")
    config = tmp_path / "config.sh"
    config.write_text(
        f'source "{ROOT}/examples/mirror_bert_sts/config.sh"\nVOCABULARY=200\nNUMBER=40\nSEEDS=(1 2)\n'
        'ORDER=(mirror "no dropout" drop-head)\nMINILM_SEEDS=()\n'
        "SUMS=()\nPAIRS=(2012.A.test.tsv=x 2013.B.test.tsv=x)\nWORD_SETS=()\n"
        "LOCAL_TEXT=(text.txt)\nLOCAL_READERS=(text.txt=lines)\n"
        "ENCODER=(--arch text_encoder_tiny --encoder-layers 1 --encoder-embed-dim 16 --encoder-attention-heads 2 "
        "--max-positions 128)\nPRETRAINING+=(--max-update 2)\nMIRROR_TRAINING+=(--batch-size 10)\n"
        'PEER_FLAGS=([simcse]="--batch-size 10 --lr 1e-4" [tsdae]="--batch-size 8 --lr 1e-4")\n'
    )
    environment = recipe_environment(CONFIG=config, DATA=data, WORK=tmp_path / "work", JOBS="1")
    command = ["bash", str(ROOT / "examples" / "mirror_bert_sts" / "run.sh")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "work" / "sts.result.json").read_text())
    scores = {(score["system"], score["setting"]): score for score in result["scores"]}
    for system in ("mirror", "no dropout", "drop-head", "simcse", "tsdae"):
        for setting in ("STS12", "STS13", "average"):
            assert len(scores[system, setting]["values"]) == 2
    timed = [system for system, setting in scores if setting == "training"]
    assert timed == ["mirror", "simcse", "tsdae"]  # one at a time
    assert len(scores["mlm", "average"]["values"]) == 1 and len(scores["mirror", "average"]["intervals"]) == 2
    baselines = {test["system"]: test["baseline"] for test in result["comparisons"]}
    assert baselines == {"mirror": "mlm", **dict.fromkeys(("no dropout", "drop-head", "simcse", "tsdae"), "mirror")}
    (listed,) = (tmp_path / "work" / "runs").glob("mirror_bert_sts-*/stages")
    stages = set(listed.read_text().split())
    assert stages == {path.parent.name for path in (tmp_path / "work").glob("*/.seconds")}
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0 and "starts" not in again.stdout


def test_benchmark_runs_on_equal_vectors_and_writes_records(tmp_path):
    """A tiny model of random weights in place of the real one."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    from benchmarks import mirror

    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"{line}\n" for line in tiny.sentences(80, ["en"], "benchmark")["en"]))
    tokenizer = BertWordPieceTokenizer()
    tokenizer.train([str(lines)], vocab_size=120, show_progress=False)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    folder = tmp_path / "model"
    BertTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json")).save_pretrained(folder)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=64, **shape)).save_pretrained(
        folder
    )
    output = tmp_path / "mirror.json"
    words = [
        "--model",
        folder,
        "--strings",
        lines,
        "--number",
        60,
        "--batch-size",
        20,
        "--pairs",
        2,
        "--output",
        output,
    ]
    assert mirror.main(list(map(str, words))) == 0
    training, encoding = json.loads(output.read_text())
    assert training["unit"] == encoding["unit"] == "strings per second" and training["pairs"] == 2
    assert training["settings"]["seconds_per_10000_ours"] > 0 and encoding["ratio"] > 0
    assert mirror.main(["--model", str(tmp_path / "no"), "--pairs", "1"]) == 1
