"""Models of XLM's code: the authors' translation models, XLM's masked and causal language models.

The file is a dictionary of ``encoder`` and ``decoder`` (MASS) or ``model`` (XLM), ``dico_id2word`` and ``params``.
Each half is a post-norm Transformer without scaling of its embeddings, with norms of epsilon 1e-12, a bias on its
output and token embeddings of its own. Sources begin with ``</s>``. What is done to each weight:

- ids 1 (``</s>``) and 2 (``<pad>``) change places, in the embeddings and in the output's bias;
- position i is row i + 2 of our table; a model without language embeddings gets zeros;
- ``encoder_attn`` is one for all languages, has an output projection for each target language (the release's
  setting ``v1``: ``out_lin.<n>``), or is another one for each (``v2``: ``<n>.q_lin``, ..);
- the encoder's prediction layer is dropped.
"""

from typing import Any, Optional

import torch
from torch import Tensor

from mass_plugins.data.symbols import MASK, SPECIAL, unused_symbol
from mass_plugins.data.text import TextCodec, TextSettings
from mass_plugins.errors import InputError
from mass_plugins.interop.imported import ImportedModel, positions, reorder
from mass_plugins.interop.settings import attention_heads, dropout, flag
from mass_plugins.interop.weights import Weights, count_layers, read_weights, take_linear, take_norm

XLM_SPECIAL = ["<s>", "</s>", "<pad>", "<unk>", *(f"<special{n}>" for n in range(10))]
_MASK_ID = 5  # <special1>
_PARTS = {"q_lin": "q_proj", "k_lin": "k_proj", "v_lin": "v_proj", "out_lin": "out_proj"}


def read_xlm(
    path: str,
    decoder: Optional[str] = None,
    vocabulary: Optional[str] = None,
    codes: Optional[str] = None,
    languages: Optional[list[str]] = None,
    heads: Optional[int] = None,
    lowercase: bool = False,
) -> ImportedModel:
    """Read a ``.pth``.

    Args:
        path: of a whole model, or of a language model, which becomes the encoder.
        decoder: the file that the decoder is taken from; default ``path``. A language model has no cross-attention:
            it starts at random.
        vocabulary: XLM's file of words and counts; default what the model's file holds.
        codes: fastBPE's, for the text settings; default none.
        languages: where the file doesn't name them, in the order of their embeddings.
        heads: of attention, where the files don't tell.
        lowercase: the model's text was in lower case.

    Raises:
        InputError: not such a file, or nothing that our model can hold.
    """
    content = read_weights(path)
    other = read_weights(decoder) if decoder else content
    params = _params(path, content)
    words = _words(path, content, vocabulary)
    if decoder and "dico_id2word" in other and _words(decoder, other, None) != words:
        raise InputError(f"{decoder} has another vocabulary than {path}; both halves need the same")
    for one, name in ((content, path), (other, decoder or path)):
        _refuse_unknown_settings(name, _params(name, one))
    found = _languages(params, languages)
    others = _params(decoder, other) if decoder else params
    if (own := _named_languages(others)) and own != found:
        raise InputError(f"{decoder} has the languages {','.join(own)}, {path} {','.join(found)}; both need the same")
    encoder_weights = _half(path, content, "encoder")
    decoder_weights = _half(decoder or path, other, "decoder")
    order = [0, 2, 1, *range(3, len(words))]  # our entry -> its row in the file
    weights, options = _encoder(encoder_weights, order, len(found))
    more, more_options = _decoder(decoder_weights, order, len(found))
    symbols = [MASK if number == _MASK_ID else word for number, word in enumerate(words)]
    symbols = [unused_symbol(number) if word in XLM_SPECIAL else word for number, word in enumerate(symbols)]
    return ImportedModel(
        {
            **_fixed_options(path, params),
            "activation_fn": _activation(path, params, decoder, others),
            "encoder_attention_heads": attention_heads(
                path, heads or params.get("n_heads"), options["encoder_embed_dim"]
            ),
            "decoder_attention_heads": attention_heads(
                decoder or path,
                heads or others.get("n_heads") or params.get("n_heads"),
                more_options["decoder_embed_dim"],
            ),
            **options,
            **more_options,
        },
        {**weights, **more},
        symbols[len(SPECIAL) :],
        found,
        None if codes is None else _codec(codes, lowercase),
        fresh=[f"decoder.layers.{n}.encoder_attn" for n in range(more_options["decoder_layers"])],
    )


