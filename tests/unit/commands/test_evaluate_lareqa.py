"""``mass-plugins evaluate lareqa``: which similarity is measured."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from mass_plugins import cli
from mass_plugins.commands import evaluate_lareqa

VECTORS = {"question": [1.0, 0.0], "right": [0.9, 0.1], "wrong, but long": [2.0, 2.0]}


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """mAP and signature with these flags, of an encoder with that similarity of its own."""
    sentences = ["right", "wrong, but long"]
    context, breaks = " ".join(sentences), [[0, 5], [6, 21]]
    answers = [{"answer_start": 0, "text": "right"}]
    paragraph = {"context": context, "sentence_breaks": breaks}
    paragraph["qas"] = [{"id": "q", "question": "question", "answers": answers}]
    (tmp_path / "en.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))

    def run(own, *flags):
        encoder = SimpleNamespace(similarity=own, encode=lambda texts: np.array([VECTORS[text] for text in texts]))
        monkeypatch.setattr(evaluate_lareqa, "load_with", lambda options: encoder)
        words = ["evaluate", "lareqa", "x", "--xquad", f"en={tmp_path}/en.json", "--json", f"{tmp_path}/out.json"]
        assert cli.main([*words, *flags]) == 0
        content = json.loads((tmp_path / "out.json").read_text())
        return content["average"], content["signature"].rpartition("|")[2]

    return run


def test_similarity(measure):
    """By cosine the right sentence is nearer, by dot product the long one."""
    assert measure("cosine") == (100, "cosine") and measure("dot") == (50, "dot")
    assert measure("dot", "--similarity", "cosine") == (100, "cosine")
    assert measure("cosine", "--similarity", "dot") == (50, "dot")
