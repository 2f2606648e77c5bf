"""A file of vectors that goes on after a kill, and refuses what doesn't fit."""

import json

import numpy as np
import pytest

from mass_plugins.data.growing import GrowingArray
from mass_plugins.encoding.vector_file import VectorFile
from mass_plugins.errors import InputError

ROWS = np.random.default_rng(1).normal(size=(10, 3)).astype(np.float32)


def write(path, rows=ROWS, at_a_time=4, stop_after=None, dtype="float32", settings=None, overwrite=False):
    """Write ``rows``, the last chunk not committed if ``stop_after`` chunks are."""
    file = VectorFile(path, rows.shape[1], np.dtype(dtype), settings or {"a": 1}, overwrite)
    with file:
        for number, start in enumerate(range(file.record.rows, len(rows), at_a_time)):
            if number == stop_after:
                file._array._file.write(b"half a row")
                return
            file.record.position = min(start + at_a_time, len(rows))
            file.commit(rows[start : start + at_a_time])
        file.finish()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numpy_reads_it(tmp_path, dtype):
    write(tmp_path / "v.npy", dtype=dtype)
    found = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert found.dtype == dtype and np.array_equal(found, ROWS.astype(dtype))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.npy", "v.npy.json"]


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_run_that_was_cut_off_goes_on(tmp_path, chunks):
    write(tmp_path / "whole.npy")
    write(tmp_path / "v.npy", stop_after=chunks)
    assert not (tmp_path / "v.npy").exists()
    write(tmp_path / "v.npy")
    assert (tmp_path / "v.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_a_kill_between_the_last_two_steps(tmp_path, monkeypatch):
    """The file has its name, the record doesn't say so yet: it is whole, and its record is mended."""
    with monkeypatch.context() as patched:
        patched.setattr(VectorFile, "_finish_record", lambda self: None)
        write(tmp_path / "v.npy")
    record = json.loads((tmp_path / "v.npy.json").read_text())
    assert not record["finished"] and not (tmp_path / "v.npy.part").exists()
    for other in (ROWS[:9], ROWS[:, :2], ROWS.astype(np.float16)):  # not those that the record tells of
        np.save(tmp_path / "other.npy", other)
        whole = (tmp_path / "v.npy").read_bytes()
        (tmp_path / "v.npy").write_bytes((tmp_path / "other.npy").read_bytes())
        with pytest.raises(InputError, match="its vectors are gone"):
            open_file(tmp_path / "v.npy")
        (tmp_path / "v.npy").write_bytes(whole)
    assert open_file(tmp_path / "v.npy").finished
    assert json.loads((tmp_path / "v.npy.json").read_text()) == {**record, "finished": True}
    assert np.array_equal(np.load(tmp_path / "v.npy"), ROWS)


def open_file(path):
    return VectorFile(path, 3, np.dtype("float32"), {"a": 1})


def test_a_finished_file_is_known(tmp_path):
    write(tmp_path / "v.npy")
    assert VectorFile(tmp_path / "v.npy", 3, np.dtype("float32"), {"a": 1}).finished


def test_other_settings_need_overwrite(tmp_path):
    write(tmp_path / "v.npy")
    with pytest.raises(InputError, match="a was 1 and is 2"):
        write(tmp_path / "v.npy", settings={"a": 2})
    write(tmp_path / "v.npy", rows=ROWS[:5], settings={"a": 2}, overwrite=True)
    assert len(np.load(tmp_path / "v.npy")) == 5


def test_what_is_overwritten_stays_until_there_is_something_in_its_place(tmp_path):
    """And a run that fails before its first rows leaves nothing of its own."""

    def content():
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    write(tmp_path / "v.npy")
    before = content()
    with pytest.raises(RuntimeError), VectorFile(tmp_path / "v.npy", 3, np.dtype("float32"), {"a": 2}, True):
        raise RuntimeError("before the first rows")
    assert content() == before
    write(tmp_path / "v.npy", settings={"a": 2}, overwrite=True, stop_after=1)
    assert not (tmp_path / "v.npy").exists() and json.loads(content()["v.npy.json"])["settings"] == {"a": 2}
    with pytest.raises(RuntimeError), VectorFile(tmp_path / "v.npy", 3, np.dtype("float32"), {"a": 2}):
        raise RuntimeError("after rows that were committed")
    write(tmp_path / "v.npy", settings={"a": 2})
    assert np.array_equal(np.load(tmp_path / "v.npy"), ROWS)


def test_an_unfinished_part_is_given_up_at_once(tmp_path):
    write(tmp_path / "v.npy", stop_after=1)
    with pytest.raises(RuntimeError), VectorFile(tmp_path / "v.npy", 3, np.dtype("float32"), {"a": 2}, True):
        raise RuntimeError("before the first rows")
    assert not [*tmp_path.iterdir()]


def test_a_folder_of_that_name(tmp_path):
    (tmp_path / "v.npy").mkdir()
    with pytest.raises(InputError, match="v.npy is a folder; name a file"):
        write(tmp_path / "v.npy", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["v.npy"]


def test_a_strange_file_is_not_lost(tmp_path):
    (tmp_path / "v.npy").write_text("mine")
    with pytest.raises(InputError, match="exists without v.npy.json"):
        write(tmp_path / "v.npy")
    assert (tmp_path / "v.npy").read_text() == "mine"


def test_damage(tmp_path):
    write(tmp_path / "v.npy", stop_after=2)
    (tmp_path / "v.npy.part").write_bytes(b"short")
    with pytest.raises(InputError, match="shorter than"):
        write(tmp_path / "v.npy")
    (tmp_path / "v.npy.json").write_text(json.dumps({"version": 9}))
    with pytest.raises(InputError, match="is of version 9"):
        write(tmp_path / "v.npy")


@pytest.mark.parametrize("step", ["__init__", "commit"])
def test_a_full_disk(step, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(GrowingArray, step, full)
        with pytest.raises(InputError, match=r"v.npy can't be written \(No space left on device\); fix this"):
            write(tmp_path / "v.npy")
    write(tmp_path / "v.npy")


def test_one_process_at_a_time(tmp_path):
    with VectorFile(tmp_path / "v.npy", 3, np.dtype("float32"), {}), pytest.raises(InputError, match="another process"):
        with VectorFile(tmp_path / "v.npy", 3, np.dtype("float32"), {}):
            pass
