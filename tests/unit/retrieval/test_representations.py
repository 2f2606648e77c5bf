"""Folders of representations: cut off anywhere they go on to the same bytes; what is wrong is one line."""

import numpy as np
import pytest

from mass_plugins.errors import InputError
from mass_plugins.retrieval import representations
from mass_plugins.retrieval.representations import (
    Description,
    Parts,
    Representations,
    RepresentationWriter,
    adopt_vectors,
)
from tests.unit.retrieval import synthetic


def describe(**values):
    return Description("m", "documents", **{"cls": 8, "ot": 6, "vocabulary": 50, **values})


def test_cut_off_and_gone_on_with_the_same_bytes(tmp_path):
    parts = synthetic.documents(20)
    whole = synthetic.write(tmp_path / "whole", parts, "documents", "d")
    with RepresentationWriter(tmp_path / "cut", describe()) as writer:
        writer.append([f"d{n}" for n in range(7)], synthetic.rows(parts, 0, 7))
        writer.commit()
        writer.append(["lost"], synthetic.rows(parts, 19, 20))  # and no commit: a kill
    with pytest.raises(InputError, match=r"not finished \(7 rows so far\)"):
        Representations(tmp_path / "cut")
    with RepresentationWriter(tmp_path / "cut", describe()) as writer:
        assert writer.rows == 7
        writer.append([f"d{n}" for n in range(7, 20)], synthetic.rows(parts, 7, 20))
        writer.commit(finished=True)
    for name in ("ids.txt", "cls.npy", "ot_index.npy", "ot_value.npy"):
        assert (tmp_path / "cut" / name).read_bytes() == (whole / name).read_bytes()
    read = Representations(tmp_path / "cut")
    assert (np.load(tmp_path / "cut" / "cls.npy") == parts.cls).all()
    for got, given in zip(read.parts(0, 20), parts):
        assert got is given is None or (got == given).all()


def test_half_precision_and_small_indices(tmp_path):
    parts = synthetic.documents(5)
    with RepresentationWriter(tmp_path / "r", describe(dtype="float16")) as writer:
        writer.append(list("abcde"), parts)
        writer.commit(finished=True)
    assert np.load(tmp_path / "r" / "ot_index.npy").dtype == np.uint16
    assert np.load(tmp_path / "r" / "ot_value.npy").dtype == np.float16
    assert (Representations(tmp_path / "r").parts(0, 5).values == parts.values).all()


def test_other_settings_are_refused_until_overwritten(tmp_path):
    parts = synthetic.documents(5)
    synthetic.write(tmp_path / "r", parts, "documents", "d")
    with pytest.raises(InputError, match="holds other representations \\(model, ot differ\\)"):
        with RepresentationWriter(tmp_path / "r", describe(ot=3)):
            pass
    assert len(Representations(tmp_path / "r")) == 5
    with pytest.raises(InputError, match="the representation of x has a value that is no number"):
        with RepresentationWriter(tmp_path / "r", describe(ot=0), overwrite=True) as writer:
            writer.append(["x"], Parts(cls=np.full_like(parts.cls[:1], np.nan)))
    assert len(Representations(tmp_path / "r")) == 5  # until there are new rows
    with RepresentationWriter(tmp_path / "r", describe(ot=0), overwrite=True) as writer:
        writer.append(["x"], Parts(cls=parts.cls[:1]))
        writer.commit(finished=True)
    assert Representations(tmp_path / "r").ids() == ["x"]
    left = {file.name for file in (tmp_path / "r").iterdir()}
    assert left == {".lock", "representations.json", "ids.txt", "cls.npy"}


