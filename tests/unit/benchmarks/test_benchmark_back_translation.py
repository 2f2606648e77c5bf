"""Both sides translate alike, the check sees it if they don't, and the records are written."""

import json

import pytest
import torch

from benchmarks import back_translation
from benchmarks.harness import back_translation_sides as sides
from benchmarks.harness.training_sides import SOURCE, TARGET, ModelSize, Setup

SMALL = "--cpu --pairs 2 --batches 1 --sentences 60 --vocabulary 64 --lessons 4 --max-tokens 300 --threads 1".split()
SMALL += "--layers 1 --width 16 --ffn 16 --heads 2 --clock cpu".split()


def test_it_runs_and_writes_records(tmp_path, capsys):
    output = tmp_path / "back_translation.json"
    assert back_translation.main([*SMALL, "--output", str(output)]) == 0
    records, printed = json.loads(output.read_text()), capsys.readouterr()
    assert len(records) == len(printed.out.splitlines()) == 7
    for record in records:
        assert {"benchmark", "peer", "ours", "theirs", "unit", "ratio", "pairs", "hardware"} <= set(record)
        assert record["pairs"] == 2 and record["ratio"] > 0
        if "update" in record["benchmark"]:
            assert all(0.1 < record["peak_memory_gib"][side] < 10 for side in ("ours", "peer"))
        if "generation" in record["benchmark"]:
            assert all(0 < record["share_of_matrix_products"][side] < 1 for side in ("ours", "peer"))
    for record in records[3:6]:
        for side in ("ours", "peer"):
            parts = record["seconds_of_an_update"][side]
            assert list(parts) == ["data", "generation", "training"] and min(parts["generation"], parts["training"]) > 0
    assert "100.00 % of the translations are the same on both sides" in printed.err
    assert printed.err.count("peak memory of an update (") == 5
    assert printed.err.count("where an update's time goes (") == 4
    assert printed.err.count("pair 2 of 2, seconds: ") == 3


class Fixed:
    """A side that translates as it is told."""

    def __init__(self, rows):
        self.batches, self.rows = [None], torch.tensor(rows)

    def update(self, number):
        return self.rows


def test_padding_makes_no_difference():
    assert back_translation.check_same_translations(Fixed([[5, 2, 1]]), Fixed([[5, 2]])) == 1


def test_one_in_a_thousand_may_round_otherwise():
    rows, other = [[5, 2]] * 1000, [[5, 2]] * 999 + [[6, 2]]
    assert back_translation.check_same_translations(Fixed(rows), Fixed(other)) == 0.999
    with pytest.raises(AssertionError, match="only 998 of 1000 translations"):
        back_translation.check_same_translations(Fixed(rows), Fixed([*other[:-2], [6, 2], [6, 2]]))


def test_the_check_sees_a_difference():
    with pytest.raises(AssertionError, match="only 1 of 2 translations"):
        back_translation.check_same_translations(Fixed([[5, 2], [6, 2]]), Fixed([[5, 2], [7, 2]]))


def test_work_is_that_of_the_updates(tmp_path):
    """Counting translates as updates do and leaves the batches as they are, of which fairseq's task overwrites the
    source."""
    sides.coded_corpus(str(tmp_path), 30, 64, 1)
    setup = Setup(str(tmp_path), SOURCE, TARGET, ModelSize(1, 16, 16, 2), 300, False, 1)
    ours = sides.unsupervised(setup, "fp32", sides.taught(setup, "fp32", 1), 2, by_fairseq=False)
    found = sides.Generation(ours)
    texts = sum(int(batch["target"].ne(1).sum()) for batch in found.batches)
    count = sides.sentences(ours)
    assert sides.work_of(ours) == (count, texts, round(sides.mean_length(found) * count))

    stock = sides.stock(setup, "fp32", sides.taught_stock(setup, "fp32", 2), 2)
    parts = [part for batch in stock.batches for name, part in batch.items() if name.endswith("-BT")]
    sources, written = [part["net_input"]["src_tokens"].clone() for part in parts], []
    translate = stock.trainer.task.backtranslate_sample
    stock.trainer.task.backtranslate_sample = lambda part, *languages: (
        translate(part, *languages),
        written.append(int((part["net_input"]["src_lengths"] - 1).sum())),
    )
    for number in range(2):
        stock.update(number)
    of_updates = sum(written)
    assert stock.trainer.model.training and len(written) == len(parts) == 4
    texts = sum(int(part["target"].ne(1).sum()) for part in parts)
    expected = (sum(part["nsentences"] for part in parts), texts, of_updates)
    assert stock.work() == expected and sum(written) == 2 * of_updates
    assert all(torch.equal(part["net_input"]["src_tokens"], source) for part, source in zip(parts, sources))


def test_the_text_that_is_translated_is_not_of_the_pairs(tmp_path):
    sides.coded_corpus(str(tmp_path), 30, 64, 1)
    mono = (tmp_path / "train.xx-None.xx.bin").read_bytes()
    assert mono != (tmp_path / "train.xx-yy.xx.bin").read_bytes()
    assert mono == (tmp_path / "xx" / "train.bin").read_bytes()
