"""Documents to units: nothing lost but what is counted, limits, both formats."""

import json
import lzma

import numpy as np
import pytest

from mass_plugins.errors import InputError
from preprocess import documents
from preprocess.documents import cut_into_documents, pack, read_documents

END = 2


def lines(lengths, start=10):
    """Token ids that count up from ``start``, so that order is seen."""
    ends = np.cumsum([0, *lengths]) + start
    return [np.arange(a, b) for a, b in zip(ends, ends[1:])]


def test_packing_is_greedy():
    units, cut = pack(lines([3, 4, 5, 1]), limit=9, end=END)
    assert [unit.tolist() for unit in units] == [
        [10, 11, 12, END, 13, 14, 15, 16, END],
        [17, 18, 19, 20, 21, END, 22, END],
    ]
    assert cut == 0


def test_nothing_is_lost_and_units_are_full():
    chance = np.random.default_rng(1)
    for _ in range(200):
        lengths = chance.integers(1, 30, size=chance.integers(1, 20))
        units, cut = pack(lines(lengths), limit=12, end=END)
        tokens = np.concatenate(units)
        np.testing.assert_array_equal(tokens[tokens != END], np.arange(10, 10 + lengths.sum()))
        assert all(2 <= len(unit) <= 12 and unit[-1] == END for unit in units)
        assert cut == (lengths > 11).sum()
        short = [length <= 11 for length in lengths]
        if all(short):  # greedy: no unit has room for the first line of the next
            for unit, following in zip(units, units[1:]):
                assert len(unit) + list(following).index(END) + 1 > 12


def test_pieces_of_a_cut_line_are_units_of_their_own():
    """The last one, too, has no other line beside it, although there is room."""
    units, cut = pack(lines([2, 10, 1, 2]), limit=9, end=END)
    assert [len(unit) for unit in units] == [3, 9, 3, 5] and cut == 1


def test_without_packing_a_line_is_a_unit():
    units, _ = pack(lines([3, 4]), limit=63, end=END, together=False)
    assert [len(unit) for unit in units] == [4, 5]


def test_cut_into_documents():
    assert cut_into_documents(70, 32, 32) == [32, 32]
    assert cut_into_documents(70, 32, 6) == [32, 32, 6]
    assert cut_into_documents(5, 32, 6) == []
    assert cut_into_documents(0, 32, 1) == []


@pytest.mark.parametrize("name", ("wiki.json", "wiki.ndjson.xz", "wiki.txt"))
def test_json_lines_under_another_name_are_refused(tmp_path, name):
    pack_it = lzma.compress if name.endswith("xz") else bytes
    (tmp_path / name).write_bytes(pack_it(b'{"text": "one"}\n'))
    with pytest.raises(InputError, match=f"{name} .* wiki.jsonl"):
        list(read_documents([tmp_path / name], "--documents"))
    (tmp_path / name).write_bytes(pack_it(b"{a brace} and text\n"))
    assert list(read_documents([tmp_path / name], "--documents")) == [["{a brace} and text"]]


@pytest.mark.parametrize("text", ('\ufeff{"text": "one"}', '[{"text": "one"},', '[{"text": "one"}]', "[", "[{", "{"))
def test_other_json_is_refused_too(tmp_path, text):
    (tmp_path / "wiki.txt").write_text(text + "\nsecond line\n")
    with pytest.raises(InputError, match=r"wiki.txt holds JSON; give JSON lines, one object per line, .* wiki.jsonl"):
        list(read_documents([tmp_path / "wiki.txt"], "--documents"))


@pytest.mark.parametrize("text", ("[1] a note", "[{ is a bracket and a brace"))
def test_brackets_are_text(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert list(read_documents([tmp_path / "a.txt"], "--documents")) == [[text]]


def test_a_byte_order_mark_is_no_text(tmp_path):
    for name, text in (("a.txt", "one\n\ntwo\n"), ("b.jsonl", '{"text": "one"}\n{"lines": ["two"]}\n')):
        (tmp_path / name).write_text("\ufeff" + text)
    files = [tmp_path / name for name in ("a.txt", "b.jsonl", "a.txt")]
    assert list(read_documents(files, "--documents")) == [["one"], ["two"]] * 3


@pytest.mark.parametrize(
    "row, lines", (({"lines": None, "text": "a"}, ["a"]), ({"lines": [], "text": "a"}, ["a"]), ({"lines": []}, []),
                   ({"lines": ["a"], "text": "b"}, ["a"]))
)  # fmt: skip
def test_lines_or_else_text(tmp_path, row, lines):
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    assert list(read_documents([tmp_path / "a.jsonl"], "--documents")) == [lines]


def test_half_a_surrogate_pair_is_told_with_its_place(tmp_path):
    """Where it was read: the tokenizer knows neither file nor line."""
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n' * 2500 + '{"lines": ["two", "half \\ud800"]}\n')
    with pytest.raises(InputError, match="--documents: .*a.jsonl, line 2501 has half a surrogate pair"):
        list(read_documents([tmp_path / "a.jsonl"], "--documents"))
    (tmp_path / "a.jsonl").write_text('{"text": "whole \\ud83d\\ude00"}\n')
    assert list(read_documents([tmp_path / "a.jsonl"], "--documents")) == [["whole \U0001f600"]]


def test_empty_lines_of_json_lines_are_no_documents(tmp_path):
    (tmp_path / "a.jsonl").write_text('\n{"text": "one"}\n \n{"text": "two"}\n\n')
    assert list(read_documents([tmp_path / "a.jsonl"], "--documents")) == [["one"], ["two"]]


def test_a_file_without_empty_lines_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MOST_CHARACTERS", 100)
    (tmp_path / "a.txt").write_text("short\n\n\n" + "a line\n" * 17 + "\nshort\n")  # 102 characters
    (tmp_path / "b.jsonl").write_text('{"text": "short"}\n{"text": "%s"}\n' % ("a" * 101))
    for name, line in (("a.txt", 4), ("b.jsonl", 2)):
        found = read_documents([tmp_path / name], "--documents")
        assert next(found) == ["short"]
        with pytest.raises(InputError, match=rf"{name}, line {line} begins a document of more than 100 .*empty lines"):
            next(found)
    (tmp_path / "a.txt").write_text(("a line\n" * 16 + "\n") * 3)
    assert len(list(read_documents([tmp_path / "a.txt"], "--documents"))) == 3


def test_formats_agree(tmp_path):
    documents = [["one  two", "three"], ["four"], ["five", "six"]]
    (tmp_path / "a.txt").write_text("\n\none  two\nthree\n \n\nfour\n\nfive\nsix")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps({"text": "\n\n".join(d)}) + "\n" for d in documents))
    with lzma.open(tmp_path / "c.jsonl.xz", "wt") as stream:
        stream.writelines(json.dumps({"lines": d}) + "\n" for d in documents)
    expected = [["one two", "three"], ["four"], ["five", "six"]]
    for name in ("a.txt", "b.jsonl", "c.jsonl.xz"):
        assert list(read_documents([tmp_path / name], "--documents")) == expected


@pytest.mark.parametrize(
    "line, message", (("{", "line 1 is not JSON"), ('{"title": "x"}', "neither"), ('["x"]', "neither"))
)
def test_bad_json_lines(tmp_path, line, message):
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        list(read_documents([tmp_path / "a.jsonl"], "--documents"))