def test_a_full_disk_is_told_at_the_first_rows(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(representations, "GrowingArray", fail)
    with pytest.raises(InputError, match=r"r can't be written \(No space left on device\); fix this"):
        synthetic.write(tmp_path / "r", synthetic.documents(5), "documents", "d")


def test_another_tokenizer():
    """A checkpoint doesn't hold its tokenizer: the same weights read other ids."""
    ours, theirs = describe(tokenizer="t" * 32), describe(tokenizer="u" * 32)
    assert "the tokenizer that read their texts (--data): tttttttttttt and uuu" in ours.difference(theirs)
    assert ours.difference(describe()) == ours.difference(describe(tokenizer="t" * 32)) == ""  # vectors have none


def test_records_of_the_version_before(tmp_path):
    folder = synthetic.write(tmp_path / "r", synthetic.documents(5), "documents", "d")
    record = folder / "representations.json"
    record.write_text(record.read_text().replace('"version": 2', '"version": 1'))
    said = "is of version 1, this program reads 2; make it anew: mass-plugins represent … --destdir .*/r --overwrite"
    with pytest.raises(InputError, match=said):
        Representations(folder)
    with pytest.raises(InputError, match="make it anew with the same command and --overwrite"):
        synthetic.write(folder, synthetic.documents(5), "documents", "d")
    synthetic.write(folder, synthetic.documents(5), "documents", "d", overwrite=True)
    assert len(Representations(folder)) == 5


def test_two_writers(tmp_path):
    with RepresentationWriter(tmp_path / "r", describe()):
        with pytest.raises(InputError, match="another process is writing"):
            with RepresentationWriter(tmp_path / "r", describe()):
                pass


def test_damaged_folders(tmp_path):
    with pytest.raises(InputError, match="holds no representations.json"):
        Representations(tmp_path / "none")
    folder = synthetic.write(tmp_path / "r", synthetic.documents(5), "documents", "d")
    with open(folder / "cls.npy", "r+b") as file:
        file.truncate(150)
    with pytest.raises(InputError, match="cls.npy has 150 bytes instead of"):
        Representations(folder)
    record = folder / "representations.json"
    content = record.read_text()
    for damaged, said in (
        (content.replace('"rows"', '"row"'), "its 'rows' is no int"),
        (content.replace('"role"', '"part"'), "unexpected keyword argument 'part'"),
        ("[]", "it has no version"),
    ):
        record.write_text(damaged)
        with pytest.raises(
            InputError, match=f"json is damaged .*{said}.*: mass-plugins represent … --destdir .*/r --over"
        ):
            Representations(folder)
    (folder / "representations.json").write_text("{")
    with pytest.raises(InputError, match="representations.json is damaged"):
        Representations(folder)


def test_the_mend_of_a_truncated_file_mends_it(tmp_path):
    """The same command doesn't call the folder finished; with --overwrite, which both errors name, it is whole."""
    folder = synthetic.write(tmp_path / "r", synthetic.documents(5), "documents", "d")
    with open(folder / "cls.npy", "r+b") as file:
        file.truncate(150)
    with pytest.raises(InputError, match="make it anew: mass-plugins represent … --destdir .*/r --overwrite"):
        Representations(folder)
    with pytest.raises(InputError, match="cls.npy has 150 bytes .* make it anew with the same command and --overwrite"):
        synthetic.write(folder, synthetic.documents(5), "documents", "d")
    synthetic.write(folder, synthetic.documents(5), "documents", "d", overwrite=True)
    assert (Representations(folder).parts(0, 5).cls == synthetic.documents(5).cls).all()


def test_vectors_of_another_program(tmp_path):
    vectors = np.arange(12, dtype=np.float16).reshape(4, 3)
    np.save(tmp_path / "v.npy", vectors)
    adopt_vectors(tmp_path / "v.npy", list("abcd"), tmp_path / "r", "documents")
    read = Representations(tmp_path / "r")
    assert read.ids() == list("abcd") and (read.parts(0, 4).cls == vectors).all() and read.parts(0, 4).entries is None
    with pytest.raises(InputError, match=r"holds other representations \(ids differ\)"):
        adopt_vectors(tmp_path / "v.npy", list("abce"), tmp_path / "r", "documents")
    with pytest.raises(InputError, match="has 4 rows for 3 ids"):
        adopt_vectors(tmp_path / "v.npy", list("abc"), tmp_path / "s", "documents")
    np.save(tmp_path / "w.npy", np.array([[1.0, np.nan]]))
    with pytest.raises(InputError, match="a value that is no number"):
        adopt_vectors(tmp_path / "w.npy", ["a"], tmp_path / "t", "documents")
    (tmp_path / "x.npy").write_bytes((tmp_path / "v.npy").read_bytes()[:-5])
    with pytest.raises(InputError, match="damaged or cut off"):
        adopt_vectors(tmp_path / "x.npy", list("abcd"), tmp_path / "u", "documents")
