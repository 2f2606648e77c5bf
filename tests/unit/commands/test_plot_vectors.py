"""``mass-plugins plot-vectors``: which encoders it loads, and how."""

import numpy as np
import pytest

import mass_plugins
from mass_plugins import cli
from mass_plugins.scoring import vector_picture

OTHERS = {"max_tokens": 9, "data": "bin", "device": "cpu", "dtype": "bfloat16", "batch_tokens": 77}


loaded: list[tuple] = []


class Encoder:
    def __init__(self, path, pooling=None, **settings):
        self.path, self.pooling, self.settings = path, pooling, settings

    def encode(self, lines):
        loaded.append((self.path, self.pooling, self.settings))
        return np.ones((len(lines), 2))


@pytest.fixture(autouse=True)
def call(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    loaded.clear()
    monkeypatch.setattr(mass_plugins, "load_encoder", Encoder)
    monkeypatch.setattr(vector_picture, "draw_vectors", lambda panels, path: None)
    (tmp_path / "en").write_text("a\nb\n")
    words = ["plot-vectors", "x=x.pt", "y=y.pt", "--text", f"en={tmp_path}/en", "--output", f"{tmp_path}/v.png"]
    return lambda *more: cli.main([*words, *map(str, more)])


@pytest.mark.parametrize("given, wanted", [
    ((), (None, None)), (("cls",), ("cls", "cls")), (("cls", "mean_with_padding"), ("cls", "mean_with_padding")),
])  # fmt: skip
def test_flags_reach_the_encoders(call, given, wanted):
    flags = [word for name, value in OTHERS.items() for word in (f"--{name.replace('_', '-')}", value)]
    assert call(*flags, *(word for pooling in given for word in ("--pooling", pooling))) == 0
    assert loaded == [("x.pt", wanted[0], OTHERS), ("y.pt", wanted[1], OTHERS)]


def test_too_many_poolings(call, capsys):
    assert call(*["--pooling", "cls"] * 3) == 1
    assert "3 --pooling for 2 encoders; give one for all, or one each" in capsys.readouterr().err
