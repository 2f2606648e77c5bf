"""XLM's files: the same logits as an independent forward pass, at every kind of cross-attention."""

import numpy as np
import pytest
import torch
from fairseq.sequence_generator import SequenceGenerator

from mass_plugins.errors import InputError
from mass_plugins.generation.batch_decoder import BatchDecoder
from mass_plugins.interop.xlm import read_xlm
from tests.unit.interop import foreign

SOURCE, TARGET = [15, 14, 20, 18], [16, 17, 18]  # ids of XLM's words


def swap(ids):
    """XLM's ids 1 and 2, ``</s>`` and ``<pad>``, are the other way round in fairseq."""
    return [{1: 2, 2: 1}.get(number, number) for number in ids]


def write(content, folder, name="model.pth"):
    torch.save(content, folder / name)
    return str(folder / name)


@pytest.mark.parametrize(
    "kind, languages, prefix, gelu",
    [
        ("none", ("en",), "", True),
        ("none", ("de", "en"), "", False),
        ("v1", ("de", "en"), "module.", True),
        ("v1", ("en",), "", True),
        ("v2", ("de", "en", "fr"), "", True),
        ("v2", ("en",), "module.", False),
    ],
)
def test_logits_equal_an_independent_forward_pass(kind, languages, prefix, gelu, tmp_path, load, logits):
    content = foreign.xlm_file(languages, kind, prefix=prefix, params={"gelu_activation": gelu})
    read_xlm(write(content, tmp_path)).save(tmp_path / "imported")
    model, task = load(tmp_path / "imported")
    assert task.languages == list(languages)
    for source_language in range(len(languages)):
        for target_language in range(len(languages)):
            theirs = foreign.xlm_logits(content, SOURCE, TARGET, source_language, target_language, 2, gelu)
            ours = logits(model, swap([*SOURCE, 1]), swap([1, *TARGET]), source_language, target_language)
            assert np.abs(theirs[:, swap(range(theirs.shape[1]))] - ours).max() < 1e-5


def test_symbols_keep_their_embeddings(tmp_path, load):
    content = foreign.xlm_file()
    read_xlm(write(content, tmp_path)).save(tmp_path / "imported")
    model, task = load(tmp_path / "imported")
    for side in ("encoder", "decoder"):
        table = content[side]["embeddings.weight"]
        for number, word in enumerate(foreign.XLM_WORDS):
            if not word.startswith("<special"):
                assert getattr(model, side).embed_tokens.weight[task.dictionary.index(word)].equal(table[number])
        mask = task.dictionary.index("[MASK]")
        assert getattr(model, side).embed_tokens.weight[mask].equal(table[5])


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_mixed_target_languages_decode_as_alone(kind, tmp_path, load):
    """The batch decoder and fairseq's beam search choose each row's projections."""
    read_xlm(write(foreign.xlm_file(("de", "en", "fr"), kind), tmp_path)).save(tmp_path / "imported")
    model, task = load(tmp_path / "imported")
    source = torch.tensor([[14, 15, 2], [14, 15, 2], [14, 15, 2], [16, 2, 1]])
    languages = torch.tensor([0, 1, 2, 1])

    def net_input(rows):
        return {
            "src_tokens": source[rows],
            "src_lengths": (source[rows] != 1).sum(1),
            "source_language": torch.zeros(len(rows), dtype=torch.long),
            "target_language": languages[rows],
        }

    def greedy(rows):
        found = BatchDecoder(model, 1, 2).generate(net_input(rows), max_len=8)
        return [tokens[:length].tolist() for tokens, length in zip(found.tokens, found.lengths)]

    def beam(rows, size):
        search = SequenceGenerator([model], task.target_dictionary, beam_size=size, max_len_a=0, max_len_b=8)
        return [best[0]["tokens"].tolist() for best in search.generate([model], {"net_input": net_input(rows)})]

    everything = list(range(len(source)))
    for decode in (greedy, lambda rows: beam(rows, 1), lambda rows: beam(rows, 3)):
        assert decode(everything) == [decode([row])[0] for row in everything]
    assert greedy(everything) == beam(everything, 1)
    assert len({tuple(tokens) for tokens in greedy([0, 1, 2])}) > 1  # one source, other languages


