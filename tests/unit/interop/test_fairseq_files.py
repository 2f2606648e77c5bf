"""The authors' summarization models and fairseq's BART: the same logits as an independent forward pass."""

import argparse
import json
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mass_plugins.errors import InputError
from mass_plugins.interop.fairseq_bart import read_bart
from mass_plugins.interop.mass_summarization import read_summarization
from mass_plugins.interop.weights import read_weights
from tests.unit.interop import foreign


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "dict.txt"
    path.write_text("".join(f"{piece} 1\n" for piece in foreign.BERT_PIECES))
    return str(path)


@pytest.fixture
def bart_files(tmp_path):
    (tmp_path / "dict.txt").write_text("".join(f"{symbol} 5\n" for symbol in foreign.BART_DICT))
    (tmp_path / "encoder.json").write_text(json.dumps(foreign.GPT2_PIECES))
    (tmp_path / "vocab.bpe").write_text("\n".join(foreign.GPT2_MERGES) + "\n")
    return [str(tmp_path / name) for name in ("dict.txt", "encoder.json", "vocab.bpe")]


def save(content, folder, name="model.pt"):
    torch.save(content, folder / name)
    return str(folder / name)


class TestSummarization:
    order = [3, 0, 4, 2, 1, *range(5, len(foreign.BERT_PIECES))]  # our entry -> BERT's id

    @pytest.mark.parametrize("heads, given", [(2, 2), (4, 4)])
    def test_logits_equal_an_independent_forward_pass(self, heads, given, tmp_path, vocabulary, load, logits):
        tensors = foreign.summarization()
        path = save(tensors, tmp_path)
        read_summarization(path, vocabulary, heads=given).save(tmp_path / "imported")
        model, task = load(tmp_path / "imported")
        source, target = [8, 9, 11, 4], [4, 6, 7]  # BERT's ids; [SEP] ends a source and begins a target
        theirs = foreign.fairseq_logits(tensors, source, target, heads, 0, 4.0, "emb_layer_norm")
        ours = logits(model, *([self.order.index(number) for number in ids] for ids in (source, target)))
        assert np.abs(theirs[:, self.order] - ours).max() < 1e-5
        assert [task.dictionary.index(piece) for piece in ("[MASK]", "dog")] == [5, 8]

    def test_a_masked_slot_is_seen_by_cross_attention(self, tmp_path, vocabulary, load, logits):
        tensors = foreign.summarization()
        read_summarization(save(tensors, tmp_path), vocabulary, heads=2).save(tmp_path / "imported")
        theirs = foreign.fairseq_logits(tensors, [8, 5, 4], [4, 6], 2, 0, 4.0, "emb_layer_norm")
        ours = logits(
            load(tmp_path / "imported")[0], *([self.order.index(n) for n in ids] for ids in ([8, 5, 4], [4, 6]))
        )
        assert np.abs(theirs[:, self.order] - ours).max() < 1e-5

    def test_text_is_berts_uncased_pieces(self, tmp_path, vocabulary):
        codec = read_summarization(save(foreign.summarization(), tmp_path), vocabulary).codec
        assert codec.encode("Dog  runs. Ab", "en") == "dog run ##s . a ##b"
        assert codec.encode("dog xyz.", "en") == "dog [UNK] ."
        assert codec.decode("dog run ##s .", "en") == "dog runs ."
        cased = read_summarization(save(foreign.summarization(), tmp_path), vocabulary, cased=True).codec
        assert cased.encode("Dog dog", "en") == "[UNK] dog"

    def test_a_fine_tuned_checkpoint_of_its_time(self, tmp_path, vocabulary, monkeypatch):
        """fairseq 0.8 pickled its meters beside the weights; heads are in its options."""
        old = types.ModuleType("fairseq.meters")
        meter = type(
            "AverageMeter", (), {"__module__": "fairseq.meters", "__init__": lambda self: setattr(self, "n", 1)}
        )
        old.AverageMeter = meter
        monkeypatch.setitem(sys.modules, "fairseq.meters", old)
        args = argparse.Namespace(encoder_attention_heads=4, decoder_attention_heads=4, activation_fn="gelu")
        content = {"args": args, "model": foreign.summarization(), "extra_state": {"train_meters": {"loss": meter()}}}
        path = save(content, tmp_path)
        monkeypatch.undo()
        options = read_summarization(path, vocabulary).options
        assert (options["encoder_attention_heads"], options["decoder_attention_heads"]) == (4, 4)

    @pytest.mark.parametrize(
        "change, words",
        [
            (lambda t: t.pop("encoder.emb_layer_norm.bias"), "lacks encoder.emb_layer_norm.bias"),
            (lambda t: t.update(more=torch.ones(2)), "no known place, for instance more"),
            (lambda t: t.update({"decoder.embed_tokens.weight": torch.ones(13, 16)}), "isn't the encoder's embeddings"),
            (lambda t: t.update({"encoder.embed_tokens.weight": torch.ones(9, 16)}), r"shape \(9, 16\), not 13 x \?"),
        ],
    )
    def test_what_can_be_wrong_has_its_line(self, change, words, tmp_path, vocabulary):
        tensors = foreign.summarization()
        change(tensors)
        with pytest.raises(InputError, match=words):
            read_summarization(save(tensors, tmp_path), vocabulary)

    def test_a_table_without_a_position(self, tmp_path, vocabulary):
        tensors = foreign.summarization()
        tensors["encoder.embed_positions.weight"] = tensors["encoder.embed_positions.weight"][:1]
        with pytest.raises(InputError, match="has 1 rows, so not one position"):
            read_summarization(save(tensors, tmp_path), vocabulary)

    def test_a_vocabulary_of_another_kind(self, tmp_path):
        (tmp_path / "v").write_text("the 1\ncat 2\n")
        with pytest.raises(InputError, match=r"lacks \[CLS\]"):
            read_summarization(save(foreign.summarization(), tmp_path), str(tmp_path / "v"))


