"""Vectors of a small random encoder: what they depend on, and what they don't; files, shards, stdin."""

import gzip
import io
import sys
import types

import numpy as np
import pytest
import torch

from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.data.text_files import Shard
from mass_plugins.encoding.encode_files import STDIN, encode_files
from mass_plugins.encoding.encoder import Encoder
from mass_plugins.encoding.loading import VectorSettings
from mass_plugins.encoding.running import Running
from mass_plugins.errors import InputError
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderConfig
from mass_plugins.modules.pooling import POOLINGS
from tests import tiny_encoder

LINES = ["thight", *tiny_encoder.sentences(15, "encode"), "", "schlau [PAD] seed [PAD]", "schlau " * 100]


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(1)
    text = tiny_encoder.make_text()
    cfg = TextEncoderConfig(encoder_layers=1, encoder_embed_dim=8, encoder_ffn_embed_dim=8, encoder_attention_heads=2,
                            max_positions=32)  # fmt: skip
    model = TextEncoder(cfg, len(text.dictionary), text.dictionary.pad())
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model, text


def make(parts, batch_tokens=200, **settings) -> Encoder:
    return Encoder(*parts, VectorSettings(**settings), Running("cpu", batch_tokens=batch_tokens))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_vector_depends_on_its_line_alone(parts, pooling):
    together = make(parts, pooling=pooling).encode(LINES)
    assert together.dtype == np.float32 and together.shape == (len(LINES), 8) and np.isfinite(together).all()
    alone = np.concatenate([make(parts, pooling=pooling, batch_tokens=1).encode([line]) for line in LINES])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(make(parts, pooling=pooling).encode(LINES[::-1])[::-1] - together).max() < 1e-5


def test_pooling_by_hand(parts):
    model, text = parts
    tokens = torch.from_numpy(text.encode(LINES[:1])[0])[None]
    hidden = model.eval()(tokens)[0].detach().numpy()
    assert np.allclose(make(parts, pooling="cls").encode(LINES[:1])[0], hidden[0], atol=1e-6)
    mean = hidden.mean(0)
    assert np.allclose(make(parts).encode(LINES[:1])[0], mean, atol=1e-6)
    unit = make(parts, normalize=True).encode(LINES[:1])[0]
    assert np.allclose(unit, mean / np.linalg.norm(mean), atol=1e-6)


def test_long_texts_are_cut_and_counted(parts):
    vectors, counts = make(parts, max_tokens=10).encode_and_count(["schlau " * 100, "schlau " * 101])
    assert counts.cut == 2 and counts.warning is None and np.allclose(vectors[0], vectors[1])


def test_batches_hold_every_line_once_and_few_tokens(parts):
    encoder = make(parts, batch_tokens=60)
    rows = encoder.text.encode(LINES, 32)
    batches = encoder._batches(rows)
    assert sorted(np.concatenate(batches)) == list(range(len(rows)))
    assert all(len(batch) == 1 or max(len(rows[n]) for n in batch) * len(batch) <= 60 for batch in batches)


def test_nothing_and_a_bare_string(parts):
    assert make(parts).encode([]).shape == (0, 8)
    for lines, message in (("thight", "type str"), (None, "type NoneType"), ([["a", "b"]], "line 1 is no text")):
        with pytest.raises(InputError, match=message):
            make(parts).encode(lines)
    assert np.allclose(make(parts).encode(line for line in LINES), make(parts).encode(LINES), atol=1e-6)


@pytest.fixture
def files(parts, tmp_path):
    """(encoder, a stand-in for its checkpoint, two input files)."""
    (tmp_path / "checkpoint.pt").write_bytes(b"weights")
    (tmp_path / "a.txt").write_text("".join(f"{line}\n" for line in LINES[:9]))
    with gzip.open(tmp_path / "b.txt.gz", "wt") as file:
        file.write("\n".join(LINES[9:]))  # no line feed at the end
    return make(parts), tmp_path / "checkpoint.pt", [tmp_path / "a.txt", tmp_path / "b.txt.gz"]


