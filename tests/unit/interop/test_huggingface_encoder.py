"""BERT, RoBERTa and XLM-R of random weights, and a real MiniLM: in and out, the same numbers as transformers'."""

import json
import shutil

import numpy as np
import pytest
import torch
from fairseq import utils
from safetensors.torch import load_file, save_file

from mass_plugins.cli import main
from mass_plugins.encoding.loading import LoadedEncoder, load_model
from mass_plugins.errors import InputError
from mass_plugins.interop.huggingface_encoder import read_folder, write_folder
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderConfig
from tests import tiny_encoder
from tests.tiny_encoder import lm_logits
from tests.unit.interop.transformers_folders import LINES, change_json, error_of, make_folder


def compare(theirs, tokenizer, ours) -> None:
    """The same ids, hidden states and predictions at real slots, to 1e-5."""
    batch = tokenizer(LINES, return_tensors="pt", padding=True)
    real = batch.attention_mask.bool()
    rows = ours.text.encode(LINES)
    assert [row.tolist() for row in rows] == [ids[keep].tolist() for ids, keep in zip(batch.input_ids, real)]
    with torch.no_grad():
        found = theirs(**batch, output_hidden_states=True)
        hidden = ours.model(batch.input_ids)
        assert (hidden - found.hidden_states[-1])[real].abs().max() < 1e-5
        assert (lm_logits(ours.model, hidden) - found.logits)[real].abs().max() < 1e-5


def test_import_gives_the_same_numbers(foreign):
    from transformers import AutoTokenizer

    _, folder, model, ours = foreign
    compare(model, AutoTokenizer.from_pretrained(folder), load_model(ours))


def test_the_architecture_is_called_after_the_family(foreign, capsys, tmp_path):
    """RoBERTa's and XLM-R's shapes are the same; their tokenizers aren't."""
    family, folder, _, _ = foreign
    assert main(["import", "huggingface-encoder", str(folder), "--destdir", str(tmp_path / "ours")]) == 0
    name = {"bert": "bert_base", "roberta": "roberta_base", "xlm-roberta": "xlmr_base"}[family]
    assert f"continue its training with: --arch text_encoder_{name} " in capsys.readouterr().out


def test_export_gives_the_same_numbers(foreign, tmp_path):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    family, folder, _, ours = foreign
    assert main(["export", "huggingface-encoder", str(ours), "--destdir", str(tmp_path / "out")]) == 0
    model = AutoModelForMaskedLM.from_pretrained(tmp_path / "out").eval()
    assert model.config.model_type == family
    compare(model, AutoTokenizer.from_pretrained(tmp_path / "out"), load_model(ours))
    once, twice = (load_file(path / "model.safetensors") for path in (folder, tmp_path / "out"))
    for name in set(once) & set(twice):
        if (
            family == "bert" or "position" not in name and "token_type" not in name
        ):  # RoBERTa's type is in its positions
            assert torch.equal(once[name], twice[name]), name


def test_malformed_folders(folder, capfd):
    weights, config = folder / "model.safetensors", folder / "config.json"
    good, settings = load_file(weights), config.read_text()

    change_json(config, model_type="mpnet")
    assert "architecture 'mpnet'" in error_of(folder, capfd)
    change_json(config, model_type="bert", hidden_act="swish")
    assert "activation 'swish'" in error_of(folder, capfd)
    change_json(config, hidden_act="gelu", hidden_size=48)
    assert "has the shape" in error_of(folder, capfd)
    change_json(config, hidden_size=24, vocab_size=100)
    assert "give the model's own tokenizer" in error_of(folder, capfd)
    config.write_text("{")
    assert "config.json is damaged" in error_of(folder, capfd)
    config.write_text(settings)

    save_file({name: tensor for name, tensor in good.items() if "layer.1.output" not in name}, weights)
    assert "lacks bert.encoder.layer.1.output" in error_of(folder, capfd)
    save_file({**good, "adapter.weight": torch.ones(1)}, weights)
    assert "weights of no known place, for instance adapter.weight" in error_of(folder, capfd)
    save_file({**good, "cls.predictions.decoder.weight": good["bert.embeddings.word_embeddings.weight"] + 1}, weights)
    assert "isn't the token embeddings" in error_of(folder, capfd)
    save_file(good, weights)
    weights.write_bytes(weights.read_bytes()[:-10])
    assert "model.safetensors" in error_of(folder, capfd)
    weights.unlink()
    assert "has no weights (model.safetensors or pytorch_model.bin)" in error_of(folder, capfd)

    save_file(good, weights)
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer.json can't be read" in error_of(folder, capfd)
    (folder / "tokenizer.json").unlink()
    assert "there is no tokenizer.json" in error_of(folder, capfd)
    shutil.rmtree(folder)
    assert "is not a folder" in error_of(folder, capfd)


