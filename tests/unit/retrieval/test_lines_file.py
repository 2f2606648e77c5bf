"""A file of lines goes on after a kill anywhere, is made once, and is never mixed of two settings."""

import json
import os
from types import SimpleNamespace

import pytest

from mass_plugins.errors import InputError
from mass_plugins.retrieval import lines_file
from mass_plugins.retrieval.lines_file import LinesFile

SETTINGS = {"model": "m", "sizes": (1, 2)}  # a tuple comes back as a list
BATCHES = [["a\n", ""], ["b\nc\n"], ["d\n"]]
CONTENT = "a\nb\nc\nd\n"


def write(path, settings=SETTINGS, overwrite=False):
    """Goes on with the batches; returns how many items were asked for."""
    file, asked = LinesFile(path, settings, overwrite), []

    def rest():
        begin = 0
        for batch in BATCHES:
            if begin >= file.done:
                asked.extend(batch)
                yield batch
            begin += len(batch)

    file.write(rest(), 4, "test", progress=False)
    return len(asked)


def test_a_finished_file_given_again_is_nothing_to_do(tmp_path):
    path = tmp_path / "out"
    assert write(path) == 4 and path.read_text() == CONTENT
    before = path.stat().st_mtime_ns
    assert write(path) == 0 and LinesFile(path, SETTINGS).finished and path.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"out is made with other settings \(model\)"):
        write(path, SETTINGS | {"model": "n"})
    assert path.read_text() == CONTENT
    assert write(path, overwrite=True) == 4
    path.unlink()
    assert write(path) == 4 and path.read_text() == CONTENT  # somebody has taken it away
    path.write_text("changed")
    with pytest.raises(InputError, match="out has 7 bytes instead of 8: changed"):
        write(path)
    record = json.loads((tmp_path / "out.json").read_text())
    del record["settings"]
    (tmp_path / "out.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"out.json is damaged \(its 'settings' is no dict\); .* --overwrite"):
        write(path)
    (tmp_path / "other").write_text("of another program")
    with pytest.raises(InputError, match="other exists; name another file"):
        write(tmp_path / "other")


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("killed", range(5))
def test_a_kill_at_every_step(tmp_path, monkeypatch, killed, earlier):
    """Before each write of the record, before the last name; with a file that --overwrite gives up, too."""
    path, steps = tmp_path / "out", []
    if earlier:
        write(path, SETTINGS | {"model": "old"})

    def dying(original):
        def step(*words):
            steps.append(original)
            if len(steps) == killed + 1:
                raise KeyboardInterrupt
            return original(*words)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(lines_file, "write_json", dying(lines_file.write_json))
        patch.setattr(lines_file, "os", SimpleNamespace(replace=dying(os.replace)))
        with pytest.raises(KeyboardInterrupt):
            write(path, overwrite=earlier)
    if killed == 0 and earlier:  # not known whose the file is
        with pytest.raises(InputError, match="give --overwrite"):
            write(path)
    asked = write(path, overwrite=killed == 0)
    assert asked == [4, 2, 1, 0, 0][killed] and path.read_text() == CONTENT
    assert write(path) == 0 and not (tmp_path / "out.part").exists()
    assert json.loads((tmp_path / "out.json").read_text())["finished"]