def _params(path: str, content: dict[str, Any]) -> dict[str, Any]:
    params = content.get("params", {})
    if not isinstance(params, dict):
        raise InputError(f"{path}: params is a {type(params).__name__}, not settings by name")
    return params


def _half(path: str, content: dict[str, Any], side: str) -> Weights:
    for name in (side, "model"):
        if name in content:
            return Weights(path, content[name])
    raise InputError(f"{path} has neither {side!r} nor 'model'; give a .pth of XLM's or of the authors' MASS-unsupNMT")


def _words(path: str, content: dict[str, Any], vocabulary: Optional[str]) -> list[str]:
    """The vocabulary in the file's order."""
    if vocabulary:
        return _read_vocabulary(vocabulary)
    table = content.get("dico_id2word")
    if not isinstance(table, dict):
        raise InputError(f"{path} holds no vocabulary; give XLM's vocabulary file with --vocab")
    if set(table) != set(range(len(table))) or not all(isinstance(word, str) for word in table.values()):
        raise InputError(f"{path}: dico_id2word doesn't number words from 0 on; give the vocabulary with --vocab")
    words = [table[number] for number in range(len(table))]
    if words[: len(XLM_SPECIAL)] != XLM_SPECIAL:
        raise InputError(f"{path}: the vocabulary doesn't begin with <s>, </s>, <pad>, <unk>, <special0> .. <special9>")
    return words


def _read_vocabulary(path: str) -> list[str]:
    """``word count`` a line; XLM's own words come before them."""
    words = dict.fromkeys(XLM_SPECIAL)
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                word, _, count = line.rstrip("\r\n").rpartition(" ")
                if not word or not count.isdigit():
                    raise InputError(f"{path}, line {number} is not '<word> <count>': {line[:40]!r}; fix it")
                words.setdefault(word)  # XLM, too, leaves out what it has already
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8; give a vocabulary of XLM's") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a vocabulary of XLM's") from None
    return list(words)


def _refuse_unknown_settings(path: str, params: dict[str, Any]) -> None:
    if flag(path, "asm", params.get("asm", False)):
        raise InputError(f"{path} has an adaptive softmax, which our models don't; it can't be imported")
    if flag(path, "use_memory", params.get("use_memory", False)):
        raise InputError(f"{path} has memory layers, which our models don't; it can't be imported")


def _named_languages(params: dict[str, Any]) -> list[str]:
    """The languages that the file names, by their numbers; none where it doesn't."""
    table = params.get("id2lang")
    if not isinstance(table, dict) or set(table) != set(range(len(table))):
        return []
    return [str(table[number]) for number in range(len(table))]


def _languages(params: dict[str, Any], given: Optional[list[str]]) -> list[str]:
    """The languages in the order of their embeddings, which is that of their codes."""
    own = _named_languages(params)
    if own:
        if given and given != own:
            raise InputError(f"--langs {','.join(given)}: the model's languages are {','.join(own)}; leave it out")
        return own
    if not given:
        raise InputError("the file doesn't name its languages; name them with --langs, in the order of their codes")
    return given


def _activation(path: str, params: dict[str, Any], decoder: Optional[str], others: dict[str, Any]) -> str:
    """The activation of both halves, which our model has in common."""
    gelu = flag(path, "gelu_activation", params.get("gelu_activation", True))
    if decoder and gelu != flag(decoder, "gelu_activation", others.get("gelu_activation", gelu)):
        raise InputError(f"one of {path} and {decoder} has GELU, the other ReLU; both need the same activation")
    return "gelu" if gelu else "relu"


def _fixed_options(path: str, params: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: dropout(path, name, params.get(name, 0.1)) for name in ("dropout", "attention_dropout")},
        "layer_norm_eps": 1e-12,
        "output_bias": True,
        "separate_embeddings": True,
        "source_start": "eos",
        "language_projections": "none",
    }