class TestBart:
    @pytest.mark.parametrize("kind", ["pt", "checkpoint", "safetensors"])
    def test_logits_equal_an_independent_forward_pass(self, kind, tmp_path, bart_files, load, logits):
        tensors = foreign.bart()
        if kind == "safetensors":
            path = str(tmp_path / "model.safetensors")
            save_file({name: tensor.clone() for name, tensor in tensors.items()}, path)
        else:
            args = argparse.Namespace(encoder_attention_heads=2, decoder_attention_heads=2, activation_fn="gelu")
            path = save({"args": args, "model": tensors} if kind == "checkpoint" else tensors, tmp_path)
        read_bart(path, bart_files[0], heads=None if kind == "checkpoint" else 2).save(tmp_path / "imported")
        model, task = load(tmp_path / "imported")
        source, target = [5, 6, 9, 4, 2], [2, 0, 7]
        theirs = foreign.fairseq_logits(tensors, [0, *source], target, 2, 1, 1.0, "layernorm_embedding")
        assert np.abs(theirs - logits(model, source, target)).max() < 1e-5  # <s> comes by itself
        assert task.dictionary.symbols[4:] == [*foreign.BART_DICT, "[MASK]"]

    def test_with_gpt2s_files_the_dictionary_has_pieces(self, tmp_path, bart_files):
        model = read_bart(save(foreign.bart(), tmp_path), *bart_files, heads=2)
        assert model.symbols == ["Ġa", "Ġab", ".", "abc", "madeupword0000", "[MASK]"]
        assert model.codec.encode("abc ab a.", "en") == "abc Ġab Ġa ."
        assert model.codec.decode("abc Ġab Ġa .", "en") == "abc ab a."

    @pytest.mark.parametrize("listed", [False, True])
    def test_a_fine_tuned_one_without_a_mask(self, listed, tmp_path, bart_files, load, logits):
        """bart.large.cnn, for instance: the same logits, and the new symbol is never the likeliest."""
        tensors = foreign.bart()
        words = 4 + len(foreign.BART_DICT)
        for name in ("encoder.embed_tokens", "decoder.embed_tokens", "decoder.output_projection"):
            tensors[f"{name}.weight"] = tensors[f"{name}.weight"][:words].clone()
        if listed:
            with open(bart_files[0], "a") as file:
                file.write("<mask> 0\n")
        read_bart(save(tensors, tmp_path), bart_files[0], heads=2).save(tmp_path / "imported")
        model, task = load(tmp_path / "imported")
        source, target = [5, 6, 4, 2], [2, 0, 7]
        theirs = foreign.fairseq_logits(tensors, [0, *source], target, 2, 1, 1.0, "layernorm_embedding")
        ours = logits(model, source, target)
        assert np.abs(theirs - ours[:, :words]).max() < 1e-5
        assert task.dictionary.index("[MASK]") == words == ours.shape[1] - 1 and (ours.argmax(1) < words).all()

    @pytest.mark.parametrize("rows, words", [(0, "is empty"), (1, "has 1 rows, so"), (2, "has 2 rows, so")])
    def test_a_table_without_a_position(self, rows, words, tmp_path, bart_files):
        tensors = foreign.bart()
        tensors["decoder.embed_positions.weight"] = tensors["decoder.embed_positions.weight"][:rows]
        with pytest.raises(InputError, match=words):
            read_bart(save(tensors, tmp_path), bart_files[0], heads=2)

    @pytest.mark.parametrize("wrong", ["swish", ["gelu"], None])
    def test_an_activation_that_is_none(self, wrong, tmp_path, bart_files):
        content = {"args": argparse.Namespace(activation_fn=wrong), "model": foreign.bart()}
        with pytest.raises(InputError, match="activation_fn is .*; our models have .*gelu"):
            read_bart(save(content, tmp_path), bart_files[0], heads=2)

    @pytest.mark.parametrize(
        "change, words",
        [
            (lambda t: t.update({"encoder.layer_norm.weight": torch.ones(16)}), "an mBART"),
            (lambda t: t.update({"encoder.embed_tokens.weight": torch.ones(12, 16)}), "embeddings for 12 entries"),
            (lambda t: t.pop("decoder.layers.1.fc2.bias"), "lacks decoder.layers.1.fc2.bias"),
            (lambda t: [t.pop(n) for n in [*t] if "layers.0" in n], "no layers encoder.layers.0"),
        ],
    )
    def test_what_can_be_wrong_has_its_line(self, change, words, tmp_path, bart_files):
        tensors = foreign.bart()
        change(tensors)
        with pytest.raises(InputError, match=words):
            read_bart(save(tensors, tmp_path), bart_files[0])

    def test_gpt2_files_that_are_none(self, tmp_path, bart_files):
        (tmp_path / "encoder.json").write_text("{")
        with pytest.raises(InputError, match="encoder.json"):
            read_bart(save(foreign.bart(), tmp_path), *bart_files)
        (tmp_path / "encoder.json").write_text('{"a": 1, "b": 2}')
        with pytest.raises(InputError, match="encoder.json"):
            read_bart(save(foreign.bart(), tmp_path), *bart_files)


