"""Documents on disk: what flags change, what is dropped and counted, a folder that is ready already."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from fairseq.data.indexed_dataset import MMapIndexedDataset

from preprocess import prepare_documents
from preprocess.documents import DocumentMaker
from tests import tiny, tiny_encoder

END, MASK = 2, 4


@pytest.fixture
def prepare(tmp_path):
    """The command on six documents of eight lines; its status, the units in DESTDIR, and how many lines each has."""
    (tmp_path / "like").mkdir()
    tokenizer = tiny_encoder.make_text()
    tokenizer.save(tmp_path / "like")
    lines = tiny.sentences(48, ["de"], "documents")["de"]
    text = "\n\n".join("\n".join(lines[begin : begin + 8]) for begin in range(0, 48, 8))
    (tmp_path / "de.txt").write_text(text + "\n")

    def run(*flags):
        words = ["--documents", f"de={tmp_path}/de.txt", "--like", tmp_path / "like", "--destdir", tmp_path / "out"]
        words += ["--units", "4", "--min-units", "1", *flags]
        status = prepare_documents.exit_status("x", lambda: prepare_documents.main([str(word) for word in words]))
        units = MMapIndexedDataset(str(tmp_path / "out" / "train.de-None.de"))
        lines_of = [int((unit == tokenizer.vocabulary.eos).sum()) for unit in units]
        return status, units, lines_of

    return run


def test_lines_are_packed_unless_told_otherwise(prepare):
    _, _, lines_of = prepare("--unit-tokens", "60")
    assert sum(lines_of) == 48 and max(lines_of) > 1
    status, _, lines_of = prepare("--unit-tokens", "60", "--no-packing", "--overwrite")
    assert status == 0 and lines_of == [1] * 48


def test_a_folder_of_the_same_text_and_flags_is_ready(prepare, capsys):
    status, units, _ = prepare()
    assert status == 0 and "nothing to do" not in capsys.readouterr().out
    assert prepare()[0] == 0 and "nothing to do" in capsys.readouterr().out
    assert prepare("--unit-tokens", "9")[0] == 1 and "--overwrite" in capsys.readouterr().err
    status, other, _ = prepare("--unit-tokens", "9", "--overwrite")
    assert status == 0 and max(map(len, other)) <= 9 < max(map(len, units))


def test_text_is_encoded_a_few_characters_at_a_time(prepare, monkeypatch):
    """However many documents they are; the size of a chunk changes nothing."""
    _, units, _ = prepare()
    whole = [unit.tolist() for unit in units]
    sizes, call = [], DocumentMaker.__call__
    monkeypatch.setattr(prepare_documents, "_AT_A_TIME", 500)
    monkeypatch.setattr(DocumentMaker, "__call__", lambda self, chunk: sizes.append(len(chunk)) or call(self, chunk))
    _, units, _ = prepare("--min-units", "2", "--overwrite")
    _, units, _ = prepare("--overwrite")
    assert [unit.tolist() for unit in units] == whole and max(sizes) < 6 and sum(sizes) == 12
    documents = [["a" * 30], [], ["b" * 200], ["c"]]
    assert list(prepare_documents.chunks_of(documents, 100)) == [documents[:3], documents[3:]]


def test_workers_are_threads_of_the_tokenizer(prepare, monkeypatch):
    monkeypatch.setenv("RAYON_NUM_THREADS", "x")  # so that it is removed afterwards
    monkeypatch.delenv("RAYON_NUM_THREADS")
    found, call = [], DocumentMaker.__call__
    monkeypatch.setattr(
        DocumentMaker, "__call__", lambda *of: found.append(os.environ["RAYON_NUM_THREADS"]) or call(*of)
    )
    prepare("--workers", "3")
    assert found == ["3"]


def make_maker(**options):
    """Of a text whose pieces are the numbers that a line holds."""
    dictionary = SimpleNamespace(unk=lambda: 3)
    text = SimpleNamespace(
        special_ids=np.array([0, 1, END, 3, MASK]),
        dictionary=dictionary,
        vocabulary=SimpleNamespace(eos=END),
        pieces=lambda lines, language: (np.array(line.split(), dtype=np.int64) for line in lines),
    )
    return DocumentMaker(text, **{"unit_tokens": 4, "units": 2, "min_units": 2, "together": True, "language": None,
                                  **options})  # fmt: skip


def test_lines_with_a_reserved_symbol_are_dropped_and_unknown_tokens_are_not():
    maker = make_maker(min_units=1)
    documents = [["10 11", f"12 {MASK}", "", "13 3", f"{END} 14"]]
    assert [[unit.tolist() for unit in units] for units in maker(documents)] == [[[10, 11, END], [13, 3, END]]]
    assert maker.counts["lines dropped: nothing in them, or a reserved symbol"] == 3


def test_a_line_with_the_mask_is_dropped_and_not_refused(prepare, tmp_path):
    """Its document goes on without it; filter.py, which an error would name, would remove the empty lines, too."""
    path = tmp_path / "de.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0] + " [MASK]", *lines[1:]]) + "\n")
    status, _, lines_of = prepare()
    counts = json.loads((tmp_path / "out" / "documents.json").read_text())["corpora"][0]["counts"]
    assert status == 0 and sum(lines_of) == 47 and counts["documents read"] == 6
    assert counts["lines dropped: nothing in them, or a reserved symbol"] == 1


def test_everything_is_counted():
    maker = make_maker()
    # five units; one unit; no text; a line that makes two units
    documents = [[f"{n} 11" for n in range(10, 15)], ["10 11 12"], [str(MASK)], ["10 11 12 13 14 15"]]
    assert [len(units) for units in maker(documents)] == [2, 2, 2]
    assert dict(maker.counts) == {
        "documents read": 4, "lines read": 8,
        "lines dropped: nothing in them, or a reserved symbol": 1,
        "lines cut into several units": 1,
        "units made": 8, "documents made": 3,
        "units dropped: the rest of a document": 1,
        "units dropped: of documents that are too short": 1,
        "documents dropped: too short or without text": 2,
    }  # fmt: skip


def test_the_report_says_what_was_dropped(prepare, tmp_path, capsys):
    prepare("--unit-tokens", "60", "--no-packing", "--units", "5", "--min-units", "5")
    said = capsys.readouterr().out
    assert "6 documents with 30 units, of 6 documents with 48 lines" in said
    assert "18 units dropped: the rest of a document" in said
    row = json.loads((tmp_path / "out" / "documents.json").read_text())["corpora"][0]
    assert row["counts"]["units dropped: the rest of a document"] == 18