def _encoder(source: Weights, order: list[int], languages: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    weights, options = _common(source, "encoder", order, languages)
    source.drop("pred_layer.proj.weight", "pred_layer.proj.bias")
    source.finish()
    return weights, options


def _decoder(source: Weights, order: list[int], languages: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tied = source.take("pred_layer.proj.weight", len(order), -1)
    bias = source.take("pred_layer.proj.bias", len(order))
    weights, options = _common(source, "decoder", order, languages)
    if not torch.equal(reorder(tied, order), weights["decoder.embed_tokens.weight"]):
        raise InputError(f"{source.path}: the output's weights aren't the embeddings'; our models share the two")
    weights["decoder.output_projection.bias"] = reorder(bias, order)
    if any(source.names("encoder_attn.")):  # not in a language model
        for number in range(options["decoder_layers"]):
            kind, cross = _cross_attention(source, number, options["decoder_embed_dim"], languages)
            options["language_projections"] = kind
            weights.update(cross)
    source.finish()
    return weights, options


def _common(source: Weights, side: str, order: list[int], languages: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What both halves have, under our names."""
    tokens = source.take("embeddings.weight", len(order), -1)
    width = tokens.shape[1]
    table = source.take("position_embeddings.weight", -1, width)
    weights = {"embed_tokens.weight": reorder(tokens, order), "embed_positions.weight": positions(table)}
    weights["embed_languages.weight"] = (
        source.take("lang_embeddings.weight", languages, width)
        if "lang_embeddings.weight" in source
        else tokens.new_zeros(languages, width)
    )
    take_norm(source, "layer_norm_emb", weights, "layernorm_embedding", width)
    layers, inner = count_layers(source, "attentions."), 0
    for number in range(layers):
        place = f"layers.{number}"
        for theirs, ours in _PARTS.items():
            take_linear(source, f"attentions.{number}.{theirs}", weights, f"{place}.self_attn.{ours}", width, width)
        inner = take_linear(source, f"ffns.{number}.lin1", weights, f"{place}.fc1", -1, width)
        take_linear(source, f"ffns.{number}.lin2", weights, f"{place}.fc2", width, inner)
        take_norm(source, f"layer_norm1.{number}", weights, f"{place}.self_attn_layer_norm", width)
        take_norm(source, f"layer_norm2.{number}", weights, f"{place}.final_layer_norm", width)
    options = {
        f"{side}_layers": layers,
        f"{side}_embed_dim": width,
        f"{side}_ffn_embed_dim": inner,
        f"max_{'source' if side == 'encoder' else 'target'}_positions": len(table),
    }
    return {f"{side}.{name}": tensor for name, tensor in weights.items()}, options


def _cross_attention(source: Weights, number: int, width: int, languages: int) -> tuple[str, dict[str, Tensor]]:
    """Cross-attention and its norm of one layer; which of the three kinds it is."""
    theirs, ours = f"encoder_attn.{number}", f"decoder.layers.{number}.encoder_attn"
    weights: dict[str, Tensor] = {}
    take_norm(source, f"layer_norm15.{number}", weights, f"{ours}_layer_norm", width)
    if f"{theirs}.0.q_lin.weight" in source:
        for part, name in _PARTS.items():
            _of_languages(source, f"{theirs}.{{}}.{part}", weights, f"{ours}.{name}", width, languages)
        return "all" if languages > 1 else "none", weights
    for part in ("q_lin", "k_lin", "v_lin"):
        take_linear(source, f"{theirs}.{part}", weights, f"{ours}.{_PARTS[part]}", width, width)
    if f"{theirs}.out_lin.0.weight" in source:
        _of_languages(source, f"{theirs}.out_lin.{{}}", weights, f"{ours}.out_proj", width, languages)
        return "output" if languages > 1 else "none", weights
    take_linear(source, f"{theirs}.out_lin", weights, f"{ours}.out_proj", width, width)
    return "none", weights


def _of_languages(
    source: Weights, theirs: str, weights: dict[str, Tensor], ours: str, width: int, languages: int
) -> None:
    """Take a linear layer of each language, one of the only language as a plain one; ``theirs`` has a place for the
    language's number."""
    if languages == 1:
        take_linear(source, theirs.format(0), weights, ours, width, width)
        return
    names = [theirs.format(number) for number in range(languages)]
    weights[f"{ours}.weight"] = torch.stack([source.take(f"{name}.weight", width, width) for name in names])
    weights[f"{ours}.bias"] = torch.stack([source.take(f"{name}.bias", width) for name in names])


def _codec(path: str, lowercase: bool) -> TextCodec:
    """Moses and the codes of fastBPE (``a b count`` a line), which are subword-nmt's with counts."""
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            lines = [line.rstrip("\r\n").split(" ") for line in file if not line.startswith("#version")]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}; give the codes that fastBPE learned") from None
    wrong = [number for number, parts in enumerate(lines, start=1) if len(parts) not in (2, 3) or "" in parts]
    if wrong or not lines:
        raise InputError(f"{path}, line {(wrong or [1])[0]} is not two symbols and a count; give codes of fastBPE")
    codes = "#version: 0.2\n" + "".join(f"{parts[0]} {parts[1]}\n" for parts in lines)
    return TextCodec(TextSettings(tokenizer="moses", lowercase=lowercase), codes.encode())
