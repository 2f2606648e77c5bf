"""From monolingual text to vectors in one space, and to a model that starts from them."""

import shutil

import numpy as np
import pytest
import torch

from mass_plugins.cli import main
from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.data.vectors_text import read_vectors
from tests import tiny, tiny_encoder, two_languages
from tests.conftest import run, torchrun

FLAGS = ("--dim", "16", "--window", "2", "--min-count", "3")
TRAIN = [*tiny.PRETRAIN, "--lr", "0", "--max-update", "1"]  # embeddings stay as they were


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("align")
    two_languages.make_data_bin(folder)
    assert main(["align", str(folder), "--pivot", "xx", "--output", str(folder / "vectors.txt"), *FLAGS]) == 0
    return folder


def test_it_says_what_it_found(data, capsys):
    output = data / "again.txt"
    assert main(["align", str(data), "--pivot", "xx", "--output", str(output), *FLAGS]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "xx: 240 tokens, the pivot" and said[1].startswith("yy: 240 tokens, ") and len(said) == 3
    assert "100% of translations found twice" in said[1]
    shown = [pair.split() for pair in said[1].split(": ")[2].split(", ")]
    assert len(shown) == 10 and sum(one[1:] == other[1:] for one, other in shown) >= 9
    assert output.read_bytes() == (data / "vectors.txt").read_bytes()


def test_one_language_alone_has_vectors_too(data, tmp_path, capsys):
    """Those that its own tokens have beside another language, which is rotated to it."""
    output = tmp_path / "v.txt"
    assert main(["align", str(data), "--pivot", "xx", "--languages", "xx", "--output", str(output), *FLAGS]) == 0
    assert capsys.readouterr().out.startswith("xx: 240 tokens, the pivot\n")
    alone, both = read_vectors(output, "--x"), read_vectors(data / "vectors.txt", "--x")
    own = [token for token in alone.tokens if token.startswith("x")]
    assert len(alone.tokens) == 240 and len(own) == 200
    first, second = (found.vectors[[found.tokens.index(token) for token in own]] for found in (alone, both))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_shards_are_read_in_turn(data, tmp_path, capsys):
    """A data-bin twice is its text twice, most words more than 160 times; what is beyond --max-tokens is not read."""
    flags = ["--pivot", "xx", "--output", str(tmp_path / "twice.txt"), *FLAGS, "--min-count", "160"]
    assert main(["align", f"{data}:{data}", *flags]) == 0
    assert main(["align", f"{data}:{data}", *flags, "--max-tokens", "33000"]) == 1
    assert "--min-count" in capsys.readouterr().err


def test_pre_training_starts_from_the_vectors_and_goes_on_without_them(data, tmp_path, run_fairseq):
    vectors = tmp_path / "vectors.txt"
    shutil.copy(data / "vectors.txt", vectors)
    command = [data, *TRAIN, "--pretrained-embeddings", vectors, "--save-dir", tmp_path / "run"]
    done = run_fairseq("train", *command)
    assert "440 of 488 token embeddings start from" in done.output
    checkpoint = torch.load(tmp_path / "run" / "checkpoint_last.pt", weights_only=True)
    found = read_vectors(vectors, "--x")
    symbols = [line.split(" ")[0] for line in (data / "dict.xx.txt").read_text().splitlines()]
    for side in ("encoder", "decoder"):
        weights = checkpoint["model"][f"{side}.embed_tokens.weight"]
        rows = [tiny.SPECIALS + symbols.index(token) for token in found.tokens]
        torch.testing.assert_close(weights[rows], torch.from_numpy(found.vectors))
        assert weights[1].abs().sum() == 0  # padding
    vectors.unlink()
    assert "token embeddings" not in run_fairseq("train", *command, "--max-update", "2").output
    elsewhere = ["--restore-file", tmp_path / "run" / "checkpoint_last.pt", "--save-dir", tmp_path / "elsewhere"]
    assert "token embeddings" not in run_fairseq("train", *command, "--max-update", "3", *elsewhere).output


@pytest.fixture(scope="module")
def encoder_data(tmp_path_factory):
    """An encoder's data-bin: the same text with the ids of a tokenizer, whose special tokens are anywhere."""
    return two_languages.make_encoder_data_bin(tmp_path_factory.mktemp("align_encoder"))


def test_an_encoder_starts_from_vectors_of_its_own_data_bin(encoder_data, tmp_path, run_fairseq, capsys):
    vectors = tmp_path / "vectors.txt"
    shards = f"{encoder_data}:{encoder_data}"
    assert main(["align", shards, "--pivot", "xx", "--output", str(vectors), *FLAGS]) == 0
    assert "100% of translations found twice" in capsys.readouterr().out
    command = [encoder_data, *tiny_encoder.MLM, "--encoder-embed-dim", "16", "--lr", "0", "--max-update", "1"]
    command += ["--pretrained-embeddings", vectors, "--save-dir", tmp_path / "run"]
    done = run_fairseq("train", *command)
    assert "440 of 485 token embeddings start from" in done.output
    weights = torch.load(tmp_path / "run" / "checkpoint_last.pt", weights_only=True)["model"]["embed_tokens.weight"]
    text, found = EncoderText.load(encoder_data), read_vectors(vectors, "--x")
    rows = [text.dictionary.index(token) for token in found.tokens]
    torch.testing.assert_close(weights[rows], torch.from_numpy(found.vectors), atol=1e-4, rtol=0)
    assert weights[text.dictionary.pad()].abs().sum() == 0
    vectors.unlink()
    assert "token embeddings" not in run_fairseq("train", *command, "--max-update", "2").output
    start = ["--pretrained-checkpoint", tmp_path / "run", "--save-dir", tmp_path / "other"]
    done = run_fairseq("train", *command, *start, expect=1)
    assert "--pretrained-embeddings has no effect beside --pretrained-checkpoint" in done.stderr


def test_shards_of_an_encoder_share_a_tokenizer(encoder_data, tmp_path, capsys):
    tiny_encoder.make_data_bin(tmp_path)
    flags = ["--languages", "xx,yy", "--pivot", "xx", "--output", str(tmp_path / "v.txt"), *FLAGS]
    assert main(["align", f"{encoder_data}:{tmp_path}", *flags]) == 1
    assert "was prepared with another tokenizer than" in capsys.readouterr().err and not (tmp_path / "v.txt").exists()


def test_a_checkpoint_that_is_not_there_leaves_the_vectors_their_place(data, tmp_path, run_fairseq):
    """fairseq starts anew then; another checkpoint's weights would be in their place."""
    command = [data, *TRAIN, "--pretrained-embeddings", data / "vectors.txt", "--no-save", "--save-dir", tmp_path]
    (tmp_path / "checkpoint_last.pt").touch()
    done = run_fairseq("train", *command, "--restore-file", tmp_path / "none.pt")
    assert "440 of 488 token embeddings start from" in done.output
    (tmp_path / "checkpoint_last.pt").unlink()
    done = run_fairseq("train", *command, "--finetune-from-model", tmp_path / "other.pt", expect=1)
    assert "--pretrained-embeddings has no effect beside --finetune-from-model" in done.stderr


def test_vectors_of_any_length_are_scaled_to_that_of_embeddings(data, tmp_path, run_fairseq):
    (tmp_path / "v.txt").write_text(f"2 16\nsaa{' 3' * 16}\nsab{' -1' * 16}\n")  # lengths 12 and 4
    flags = ("--pretrained-embeddings", tmp_path / "v.txt", "--save-dir", tmp_path / "run", "--separate-embeddings")
    run_fairseq("train", data, *TRAIN, *flags)
    model = torch.load(tmp_path / "run" / "checkpoint_last.pt", weights_only=True)["model"]
    rows = [model[f"{side}.embed_tokens.weight"][tiny.SPECIALS + 1 :][:2] for side in ("encoder", "decoder")]
    for found in rows:
        torch.testing.assert_close(found, torch.tensor([[3.0], [-1.0]]).expand(2, 16) / 8)


def test_what_is_wrong_is_told_under_torchrun_too(data, tmp_path):
    flags = ("--pretrained-embeddings", tmp_path / "none.txt", "--save-dir", tmp_path / "run", *tiny.PLUGIN_FLAGS)
    done = run(torchrun(data, *TRAIN, *flags), expect=1)
    assert "mass_plugins: error: --pretrained-embeddings: " in done.stderr


@pytest.mark.parametrize(
    "content, complaint",
    [
        (None, "doesn't exist"),
        ("1 3\nsaa 1 2 3\n", "have 3 dimensions and the model's embeddings 16; make them with --dim 16"),
        ("1 16\nother" + 16 * " 1" + "\n", "has no token of the dictionary"),
    ],
)
def test_vectors_that_do_not_fit(data, tmp_path, run_fairseq, content, complaint):
    if content:
        (tmp_path / "v.txt").write_text(content)
    flags = ("--pretrained-embeddings", tmp_path / "v.txt", "--save-dir", tmp_path / "run")
    done = run_fairseq("train", data, *TRAIN, *flags, expect=1)
    assert done.stderr.count("\n") == 1 and "--pretrained-embeddings" in done.stderr and complaint in done.stderr
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize(
    "flags, complaint",
    [
        (("--pivot", "zz"), "--pivot zz must be one of the languages, but these are xx,yy"),
        (("--pivot", "xx", "--languages", "yy"), "--pivot xx must be one of the languages, but these are yy"),
        (("--pivot", "xx", "--languages", "xx,fr"), "--languages fr: "),
        (("--pivot", "xx", "--min-count", "1000"), "xx: 0 tokens occur 1000 times or more"),
        (("--pivot", "xx", "--output", "no/such/folder/v.txt"), "no/such/folder"),
        (("--pivot", "xx", "--output", "/"), "--output / must be a file in an existing folder"),
    ],
)
def test_what_can_be_wrong_with_a_call(data, tmp_path, capsys, flags, complaint):
    output = tmp_path / "v.txt"
    assert main(["align", str(data), "--output", str(output), *FLAGS, *flags]) == 1
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
