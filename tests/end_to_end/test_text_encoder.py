"""Raw text -> data-bin -> MLM pre-training -> vectors, through the real commands."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

import mass_plugins
from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.errors import InputError
from preprocess import prepare_encoder
from tests import tiny, tiny_encoder
from tests.conftest import ROOT, run


@pytest.fixture(scope="module")
def data_bin(once):
    """Two languages, prepared from raw files."""

    def make(folder):
        for language in tiny_encoder.LANGUAGES:
            lines = tiny.sentences(200, [language], f"raw {language}")[language]
            (folder / f"raw.{language}").write_text(
                "".join(f"{line}\n" for line in [*lines, lines[0], "", "a <mask> b"])
            )
        corpora = [f"{language}={folder}/raw.{language}" for language in tiny_encoder.LANGUAGES]
        command = [sys.executable, ROOT / "preprocess" / "prepare_encoder.py", "--workers", 1, "--mono", *corpora]
        done = run([*command, "--destdir", folder / "bin", "--vocab-size", 320, "--valid-lines", 20])
        (folder / "report").write_text(done.stdout)

    return once("encoder-data-bin", make)


@pytest.fixture(scope="module")
def trained(once, data_bin, run_fairseq):
    """A few updates of MLM pre-training, whole words in blocks of lines, then a few more from there."""

    def make(folder):
        blocks = [
            "--sample-break-mode",
            "complete",
            "--tokens-per-sample",
            40,
            "--whole-words",
            "--language-alpha",
            0.3,
        ]
        done = run_fairseq(
            "train", data_bin / "bin", *tiny_encoder.MLM, *blocks, "--max-update", 3, "--save-dir", folder
        )
        (folder / "stdout").write_text(done.stdout)
        start = ["--pretrained-checkpoint", folder / "checkpoint_last.pt"]
        done = run_fairseq(
            "train", data_bin / "bin", *tiny_encoder.MLM, *start, "--max-update", 1, "--lr", 0, "--save-dir",
            folder / "on",
        )  # fmt: skip

    return once("encoder-trained", make)


def test_preparing_says_what_it_did_and_does_it_once(data_bin, capsys):
    report = (data_bin / "report").read_text()
    assert "1 duplicates" in report and "1 empty" in report and "with the reserved symbol <mask>" in report
    text = EncoderText.load(data_bin / "bin")
    assert len(text.dictionary) <= 320 and text.dictionary[0] == "[PAD]"
    corpora = [f"{language}={data_bin}/raw.{language}" for language in tiny_encoder.LANGUAGES]
    flags = ["--mono", *corpora, "--destdir", str(data_bin / "bin"), "--valid-lines", "20", "--workers", "1"]
    assert prepare_encoder.main([*flags, "--vocab-size", "320"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    with pytest.raises(InputError, match="vocab_size was 320 and is 400"):
        prepare_encoder.main([*flags, "--vocab-size", "400"])


def test_preparing_speaks_in_its_own_name(data_bin, tmp_path, capsys):
    """Of lines that it holds out, of a file that is missing, of one that it didn't write."""
    corpus = f"en={data_bin}/raw.en"
    flags = ["--mono", corpus, "--like", str(data_bin / "bin"), "--destdir", str(tmp_path / "bin"), "--workers", "1"]
    assert prepare_encoder.main(flags) == 0
    assert "prepare_encoder.py: en: no --valid-mono en=... given, 20 of" in capsys.readouterr().err
    (tmp_path / "bin" / "train.en-None.en.idx").unlink()
    (tmp_path / "bin" / "mine").touch()
    with pytest.raises(InputError, match="holds mine, which prepare_encoder.py didn't write"):
        prepare_encoder.main(flags)
    (tmp_path / "bin" / "mine").unlink()
    assert prepare_encoder.main(flags) == 0
    assert "prepare_encoder.py: " in capsys.readouterr().err


def test_training_logs_bits_and_accuracy_and_leaves_its_tokenizer(trained):
    logs = [json.loads(line[line.index("{") :]) for line in (trained / "stdout").read_text().splitlines()
            if line.startswith('{"epoch"') or "| INFO | valid | {" in line]  # fmt: skip
    valid = [log for log in logs if "valid_accuracy" in log]
    assert 0 <= float(valid[-1]["valid_accuracy"]) <= 100
    assert 4 < float(valid[-1]["valid_loss"]) < 12  # a random guess among 320 tokens is 8.3 bits
    assert EncoderText.is_in(trained)


def test_training_starts_from_the_checkpoint(trained):
    first, second = (
        torch.load(path / "checkpoint_last.pt", weights_only=True)["model"] for path in (trained, trained / "on")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)  # its learning rate was 0


