"""A folder that is written is there whole or not at all, and nothing else is touched."""

import pytest

from mass_plugins.errors import InputError
from mass_plugins.interop.folders import whole_folder


def test_it_has_its_name_in_the_end_and_what_is_beside_it_stays(tmp_path):
    beside = tmp_path / "made.tmp"
    beside.mkdir()
    (beside / "mine").touch()
    with whole_folder(tmp_path / "made") as half:
        (half / "file").write_text("text")
        assert not (tmp_path / "made").exists()
    assert (tmp_path / "made" / "file").read_text() == "text" and (beside / "mine").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "made.tmp"]
    assert (tmp_path / "made").stat().st_mode == beside.stat().st_mode


@pytest.mark.parametrize("error", [InputError("wrong"), KeyboardInterrupt()])
def test_nothing_is_left_of_what_was_not_finished(error, tmp_path):
    with pytest.raises(type(error)), whole_folder(tmp_path / "in" / "made") as half:
        (half / "file").touch()
        raise error
    assert list((tmp_path / "in").iterdir()) == []


def test_what_is_there_is_not_written_over(tmp_path):
    with pytest.raises(InputError, match="exists; name a folder"), whole_folder(tmp_path):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"), whole_folder(tmp_path / "file" / "made"):
        pass
