"""Passages by their id are those of the file, whatever their lengths."""

import pickle

import pytest

from mass_plugins.data.retrieval_files import Passage
from mass_plugins.data.retrieval_passages import PassageStore
from mass_plugins.errors import InputError


def test_passages_by_id(tmp_path):
    path = tmp_path / "corpus"
    path.write_text("".join(f"d{n}\ttext of {n}\n" for n in range(100)))
    store = PassageStore(path)
    assert len(store) == 100 and "d7" in store and "d100" not in store
    assert all(store[f"d{n}"] == Passage(f"d{n}", "", f"text of {n}") for n in (99, 0, 50))
    with pytest.raises(KeyError):
        store["x"]
    for header in ("", "id\ttext\n"):
        path.write_text(f"{header}a\tb\nb\tc\na\td\n")
        with pytest.raises(InputError, match=f"corpus, line {4 if header else 3}: the id a came before"):
            PassageStore(path)


def test_lines_longer_than_a_read_and_workers_of_their_own(tmp_path):
    path, lengths = tmp_path / "c", [5, 16384, 40000, 16380, 1]
    path.write_text("\r\n".join(f"d{n}\t{'ä' * length}" for n, length in enumerate(lengths)), newline="")
    store = PassageStore(path)
    other = pickle.loads(pickle.dumps((store["d0"], store)[1]))
    for n, length in enumerate(lengths):
        assert store[f"d{n}"] == other[f"d{n}"] == Passage(f"d{n}", "", "ä" * length)