class TestFiles:
    """What any reader may be given."""

    def test_a_command_in_a_pickle_is_refused(self, tmp_path):
        class Command:
            def __reduce__(self):
                return open, (str(tmp_path / "marker"), "w")

        for zipped in (True, False):
            torch.save({"model": {}, "x": Command()}, tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
            with pytest.raises(InputError, match="could run a command; nothing of it was run"):
                read_weights(str(tmp_path / "m.pt"))
        (tmp_path / "m.pt").write_bytes(pickle.dumps(Command()))
        with pytest.raises(InputError, match="m.pt"):
            read_weights(str(tmp_path / "m.pt"))
        assert not (tmp_path / "marker").exists()

    @pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
    def test_truncated_at_any_place(self, kind, tmp_path):
        tensors = {name: tensor.clone() for name, tensor in foreign.bart(dim=4, layers=1).items()}
        path = tmp_path / ("m.safetensors" if kind == "safetensors" else "m.pt")
        if kind == "safetensors":
            save_file(tensors, str(path))
        else:
            torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
        whole = path.read_bytes()
        for share in (0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999):
            path.write_bytes(whole[: int(share * len(whole))])
            with pytest.raises(InputError, match="damaged|cut off"):
                read_weights(str(path))

    @pytest.mark.parametrize("content", [[1, 2], {}, torch.ones(3)])
    def test_no_named_weights(self, content, tmp_path):
        with pytest.raises(InputError, match="not named weights"):
            read_weights(save(content, tmp_path))

    def test_no_file(self, tmp_path):
        with pytest.raises(InputError, match="doesn't exist"):
            read_weights(str(tmp_path / "nothing.pt"))

    @pytest.mark.parametrize("content", [b"hello\n" * 100, bytes(10), bytes(20480), b"\x80\x02" * 9])
    def test_not_a_file_of_weights(self, content, tmp_path):
        (tmp_path / "m.pt").write_bytes(content)
        with pytest.raises(InputError, match="m.pt") as caught:
            read_weights(str(tmp_path / "m.pt"))
        assert "weights_only" not in str(caught.value) and "\n" not in str(caught.value)