def test_files_give_their_lines_in_order(files, tmp_path):
    report = encode_files(*files, tmp_path / "v.npy", buffer=4)
    assert f"{len(LINES)} vectors of 8" in report and "1 longer texts cut" in report
    assert np.abs(np.load(tmp_path / "v.npy") - files[0].encode(LINES)).max() < 1e-5
    before = (tmp_path / "v.npy").stat()
    assert "nothing to do" in encode_files(*files, tmp_path / "v.npy", buffer=4)
    assert (tmp_path / "v.npy").stat() == before


def pipe(monkeypatch, data: bytes):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(data)))


@pytest.mark.parametrize("source", ["files", "shard", "stdin"])
@pytest.mark.parametrize("end", ["schlab", "schlau more", None], ids=["other", "longer", "more"])
def test_vectors_of_other_text_are_never_taken_for_these(files, tmp_path, monkeypatch, source, end):
    """The same names and sizes; a line more; more words. --overwrite makes them anew, and alone of what differs."""
    encoder, checkpoint, _ = files
    path, output = tmp_path / "c.txt", tmp_path / "v.npy"

    def call(lines, **more):
        content = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(content)
        pipe(monkeypatch, content)
        shard = {"shard": Shard(1, 2)} if source == "shard" else {}
        inputs = [STDIN] if source == "stdin" else [path]
        return encode_files(encoder, checkpoint, inputs, output, buffer=2, **shard, **more)

    lines = ["thight", "brein", "whound", "schlau"]
    call(lines)
    assert "nothing to do" in call(lines)
    other = [*lines, "thight"] if end is None else [*lines[:3], end]
    if source != "stdin" and end != "schlab":  # another size tells it before the text is read
        with pytest.raises(InputError, match="--input was"):
            call(other)
    else:
        with pytest.raises(InputError, match=r"there are more lines than the 4|the first \d lines aren't those"):
            call(other)
    assert "nothing to do" not in call(other, overwrite=True)
    (written,) = tmp_path.glob("v*.npy")
    start = len(other) // 2 if source == "shard" else 0
    assert np.abs(np.load(written) - encoder.encode(other[start:])).max() < 1e-5
    if source != "stdin":
        assert "nothing to do" in call(other, overwrite=True)


def test_precision_is_of_the_record(files, tmp_path):
    """A file half in float32, half in bfloat16 is nothing that anybody asked for."""
    encoder, *where = files
    encode_files(encoder, *where, tmp_path / "v.npy")
    other = Encoder(encoder.model, encoder.text, encoder.settings, Running("cpu", "bfloat16"))
    with pytest.raises(InputError, match="--dtype was float32 and is bfloat16"):
        encode_files(other, *where, tmp_path / "v.npy")


def test_unknown_tokens_are_told(files, tmp_path):
    """Counted over all chunks, those of an earlier run included; a few are nothing to tell."""
    encoder, checkpoint, _ = files
    path = tmp_path / "x.txt"
    for strange, told in ((1, None), (30, "of the texts' tokens are unknown to the tokenizer")):
        lines = ["schlau"] * 60 + ["\u6f22 \u5b57"] * strange
        counts = encoder.encode_and_count(lines)[1]
        assert counts.unknown == 2 * strange and counts.tokens == sum(map(len, encoder.text.pieces(lines)))
        assert (counts.warning or "").endswith("?") == bool(told)
        path.write_text("".join(f"{line}\n" for line in lines))
        for _ in range(2):
            report = encode_files(encoder, checkpoint, [path], tmp_path / f"{strange}.npy", buffer=7)
            assert (told in report) if told else ("warning" not in report)
    assert f"{100 * counts.unknown / counts.tokens:.0f} % of" in report


