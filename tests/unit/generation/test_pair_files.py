"""Files of pairs grow chunk by chunk: killed at any step, a run ends with the files of an undisturbed one."""

import itertools
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mass_plugins.errors import InputError
from mass_plugins.generation.pair_files import PairFiles, Record, changed, complete, find_record

SIDES = ("de", "en")
SETTINGS = {"--source": "en", "--beam": 1, "CHECKPOINT": "abc"}
CHUNKS = 4


class Killed(BaseException):
    """What a kill looks like from within."""


def lines(chunk: int) -> tuple[list[str], list[str]]:
    return [f"schön {chunk} {n}" for n in range(chunk % 3)], [f"lovely {chunk} {n}" for n in range(chunk % 3)]


def hashes(chunk: int) -> np.ndarray:
    return np.arange(10 * chunk, 10 * chunk + 3, dtype=np.uint64) << np.uint64(50)


def write(prefix: Path) -> Record:
    """A whole run, from wherever an earlier one stopped."""
    record = find_record(prefix, SIDES, SETTINGS, overwrite=False) or Record(SETTINGS, CHUNKS)
    if record.finished:
        complete(prefix, SIDES)
        return record
    with PairFiles(prefix, SIDES, record) as files:
        assert [n for block in files.seen_hashes() for n in block] == [
            n for chunk in range(record.position) for n in hashes(chunk)
        ]
        while record.position < CHUNKS:
            chunk = record.position
            record.position += 1
            record.count(read=1, pairs=len(lines(chunk)[0]), copies=chunk, left_out=Counter({f"reason {chunk}": 1}))
            files.commit(lines(chunk), hashes(chunk))
        files.finish()
    return record


def killed_at(fatal: int, function, after: bool):
    """``function``, whose call number ``fatal`` is a kill, before it has done its work or after that."""
    calls = itertools.count()

    def call(*arguments, **options):
        number = next(calls)
        if number == fatal and not after:
            raise Killed
        function(*arguments, **options)
        if number == fatal:
            raise Killed

    return call


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def whole(tmp_path):
    write(tmp_path / "whole" / "bt")
    return contents(tmp_path / "whole")


def test_files_and_record(whole):
    assert set(whole) == {"bt.de", "bt.en", "bt.json"}
    for side, name in enumerate(("bt.de", "bt.en")):
        assert whole[name].splitlines() == [line for chunk in range(CHUNKS) for line in lines(chunk)[side]]
    record = json.loads(whole["bt.json"])
    assert record.pop("sizes") == {"seen": 96, **{side: len(whole[f"bt.{side}"].encode()) for side in SIDES}}
    assert record == {
        "version": 1, "settings": SETTINGS, "total": 4, "position": 4, "read": 4, "pairs": 3, "copies": 6,
        "left_out": {f"reason {n}": 1 for n in range(4)}, "finished": True,
    }  # fmt: skip


@pytest.mark.parametrize("after", [False, True], ids=["before the step", "after it"])
@pytest.mark.parametrize("target, name", [(os, "fsync"), (Path, "replace"), (Path, "unlink")], ids=lambda v: str(v))
def test_killed_at_every_step(whole, tmp_path, monkeypatch, target, name, after):
    for fatal in range(100):
        folder = tmp_path / f"killed{fatal}"
        with monkeypatch.context() as patch:
            patch.setattr(target, name, killed_at(fatal, getattr(target, name), after))
            try:
                write(folder / "bt")
                break  # it has fewer steps
            except Killed:
                pass
        record = find_record(folder / "bt", SIDES, SETTINGS, overwrite=False)
        if record is None or not record.finished:
            for part in folder.glob("*.part"):  # what came after the last commit, perhaps not whole
                with open(part, "ab") as file:
                    file.write(b"half a l")
        write(folder / "bt")
        assert contents(folder) == whole
    assert fatal > 3


def test_a_finished_run_stays_as_it_is(whole, tmp_path):
    assert write(tmp_path / "whole" / "bt").pairs == 3
    assert contents(tmp_path / "whole") == whole


