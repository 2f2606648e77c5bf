"""Accuracy of the nearest neighbour."""

import numpy as np
import pytest

from mass_plugins.scoring import bitext


def test_by_hand():
    source = np.array([[1.0, 0], [0, 2], [1, 1]])
    target = np.array([[3.0, 0], [0.1, 0.9], [1, -1]])  # the third is nearest to the first; it finds (0.1, 0.9)
    found = bitext.bitext_accuracy(source, target)
    assert found.forward == pytest.approx(200 / 3) and found.backward == pytest.approx(200 / 3)
    assert found.forward_hits.tolist() == [True, True, False] and found.record()["backward_hits"] == "110"
    assert found.pairs == 3 and found.mean == pytest.approx(200 / 3)


def test_equals_an_argmax(monkeypatch):
    monkeypatch.setattr(bitext, "_AT_ONCE", 7)
    chance = np.random.default_rng(1)
    source = chance.normal(size=(50, 6)).astype(np.float32)
    target = source + 0.8 * chance.normal(size=(50, 6)).astype(np.float32)
    found = bitext.bitext_accuracy(source, target)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (source, target)]
    scores = unit[0] @ unit[1].T
    assert found.forward == 100 * (scores.argmax(axis=1) == np.arange(50)).mean()
    assert found.backward == 100 * (scores.argmax(axis=0) == np.arange(50)).mean()
    assert found.forward != found.backward


def test_vectors_that_are_alike_score_nothing():
    assert bitext.bitext_accuracy(np.ones((4, 3)), np.ones((4, 3))).mean == 0
    assert bitext.bitext_accuracy(np.zeros((4, 3)), np.zeros((4, 3))).mean == 0


def test_different_numbers_of_rows():
    with pytest.raises(ValueError, match="both sides"):
        bitext.bitext_accuracy(np.ones((4, 3)), np.ones((5, 3)))


def test_signature_names_languages_and_their_pairs():
    assert bitext.signature({"fr": 20, "de": 1000}).endswith("|pairs: de:1000,fr:20")
