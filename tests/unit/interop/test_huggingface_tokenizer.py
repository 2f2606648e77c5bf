"""Tokenizers of Hugging Face folders, in and out: the same ids."""

import json

import numpy as np
import pytest

import mass_plugins
from mass_plugins.cli import main
from mass_plugins.encoding.loading import load_model
from mass_plugins.errors import InputError
from mass_plugins.interop.huggingface_encoder import read_folder
from tests import tiny_encoder
from tests.unit.interop.transformers_folders import FAMILIES, LINES, change_json, make_folder


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_tokenizer_without_a_rule_for_the_ends_gets_one(family, tmp_path):
    """Ours puts CLS and SEP around every text, whatever the file says; the exported folder then must, too."""
    from sentence_transformers import SentenceTransformer
    from transformers import AutoTokenizer

    make_folder(tmp_path / "theirs", family)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    change_json(tmp_path / "theirs" / "tokenizer.json", post_processor=byte_level if family == "roberta" else None)
    folders = [str(tmp_path / name) for name in ("theirs", "ours", "out")]
    assert main(["import", "huggingface-encoder", folders[0], "--destdir", folders[1]]) == 0
    assert main(["export", "sentence-transformers", folders[1], "--destdir", folders[2], "--pooling", "cls"]) == 0
    ours = mass_plugins.load_encoder(folders[1], "cls")
    assert np.abs(SentenceTransformer(folders[2], device="cpu").encode(LINES) - ours.encode(LINES)).max() < 1e-5
    tokenizer = AutoTokenizer.from_pretrained(folders[2])
    for line, row in zip(LINES, load_model(folders[1]).text.encode(LINES)):
        assert tokenizer(line)["input_ids"] == row.tolist()


OLD = {"bert": ("vocab.txt",), "roberta": ("vocab.json", "merges.txt")}


def make_old_folder(folder, family):
    """The files from before there was a tokenizer.json; the last two entries are not in the vocabulary but added."""
    make_folder(folder, family)
    text = tiny_encoder.make_text(FAMILIES[family], 400)
    symbols = text.dictionary.symbols[:-2]
    if family == "bert":
        (folder / "vocab.txt").write_text("".join(f"{symbol}\n" for symbol in symbols))
    else:
        (folder / "vocab.json").write_text(json.dumps({symbol: number for number, symbol in enumerate(symbols)}))
        merges = [merge for merge in json.loads(text.content)["model"]["merges"] if "".join(merge) in symbols]
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{' '.join(merge)}\n" for merge in merges))
    (folder / "tokenizer.json").unlink()
    kind = {"bert": "BertTokenizer", "roberta": "RobertaTokenizer"}[family]
    change_json(folder / "tokenizer_config.json", do_lower_case=False, tokenizer_class=kind)
    return len(symbols)


@pytest.mark.parametrize("told", ["added_tokens.json", "tokenizer_config.json"])
@pytest.mark.parametrize("family", OLD)
def test_tokens_added_to_a_vocabulary(family, told, tmp_path):
    from transformers import AutoTokenizer

    size = make_old_folder(tmp_path, family)
    if told == "added_tokens.json":
        (tmp_path / told).write_text(json.dumps({"<last>": size + 1, "COVID-19": size}))
    else:
        tokens = {size: {"content": "COVID-19", "normalized": False}, size + 1: {"content": "<last>", "lstrip": True}}
        change_json(tmp_path / told, added_tokens_decoder=tokens)
    text, theirs = read_folder(tmp_path).text, AutoTokenizer.from_pretrained(tmp_path)
    lines = [*LINES, "schlau COVID-19 <last>", "aCOVID-19b <last><last>", "covid-19 < last >"]
    for line, row in zip(lines, text.encode(lines)):
        assert row.tolist() == theirs(line)["input_ids"], line
    assert {size, size + 1} < set(text.encode(lines[-3:-2])[0].tolist())


@pytest.mark.parametrize(
    "content, message",
    [('{"COVID-19": 3}', "added_tokens.json gives 'COVID-19' the id 3, which its vocabulary doesn't"),
     ('{"a": {}, "b": 1}', "added_tokens.json is damaged"), ("[1]", "added_tokens.json is damaged"),
     ('{"a": null}', "added_tokens.json is damaged"), ("{", "added_tokens.json is damaged")],
)  # fmt: skip
def test_damaged_added_tokens(content, message, tmp_path):
    make_old_folder(tmp_path, "bert")
    (tmp_path / "added_tokens.json").write_text(content)
    with pytest.raises(InputError, match=message) as error:
        read_folder(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [{"do_lower_case": "false"}, {"do_lower_case": None}, {"strip_accents": "x"}, {"tokenize_chinese_chars": [1]},
     {"added_tokens_decoder": [1]}, {"added_tokens_decoder": {"x": {"content": "a"}}},
     {"added_tokens_decoder": {"3": {}}}, {"added_tokens_decoder": {"3": {"content": "a", "special": "x"}}}],
    ids=str,
)  # fmt: skip
def test_odd_settings_are_told_in_one_line(change, tmp_path):
    make_old_folder(tmp_path, "bert")
    change_json(tmp_path / "tokenizer_config.json", **change)
    with pytest.raises(InputError, match="tokenizer_config.json") as error:
        read_folder(tmp_path)
    assert "\n" not in str(error.value)