def test_language_models_become_encoder_and_decoder(tmp_path, load, logits):
    """The halves as they are, with new cross-attention, the same for the same seed."""
    masked, causal = foreign.xlm_language_model(seed=5), foreign.xlm_language_model(seed=6, layers=3)
    paths = write(masked, tmp_path, "mlm.pth"), write(causal, tmp_path, "clm.pth")
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        read_xlm(paths[0], decoder=paths[1]).save(tmp_path / name, seed=seed)
    model, task = load(tmp_path / "one")
    states = model.encoder(torch.tensor([swap([*SOURCE, 1])]), None, torch.tensor([0]), torch.tensor([1]))
    expected = foreign.xlm_states(masked["model"], [1, *SOURCE, 1], 0, 2)
    assert np.abs(states["encoder_out"][0][:, 0].detach().numpy() - expected).max() < 1e-5
    for layer in model.decoder.layers:  # without cross-attention the decoder is the causal model
        torch.nn.init.zeros_(layer.encoder_attn.out_proj.weight)
        layer.encoder_attn_layer_norm = torch.nn.Identity()
    weights = foreign.as_arrays(causal["model"])
    alone = foreign.xlm_states_causal(causal["model"], [1, *TARGET], 1, 2)
    expected = foreign.linear(alone, weights, "pred_layer.proj")
    found = logits(model, swap([*SOURCE, 1]), swap([1, *TARGET]), 0, 1)
    assert np.abs(expected[:, swap(range(expected.shape[1]))] - found).max() < 1e-5

    def cross(name):
        return load(tmp_path / name)[0].decoder.layers[0].encoder_attn.k_proj.weight

    assert cross("one").equal(cross("again")) and not cross("one").equal(cross("other"))


def test_each_half_has_the_heads_of_its_file(tmp_path):
    paths = [write(foreign.xlm_language_model(heads=heads), tmp_path, f"{heads}.pth") for heads in (2, 4)]
    found = read_xlm(paths[0], decoder=paths[1]).options
    assert (found["encoder_attention_heads"], found["decoder_attention_heads"]) == (2, 4)
    bare = foreign.xlm_language_model(heads=2)
    bare["params"] = {}
    relu = foreign.xlm_language_model(heads=2)
    relu["params"]["gelu_activation"] = False
    found = read_xlm(write(relu, tmp_path, "relu.pth"), decoder=write(bare, tmp_path, "bare.pth")).options
    assert (found["decoder_attention_heads"], found["activation_fn"]) == (2, "relu")  # which it doesn't tell itself
    found = read_xlm(paths[0], decoder=paths[1], heads=8).options
    assert (found["encoder_attention_heads"], found["decoder_attention_heads"]) == (8, 8)


@pytest.mark.parametrize("params, words", [
    ({"gelu_activation": False}, "one of .* has GELU, the other ReLU"),
    ({"id2lang": {0: "fr", 1: "ru"}}, "has the languages fr,ru, .* de,en; both need the same"),
])  # fmt: skip
def test_halves_that_do_not_fit_together(params, words, tmp_path):
    first, second = foreign.xlm_language_model(), foreign.xlm_language_model()
    second["params"] |= params
    with pytest.raises(InputError, match=words):
        read_xlm(write(first, tmp_path), decoder=write(second, tmp_path, "second.pth"))


def test_one_language_model_is_both_halves(tmp_path, load):
    path = write(foreign.xlm_language_model(), tmp_path)
    read_xlm(path).save(tmp_path / "imported")
    model, _ = load(tmp_path / "imported")
    assert model.encoder.layers[1].fc1.weight.equal(model.decoder.layers[1].fc1.weight)


def test_vocabulary_beside_and_codes(tmp_path, load):
    content = foreign.xlm_file()
    del content["dico_id2word"], content["params"]["id2lang"]
    path = write(content, tmp_path)
    (tmp_path / "vocab").write_text("".join(f"{word} 7\n" for word in foreign.XLM_WORDS[14:]))
    (tmp_path / "codes").write_text("d o 90\nc a 50\nca t 40\ne i 30\n")  # as fastBPE writes them
    read_xlm(path, vocabulary=str(tmp_path / "vocab"), codes=str(tmp_path / "codes"), languages=["de", "en"]).save(
        tmp_path / "imported"
    )
    _, task = load(tmp_path / "imported")
    assert task.dictionary.symbols[14:] == foreign.XLM_WORDS[14:]
    assert task.codec.encode("The dog, cats", "en") == "T@@ h@@ e do@@ g , cat@@ s"
    assert task.codec.decode("do@@ g , cat@@ s", "en") == "dog, cats"


def without(*names):
    def change(content):
        for name in names[:-1]:
            content = content[name]
        del content[names[-1]]

    return change


def replace(side, name, make):
    def change(content):
        content[side][name] = make(content[side][name])

    return change


