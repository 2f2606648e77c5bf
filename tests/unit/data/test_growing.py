"""Files that grow by rows and go on after a kill."""

import numpy as np
import pytest

from mass_plugins.data.growing import GrowingArray, open_array
from mass_plugins.errors import InputError


def test_a_growing_array_shorter_than_its_record(tmp_path):
    array = GrowingArray(tmp_path / "a.npy", 0, (3,), "float32")
    array.append(np.ones((4, 3)))
    array.commit()
    array.close()
    assert (np.load(tmp_path / "a.npy") == np.ones((4, 3))).all()
    with pytest.raises(InputError, match="shorter than its record says"):
        GrowingArray(tmp_path / "a.npy", 5, (3,), "float32")


def test_a_file_that_is_no_array(tmp_path):
    np.savez(tmp_path / "a.npz", np.ones(3))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(InputError, match="a.npy is damaged or cut off .*; make it anew"):
        open_array(tmp_path / "a.npy")
    with pytest.raises(InputError, match="b.npy doesn't exist"):
        open_array(tmp_path / "b.npy")
