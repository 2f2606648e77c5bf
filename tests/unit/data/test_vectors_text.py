"""Vectors as text: what is written is read; whatever is wrong is told with its line."""

import numpy as np
import pytest
from fairseq.utils import parse_embedding

from mass_plugins.data.vectors_text import read_vectors, write_vectors
from mass_plugins.errors import InputError


def test_what_is_written_is_read_by_us_and_by_fairseq(tmp_path):
    vectors = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)
    path = tmp_path / "vectors.txt"
    write_vectors(path, ["▁un", "…", "\u2028"], vectors)
    found = read_vectors(path, "--x")
    assert found.tokens == ["▁un", "…", "\u2028"]
    np.testing.assert_allclose(found.vectors, vectors, rtol=1e-4)
    np.testing.assert_allclose(parse_embedding(str(path))["▁un"], vectors[0], rtol=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == ["vectors.txt"]


def test_word2vec_ends_its_lines_in_a_space(tmp_path):
    (tmp_path / "v").write_text("1 2\na 0.5 1 \n")
    assert read_vectors(tmp_path / "v", "--x").vectors.tolist() == [[0.5, 1.0]]


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "line 1 is not the number of vectors"),
        ("a 0.5 1\n", "line 1 is not the number of vectors"),
        ("0 2\n", "line 1 is not the number of vectors"),
        ("1 -2\na 1 2\n", "line 1 is not the number of vectors"),
        ("2 2\na 1 2\nb 1\n", "line 3 is not a token without spaces and 2 finite numbers"),
        ("1 2\na 1 nan\n", "line 2 is not a token"),
        ("1 2\na 1 1e50\n", "line 2 is not a token"),
        ("1 2\na 1 x\n", "line 2 is not a token"),
        ("1 2\nNew York 1 2\n", "line 2 is not a token"),
        ("2 2\na 1 2\na 1 3\n", "lines 2 and 3 are both of 'a'; take one out"),
        ("2 2\na 1 2\n", "has 1 vectors but line 1 says 2"),
        ("1 2\na 1 2\nb 1 2\n", "has 2 vectors but line 1 says 1"),
    ],
)
def test_a_file_that_is_none(tmp_path, text, complaint):
    path = tmp_path / "v.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=f"--x: .*{complaint}"):
        read_vectors(path, "--x")


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="--x: .* doesn't exist"):
        read_vectors(tmp_path / "v.txt", "--x")


def test_nothing_is_left_where_writing_fails(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("as it was")
    with pytest.raises(InputError, match="'b c' has a space"):
        write_vectors(path, ["a", "b c"], np.ones((2, 3)))
    assert path.read_text() == "as it was" and len(list(tmp_path.iterdir())) == 1