BAD = {
    "no vocabulary": (without("dico_id2word"), "--vocab"),
    "no languages": (without("params", "id2lang"), "--langs"),
    "no heads": (without("params", "n_heads"), "--heads"),
    "no decoder": (without("decoder"), "neither 'decoder' nor 'model'"),
    "a missing weight": (without("encoder", "ffns.0.lin2.bias"), "lacks ffns.0.lin2.bias"),
    "a missing layer": (lambda c: [c["encoder"].pop(n) for n in [*c["encoder"]] if ".0." in n], "no layers"),
    "half a cross-attention": (without("decoder", "encoder_attn.1.k_lin.weight"), "lacks encoder_attn.1.k_lin.weight"),
    "another shape": (replace("encoder", "layer_norm1.0.bias", lambda t: t[:3]), r"shape \(3,\), not 16"),
    "integers": (replace("encoder", "layer_norm1.0.bias", lambda t: t.long()), "not floating-point"),
    "no tensor": (replace("encoder", "layer_norm1.0.bias", lambda t: "x"), "is a str, not a tensor"),
    "a weight too many": (lambda c: c["encoder"].update(extra=torch.ones(1)), "no known place, for instance extra"),
    "output not tied": (replace("decoder", "pred_layer.proj.weight", lambda t: t + 1), "share the two"),
    "adaptive softmax": (lambda c: c["params"].update(asm=True), "adaptive softmax"),
    "memory layers": (lambda c: c["params"].update(use_memory=True), "memory layers"),
    "words numbered wrongly": (lambda c: c["dico_id2word"].pop(3), "doesn't number words"),
    "other special words": (lambda c: c["dico_id2word"].update({1: "x"}), "doesn't begin with"),
    "a word twice": (lambda c: c["dico_id2word"].update({14: "the"}), "second time"),
    "a word with a space": (lambda c: c["dico_id2word"].update({14: "a b"}), "no dictionary can hold"),
    "a word with an end of line": (lambda c: c["dico_id2word"].update({14: "a\rb"}), "no dictionary can hold"),
    "params no settings": (lambda c: c.update(params=[1]), "params is a list"),
    "dropout in words": (lambda c: c["params"].update(dropout="x"), r"dropout is 'x', not a number in \[0, 1\)"),
    "no dropout": (lambda c: c["params"].update(attention_dropout=None), "attention_dropout is None, not a number"),
    "dropout as a list": (lambda c: c["params"].update(dropout=[0.1] * 99), "dropout is .*, not a number"),
    "dropout as a tensor": (lambda c: c["params"].update(dropout=torch.ones(9)), "dropout is a Tensor, not a number"),
    "dropout beyond": (lambda c: c["params"].update(dropout=float("nan")), "dropout is nan, not a number"),
    "true heads": (lambda c: c["params"].update(n_heads=True), "heads are True, not a whole number"),
    "heads in words": (lambda c: c["params"].update(n_heads="2"), "heads are '2', not a whole number"),
    "heads that don't divide": (lambda c: c["params"].update(n_heads=3), "3 attention heads don't divide the width 16"),
    "activation": (lambda c: c["params"].update(gelu_activation="no"), "gelu_activation is 'no', neither"),
    "half a character": (lambda c: c["dico_id2word"].update({14: "a\ud800"}), r"entry 14 is 'a\\ud800', which is no"),
    "a language that is a path": (lambda c: c["params"].update(id2lang={0: "../de", 1: "en"}), "a language's code"),
    "a language twice": (lambda c: c["params"].update(id2lang={0: "en", 1: "en"}), "a language's code"),
    "sparse": (replace("encoder", "layer_norm1.0.bias", lambda t: t.to_sparse()), "sparse_coo tensor"),
    "meta": (replace("encoder", "layer_norm1.0.bias", lambda t: t.to("meta")), "a meta tensor"),
    "nested": (
        replace("encoder", "layer_norm1.0.bias", lambda t: torch.nested.nested_tensor([t], layout=torch.jagged)),
        "a nested tensor",
    ),
    "float8 with NaN": (
        replace("encoder", "layer_norm1.0.bias", lambda t: (t / 0 * 0).to(torch.float8_e4m3fn)),
        "NaN or infinity",
    ),
    "asm as a tensor": (lambda c: c["params"].update(asm=torch.ones(2)), "asm is a Tensor, neither true nor false"),
    "memory as a list": (lambda c: c["params"].update(use_memory=[1]), r"use_memory is \[1\], neither"),
    "dropout beyond all numbers": (lambda c: c["params"].update(dropout=10**400), "dropout is 1000.*, not a number"),
    "no position": (
        replace("encoder", "position_embeddings.weight", lambda t: t[:0]),
        "position_embeddings.* is empty",
    ),
    "NaN": (replace("decoder", "layer_norm1.0.bias", lambda t: t / 0 * 0), "holds NaN or infinity"),
    "tables as lists": (lambda c: c.update(encoder=[1, 2]), "no named weights"),
}


@pytest.mark.parametrize("wrong", BAD)
def test_what_can_be_wrong_has_its_line(wrong, tmp_path):
    change, words = BAD[wrong]
    content = foreign.xlm_file()
    change(content)
    with pytest.raises(InputError, match=words) as caught:
        read_xlm(write(content, tmp_path)).save(tmp_path / "imported")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pth"]


def test_halves_with_other_vocabularies(tmp_path):
    other = foreign.xlm_language_model()
    other["dico_id2word"][15] = "katze"
    paths = write(foreign.xlm_language_model(), tmp_path, "a.pth"), write(other, tmp_path, "b.pth")
    with pytest.raises(InputError, match="b.pth has another vocabulary than .*a.pth"):
        read_xlm(paths[0], decoder=paths[1])


def test_nothing_is_overwritten(tmp_path):
    model = read_xlm(write(foreign.xlm_file(), tmp_path))
    (tmp_path / "imported").mkdir()
    with pytest.raises(InputError, match="imported exists"):
        model.save(tmp_path / "imported")
    assert not [*(tmp_path / "imported").iterdir()]