ODD = {
    "layer_norm_eps": (None, "x", [1e-12], True, 0, -1.0, float("nan")),
    "hidden_dropout_prob": (None, "0.1", 1, True),
    "attention_probs_dropout_prob": ([0.1],),
    "hidden_act": (["gelu"], None, {"name": "gelu"}),
    "model_type": (["bert"], None, {}),
    "num_hidden_layers": (0, 2.5, "2", True, -1),
    "num_attention_heads": (None, 5),
    "hidden_size": ([24],),
    "type_vocab_size": (None, "2", -1),
    "max_position_embeddings": (0, float("inf")),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_settings_are_refused_in_one_line(name, folder, capfd):
    for value in ODD[name]:
        change_json(folder / "config.json", **{name: value})
        line = error_of(folder, capfd)
        shown = {"num_attention_heads": "attention heads", "hidden_act": "activation", "model_type": "architecture"}
        assert name in line or shown.get(name, name) in line


def test_odd_settings_of_roberta(tmp_path, capfd):
    """Padding decides where positions begin; transformers' default is 1."""
    make_folder(tmp_path / "theirs", "roberta")
    path = tmp_path / "theirs" / "config.json"
    for value in (None, "1", [1], -1, 1.5):
        change_json(path, pad_token_id=value)
        assert "pad_token_id is" in error_of(tmp_path / "theirs", capfd)
    change_json(path, pad_token_id=2)
    assert "says that padding is 2, its tokenizer 1" in error_of(tmp_path / "theirs", capfd)
    change_json(path, pad_token_id=1, max_position_embeddings=2)
    assert "max_position_embeddings has 2 rows, so not one position" in error_of(tmp_path / "theirs", capfd)
    settings = json.loads(path.read_text())
    del settings["pad_token_id"]
    path.write_text(json.dumps({**settings, "max_position_embeddings": 66}))
    assert read_folder(tmp_path / "theirs").options["max_positions"] == 64


def test_odd_lists_of_weights(folder, capfd):
    (folder / "model.safetensors").unlink()
    for listed in ({}, [], {"weight": 1}, None, {"weight": ["a"]}):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
        assert "doesn't tell the weights' files" in error_of(folder, capfd)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_bias_of_the_projection_is_the_head_s(family, tmp_path, capfd):
    """transformers shares the two; a file that has one, either, or both alike is read, one with two is refused."""
    make_folder(tmp_path / "theirs", family)
    path = tmp_path / "theirs" / "model.safetensors"
    good = load_file(path)
    own, other = {
        "bert": ("cls.predictions.bias", "cls.predictions.decoder.bias"),
        "roberta": ("lm_head.bias", "lm_head.decoder.bias"),
    }[family]
    bias = good.pop(own)
    for names in ((own,), (other,), (own, other)):
        save_file({**good, **{name: bias.clone() for name in names}}, path)
        assert torch.equal(read_folder(tmp_path / "theirs").weights["lm_head.bias"], bias)
    save_file({**good, own: bias, other: bias + 1}, path)
    assert f"{other} isn't {own}" in error_of(tmp_path / "theirs", capfd)


ACTIVATIONS = ("gelu", "relu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "tanh", "linear")


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_in_and_out(family, activation, tmp_path):
    """RoBERTa's head has GELU, whatever its layers have."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    make_folder(tmp_path / "theirs", family)
    change_json(tmp_path / "theirs" / "config.json", hidden_act=activation)
    folders = [tmp_path / name for name in ("theirs", "ours", "out")]
    assert main(["import", "huggingface-encoder", str(folders[0]), "--destdir", str(folders[1])]) == 0
    assert main(["export", "huggingface-encoder", str(folders[1]), "--destdir", str(folders[2])]) == 0
    for folder in (folders[0], folders[2]):
        model = AutoModelForMaskedLM.from_pretrained(folder).eval()
        compare(model, AutoTokenizer.from_pretrained(folder), load_model(folders[1]))


@pytest.mark.filterwarnings("ignore:--activation-fn=gelu_fast has been renamed")  # fairseq's
@pytest.mark.parametrize("activation", utils.get_available_activation_fns())
def test_every_activation_is_exported_or_refused(activation, tmp_path):
    from transformers.activations import ACT2FN

    text = tiny_encoder.make_text()
    sizes = {"encoder_layers": 1, "encoder_embed_dim": 8, "encoder_ffn_embed_dim": 8, "encoder_attention_heads": 2}
    cfg = TextEncoderConfig(**sizes, max_positions=16, activation_fn=activation)
    model = TextEncoder(cfg, len(text.dictionary), text.vocabulary.pad)
    write_folder(LoadedEncoder(tmp_path / "c.pt", model, text, vars(cfg), None), tmp_path)
    theirs = ACT2FN[json.loads((tmp_path / "config.json").read_text())["hidden_act"]]
    x = torch.linspace(-8, 8, 999)
    assert torch.allclose(theirs(x), model.layers[0].activation_fn(x), atol=1e-6)
    encoder = LoadedEncoder(tmp_path / "c.pt", model, text, {**vars(cfg), "activation_fn": "cubic"}, None)
    with pytest.raises(InputError, match="c.pt: transformers has no activation cubic"):
        write_folder(encoder, tmp_path)


def test_weights_of_torch_save_in_two_parts_and_a_vocabulary_without_tokenizer_json(folder, tmp_path):
    """The oldest form of BERT: gamma and beta, vocab.txt, no index of safetensors."""
    expected = read_folder(folder)
    good = load_file(folder / "model.safetensors")
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
           for name, tensor in good.items()}  # fmt: skip
    parts: dict[str, dict] = {"a.bin": {}, "b.bin": {}}
    for number, (name, tensor) in enumerate(old.items()):
        parts["ab"[number % 2] + ".bin"][name] = tensor
    for name, content in parts.items():
        torch.save(content, folder / name)
    listed = {name: part for part, content in parts.items() for name in content}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": listed}))
    (folder / "model.safetensors").unlink()
    symbols = expected.text.dictionary.symbols
    (folder / "vocab.txt").write_text("".join(f"{symbol}\n" for symbol in symbols))
    (folder / "tokenizer.json").unlink()
    change_json(folder / "tokenizer_config.json", do_lower_case=False)
    found = read_folder(folder)
    assert all(torch.equal(found.weights[name], tensor) for name, tensor in expected.weights.items())
    assert all(map(np.array_equal, found.text.encode(LINES), expected.text.encode(LINES)))