def test_encode_from_the_command_line_and_from_python(trained, tmp_path):
    lines = ["thight whound.", "", "schlau " * 90]
    command = [sys.executable, "-m", "mass_plugins", "encode", trained, "--output", tmp_path / "v.npy"]
    done = run([*command, "--pooling", "cls", "--normalize"], cwd=ROOT, stdin="\n".join(lines))
    assert "3 vectors of 16 float32, 1 longer texts cut" in done.stdout
    expected = mass_plugins.load_encoder(trained, pooling="cls", normalize=True).encode(lines)
    assert np.abs(np.load(tmp_path / "v.npy") - expected).max() < 1e-5
    with torch.inference_mode():
        encoder = mass_plugins.load_encoder(trained, pooling="cls", normalize=True)
        assert np.abs(encoder.encode(lines) - expected).max() < 1e-5
        assert not any(weight.is_inference() for weight in encoder.model.parameters())


def test_a_refused_training_leaves_the_tokenizer_of_the_checkpoints(trained, data_bin, tmp_path, run_fairseq):
    """Two entries of the vocabulary swapped: with a checkpoint to go on from, and without."""
    save, other = tmp_path / "save", tmp_path / "other"
    shutil.copytree(trained, save)
    shutil.copytree(data_bin / "bin", other)
    names = ("tokenizer.json", "encoder_text.json")
    kept = {name: (save / name).read_bytes() for name in names}
    tokenizer = json.loads(kept["tokenizer.json"])
    vocabulary = tokenizer["model"]["vocab"]
    first, second = [symbol for symbol, number in vocabulary.items() if number in (100, 101)]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    flags = [*tiny_encoder.MLM, "--max-update", 3, "--save-dir", save]
    done = run_fairseq("train", other, *flags, expect=1)
    assert "was trained with another dictionary" in done.stderr.splitlines()[-1]
    for path in save.glob("checkpoint_*"):
        path.rename(save / path.name.replace("checkpoint_", "checkpoint."))
    done = run_fairseq("train", other, *flags, expect=1)
    assert f"--save-dir {save} holds another text pipeline than {other}" in done.stderr.splitlines()[-1]
    assert {name: (save / name).read_bytes() for name in names} == kept
    assert "Traceback" not in done.stderr and not list(save.glob("checkpoint_*"))


def test_a_tokenizer_without_checkpoints_is_replaced(data_bin, tmp_path, run_fairseq):
    """A refused training left it there; the next one may have another."""
    save = tmp_path / "save"
    save.mkdir()
    tiny_encoder.make_text(size=300).save(save)
    run_fairseq("train", data_bin / "bin", *tiny_encoder.MLM, "--max-update", 1, "--save-dir", save)
    assert (save / "tokenizer.json").read_bytes() == (data_bin / "bin" / "tokenizer.json").read_bytes()


def test_another_tokenizer_is_refused(trained, tmp_path, run_fairseq):
    tiny_encoder.make_data_bin(tmp_path)
    flags = [*tiny_encoder.MLM, "--pretrained-checkpoint", trained / "checkpoint_last.pt", "--save-dir", tmp_path / "s"]
    done = run_fairseq("train", tmp_path, *flags, expect=1)
    assert "was trained with another dictionary" in done.stderr and "Traceback" not in done.stderr
    with pytest.raises(InputError, match="was trained with another tokenizer"):
        mass_plugins.load_encoder(trained, data=tmp_path)


def test_a_tokenizer_of_the_same_vocabulary_that_reads_otherwise_is_refused(trained, data_bin, tmp_path, run_fairseq):
    """A normalizer that lowercases; a checkpoint that doesn't tell is none of ours."""
    shutil.copytree(data_bin / "bin", tmp_path / "bin")
    path = tmp_path / "bin" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["normalizer"]["lowercase"] = not tokenizer["normalizer"]["lowercase"]
    path.write_text(json.dumps(tokenizer))
    start = ["--pretrained-checkpoint", trained / "checkpoint_last.pt", "--max-update", 1, "--save-dir", tmp_path / "s"]
    done = run_fairseq("train", tmp_path / "bin", *tiny_encoder.MLM, *start, expect=1)
    assert "a tokenizer of the same vocabulary as that in" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    with pytest.raises(InputError, match="a tokenizer of the same vocabulary as that in .*--data"):
        mass_plugins.load_encoder(trained, data=tmp_path / "bin")
    shards = f"{data_bin / 'bin'}:{tmp_path / 'bin'}"
    done = run_fairseq("train", shards, *tiny_encoder.MLM, "--max-update", 1, "--no-save", expect=1)
    assert "shards share one" in done.stderr.splitlines()[-1]
    state = torch.load(trained / "checkpoint_last.pt", weights_only=True)
    del state["task_state"]["text"]
    torch.save(state, tmp_path / "foreign.pt")
    with pytest.raises(InputError, match="is not a text encoder"):
        mass_plugins.load_encoder(tmp_path / "foreign.pt", data=data_bin / "bin")
    start[1] = tmp_path / "foreign.pt"
    done = run_fairseq("train", data_bin / "bin", *tiny_encoder.MLM, *start, expect=1)
    assert "foreign.pt is not a text encoder" in done.stderr.splitlines()[-1]
