"""Every side of the training benchmark trains on the same sentences, and the records are written."""

import json
import logging

import pytest
import torch

from benchmarks import training
from benchmarks.harness import training_sides as sides

TINY = "--layers 1 --width 16 --ffn 16 --heads 2 --max-tokens 300 --sentences 300 --vocabulary 60".split()


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """The program silences all logging of its process, which here is that of other tests, too."""
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_runs_and_writes_records(precision, tmp_path):
    """bf16 is the way that a GPU takes; fairseq's --bf16 alone would look for a TPU."""
    output = tmp_path / "training.json"
    flags = [*TINY, "--cpu", "--pairs", "2", "--batches", "2", "--precision", precision, "--output", str(output)]
    assert training.main(flags) == 0
    records = json.loads(output.read_text())
    names = [record["benchmark"] for record in records]
    assert len(records) == len(set(names)) == 4 and f"fine-tuning update, CPU {precision}" in names[0]
    for record in records:
        assert {"benchmark", "peer", "ours", "theirs", "unit", "ratio", "pairs", "hardware"} <= set(record)
        assert record["pairs"] == len(record["ratios"]) == 2 and record["ratio"] > 0
        languages = 2 * 2 * 16  # two languages, both sides of the model
        assert record["settings"]["parameters"] == record["settings"]["parameters_of_peer"] + languages
    assert str(tmp_path) not in output.read_text()


@pytest.fixture(scope="module")
def setup():
    with sides.generated_corpus(300, 60, seed=2) as data:
        yield sides.Setup(data, sides.SOURCE, sides.TARGET, sides.ModelSize(1, 16, 16, 2), 300, False, 1)


def test_all_sides_hold_the_same_sentences_and_learn(setup):
    stock, places = sides.stock(setup, "fp32", 3)
    ours = sides.finetuning(setup, "fp32", places)
    mass = sides.pretraining(setup, "autocast", places, stock.trainer.task.dataset("train"))
    for side in (ours, mass):
        sides.check_same_sentences(stock, side)
        assert side.source_tokens == stock.source_tokens
    assert [b["ntokens"] for b in ours.batches] == [b["ntokens"] for b in stock.batches]
    half = sum(b["ntokens"] for b in mass.batches) / stock.source_tokens
    assert half == pytest.approx(0.5, abs=0.05)
    for side in (stock, ours, mass):
        before = [parameter.detach().clone() for parameter in side.trainer.model.parameters()]
        side.update(0)
        assert side.trainer.get_num_updates() == 1
        assert not all(map(torch.equal, before, side.trainer.model.parameters()))


def test_other_sentences_are_noticed(setup):
    stock, places = sides.stock(setup, "fp32", 3)
    other = sides.finetuning(setup, "fp32", places[::-1])
    with pytest.raises(AssertionError, match="different sentences"):
        sides.check_same_sentences(stock, other)


def test_flags_that_do_not_fit_are_refused(capsys):
    with pytest.raises(SystemExit):
        training.parse(["--data", "data-bin"])
    assert "--source-lang" in capsys.readouterr().err
