"""Sentence vectors in two dimensions."""

import numpy as np
import pytest

from mass_plugins.errors import InputError
from mass_plugins.scoring import vector_picture
from mass_plugins.scoring.vector_picture import draw_vectors, principal_axes


def test_principal_axes():
    """Points on an ellipse in a plane of ten dimensions come back, up to the plane's own axes."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    basis, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(10, 2)))
    found = principal_axes(np.stack([3 * np.cos(angle), np.sin(angle)], axis=1) @ basis.T + 7)
    np.testing.assert_allclose(np.abs(found[:, 0]), np.abs(3 * np.cos(angle)), atol=1e-9)
    np.testing.assert_allclose(np.abs(found[:, 1]), np.abs(np.sin(angle)), atol=1e-9)


def test_picture(tmp_path):
    rows = np.random.default_rng(1).normal(size=(2, 5, 4))
    draw_vectors(
        {"before": {"en": rows[0], "de": rows[1]}, "after": {"en": rows[0], "de": rows[0]}}, tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="the same number of sentences"):
        draw_vectors({"x": {"en": rows[0], "de": rows[1][:3]}}, tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()


def test_vectors_are_drawn_at_unit_length(tmp_path, monkeypatch):
    """How long a vector is changes nothing."""
    drawn = []
    monkeypatch.setattr(vector_picture, "save_picture", lambda figure, path: drawn.append(figure.axes[0].collections))
    rows, lengths = np.random.default_rng(1).normal(size=(2, 5, 4)), np.array([[1.0], [20.0], [0.3], [5.0], [2.0]])
    for found in (rows, rows * lengths):
        draw_vectors({"x": {"en": found[0], "de": rows[1]}}, tmp_path / "a.png")
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_allclose(one.get_offsets(), other.get_offsets(), atol=1e-5)
    assert [len(points.get_offsets()) for points in drawn[0]] == [5, 5]


def test_the_format_is_that_of_the_name(tmp_path):
    rows = np.random.default_rng(1).normal(size=(2, 5, 4))
    draw_vectors({"x": {"en": rows[0], "de": rows[1]}}, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(InputError, match="cannot write .*a.abc"):
        draw_vectors({"x": {"en": rows[0], "de": rows[1]}}, tmp_path / "a.abc")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]