def test_two_processes_at_once(tmp_path):
    with PairFiles(tmp_path / "bt", SIDES, Record(SETTINGS, 4)) as files:
        files.commit(lines(1), hashes(1))
        with pytest.raises(
            InputError, match=r"^another process is writing .*/bt\.\*; wait for it, or give another --sh"
        ):
            write(tmp_path / "bt")
        with PairFiles(tmp_path / "bt.1-of-2", SIDES, Record(SETTINGS, 4)):
            pass
    assert (tmp_path / "bt.de.part").read_text() == "schön 1 0\n"  # the second one changed nothing


def test_parts_that_are_shorter_than_they_should_be(tmp_path):
    record = Record(SETTINGS, 4)
    with PairFiles(tmp_path / "bt", SIDES, record) as files:
        files.commit(lines(2), hashes(2))
    (tmp_path / "bt.en.part").write_text("l")
    with pytest.raises(InputError, match=r"bt.en.part is shorter than .*/bt.json says; give --overwrite"):
        write(tmp_path / "bt")


def test_a_full_disk(whole, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    with (
        monkeypatch.context() as patch,
        pytest.raises(InputError, match=r"^.*/bt\.\* can't be written \(No space left"),
    ):
        patch.setattr(os, "fsync", full)
        write(tmp_path / "full" / "bt")
    write(tmp_path / "full" / "bt")
    assert contents(tmp_path / "full") == whole


class TestWhatIsThereAlready:
    def find(self, prefix, overwrite=False, **changes):
        return find_record(prefix, SIDES, {**SETTINGS, **changes}, overwrite)

    def test_nothing(self, tmp_path):
        assert self.find(tmp_path / "none" / "bt") is None

    def test_other_settings(self, whole, tmp_path):
        prefix = tmp_path / "whole" / "bt"
        changes = {"--beam": 4, "CHECKPOINT": "d"}
        with pytest.raises(
            InputError, match=r"bt.json is from another back-translation \(--beam was 1 and is 4, CHECKPOINT"
        ):
            self.find(prefix, **changes)
        assert self.find(prefix, overwrite=True, **changes) is None
        assert contents(tmp_path / "whole") == whole  # until the new run begins
        with PairFiles(prefix, SIDES, Record({**SETTINGS, **changes}, 4)):
            assert set(contents(tmp_path / "whole")) == {"bt.de.part", "bt.en.part", "bt.seen.part"}

    def test_the_same_settings_are_never_given_up(self, whole, tmp_path):
        assert self.find(tmp_path / "whole" / "bt", overwrite=True).finished

    def test_files_of_somebody_else(self, tmp_path):
        (tmp_path / "bt.de").write_text("mine\n")
        with pytest.raises(InputError, match="bt.de exists without bt.json; give another --destdir, or --overwrite"):
            self.find(tmp_path / "bt")
        assert self.find(tmp_path / "bt", overwrite=True) is None

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', '{"version": 2}', '{"version": 1, "x": 2}'])
    def test_a_damaged_record(self, tmp_path, content):
        (tmp_path / "bt.json").write_text(content)
        with pytest.raises(InputError, match=r"bt.json is (damaged|of version).*; give --overwrite to start over"):
            self.find(tmp_path / "bt")
        assert self.find(tmp_path / "bt", overwrite=True) is None

    def test_a_finished_file_that_is_gone(self, whole, tmp_path):
        (tmp_path / "whole" / "bt.en").unlink()
        with pytest.raises(InputError, match="bt.en is missing, though .*bt.json calls it finished; give --overwrite"):
            write(tmp_path / "whole" / "bt")
        assert self.find(tmp_path / "whole" / "bt", overwrite=True) is None


def test_what_changed_in_words():
    old = {"--a": 1, "--b": None, "the model": "x", "--gone": 2}
    assert (
        changed(old, {**old, "--b": "<BT>", "the model": "y"}) == "--b was None and is <BT>, the model is another one"
    )
    assert changed(old, {"--a": 1, "--b": None, "the model": "x"}) == "--gone was 2 and is None"


def test_nothing_is_left_of_what_is_discarded(tmp_path):
    for folder, others in ((tmp_path / "new", 0), (tmp_path, 1)):
        with PairFiles(folder / "bt", SIDES, Record(SETTINGS, 4)) as files:
            files.commit(([], []), hashes(0))
            files.discard()
        assert folder.exists() == bool(others) and not list(tmp_path.glob("bt*"))
        (tmp_path / "other").touch()