def test_a_language_that_means_nothing_is_refused(parts, tiny_data_bin):
    """A tokenizer file reads all languages alike; prepare.py's sub-words have theirs."""
    with pytest.raises(InputError, match="language 'xx'.*leave --language out"):
        make(parts).encode(["schlau"], "xx")
    subwords = EncoderText.load(tiny_data_bin)
    subwords.check_language("en")
    subwords.check_language(None)
    with pytest.raises(InputError, match="language 'xx' is unknown; the model's are de,en,fr"):
        subwords.check_language("xx")


def test_shards_put_together_are_the_whole(files, tmp_path):
    for index in range(3):
        encode_files(*files, tmp_path / "v.npy", shard=Shard(index, 3), buffer=4)
    vectors = np.concatenate([np.load(tmp_path / f"v.{index}-of-3.npy") for index in range(3)])
    assert np.abs(vectors - files[0].encode(LINES)).max() < 1e-5
    assert [Shard(index, 3).stretch(10) for index in range(3)] == [(0, 3), (3, 6), (6, 10)]


def test_a_run_that_was_cut_off_goes_on_with_the_same_lines(files, tmp_path, monkeypatch):
    encoder, checkpoint, inputs = files
    encode_files(*files, tmp_path / "whole.npy", buffer=4)
    seen, real = [], encoder.encode_and_count

    def fails_at_the_third_chunk(lines, language):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(lines)
        return real(lines, language)

    monkeypatch.setattr(encoder, "encode_and_count", fails_at_the_third_chunk)
    with pytest.raises(KeyboardInterrupt):
        encode_files(encoder, checkpoint, inputs, tmp_path / "v.npy", buffer=4)
    monkeypatch.setattr(encoder, "encode_and_count", real)
    text = inputs[0].read_text()
    inputs[0].write_text(text.replace("thight", "thighx"))
    with pytest.raises(InputError, match="the first 8 lines aren't those"):
        encode_files(encoder, checkpoint, inputs, tmp_path / "v.npy", buffer=4)
    inputs[0].write_text(text)
    assert "(8 made before)" in encode_files(encoder, checkpoint, inputs, tmp_path / "v.npy", buffer=4)
    assert (tmp_path / "v.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_what_is_refused_overwrites_nothing(files, tmp_path, monkeypatch):
    encode_files(*files, tmp_path / "v.npy")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="language 'xx'"):
        encode_files(*files, tmp_path / "v.npy", language="xx", overwrite=True)
    pipe(monkeypatch, b"good\n\xff\n")
    with pytest.raises(InputError, match="stdin, line 2 is not UTF-8"):
        encode_files(*files[:2], [STDIN], tmp_path / "v.npy", overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_stdin(files, tmp_path, monkeypatch):
    encoder, checkpoint, _ = files
    stdin = [STDIN]

    pipe(monkeypatch, "\n".join(LINES).encode())
    encode_files(encoder, checkpoint, stdin, tmp_path / "v.npy")
    assert np.abs(np.load(tmp_path / "v.npy") - encoder.encode(LINES)).max() < 1e-5
    pipe(monkeypatch, b"good\n\xff\n")
    with pytest.raises(InputError, match="stdin, line 2 is not UTF-8"):
        encode_files(encoder, checkpoint, stdin, tmp_path / "w.npy")
    pipe(monkeypatch, b"")
    with pytest.raises(InputError, match="stdin is empty"):
        encode_files(encoder, checkpoint, stdin, tmp_path / "x.npy")
    assert not list(tmp_path.glob("x.npy*"))
    with pytest.raises(InputError, match="--shard needs files"):
        encode_files(encoder, checkpoint, stdin, tmp_path / "y.npy", shard=Shard(0, 2))


def test_bad_requests(files, tmp_path):
    with pytest.raises(InputError, match="doesn't end in .npy"):
        encode_files(*files, tmp_path / "v.txt")
    assert not list(tmp_path.glob("v*"))
    with pytest.raises(InputError, match="no line falls to --shard"):  # more shards than lines: some have none
        for index in range(40):
            encode_files(*files, tmp_path / "v.npy", shard=Shard(index, 40))
