"""fairseq's BART: ``model.pt``, ``dict.txt`` and GPT-2's byte-level sub-words.

BART is a model of ours without languages: post-norm, learned positions, no scaling. Its sources begin with ``<s>``.
``dict.txt`` numbers GPT-2's ids by frequency; with ``encoder.json`` and ``vocab.bpe`` the dictionary gets the pieces
themselves, and tokenizer.json makes them of text. ``<mask>``, the last embedding, becomes ``[MASK]``; a fine-tuned
model without one gets the mean of all embeddings.
"""

import json
from typing import Any, Optional

import torch
from torch import Tensor

from mass_plugins.data.symbols import MASK, SPECIAL
from mass_plugins.data.text import TextCodec, TextSettings
from mass_plugins.errors import InputError
from mass_plugins.interop.fairseq_layers import heads_of, options_of, state_dict, take_layers, take_tied
from mass_plugins.interop.imported import ImportedModel
from mass_plugins.interop.settings import activation, count_positions
from mass_plugins.interop.weights import Weights, read_weights, take_norm

_FIRST = len(SPECIAL)


def read_bart(
    path: str,
    dictionary: str,
    encoder_json: Optional[str] = None,
    merges: Optional[str] = None,
    language: str = "en",
    heads: Optional[int] = None,
) -> ImportedModel:
    """Read a BART of fairseq's, pre-trained or fine-tuned.

    Args:
        path: of torch.save's or safetensors.
        dictionary: its ``dict.txt``.
        encoder_json, merges: GPT-2's ``encoder.json`` and ``vocab.bpe``, for the text settings; default none.
        language: of source and target.
        heads: of attention; default what the checkpoint tells, else width / 64.

    Raises:
        InputError: not such a file, a model that isn't a BART, or a dictionary that doesn't fit.
    """
    content = read_weights(path)
    known, source = options_of(content), Weights(path, state_dict(content))
    if "encoder.layer_norm.weight" in source:
        raise InputError(f"{path} is pre-norm, an mBART: its languages are tokens, which our models don't know")
    for name in [*source.names("classification_heads."), "encoder.version", "decoder.version"]:
        source.drop(name)
    symbols = _read_dictionary(dictionary)
    rows = source.size("encoder.embed_tokens.weight")
    symbols = _with_mask(path, symbols, rows)
    tokens = take_tied(source, rows)
    if len(symbols) + _FIRST > rows:  # fine-tuned without one: the mean's logit is never the highest
        tokens = torch.cat([tokens, tokens.mean(dim=0, keepdim=True)])
    width = tokens.shape[1]
    weights: dict[str, Tensor] = {}
    options: dict[str, Any] = {
        "source_start": "bos",
        "activation_fn": activation(path, known.get("activation_fn", "gelu")),
    }
    options["cross_attend_masked"] = True
    for side, end in (("encoder", "source"), ("decoder", "target")):
        weights[f"{side}.embed_tokens.weight"] = tokens
        place = f"{side}.embed_positions.weight"
        weights[place] = source.take(place, -1, width)
        weights[f"{side}.embed_languages.weight"] = tokens.new_zeros(1, width)
        take_norm(source, f"{side}.layernorm_embedding", weights, f"{side}.layernorm_embedding", width)
        layers, number, inner = take_layers(source, side, width)
        weights.update(layers)
        options |= {
            f"{side}_layers": number,
            f"{side}_embed_dim": width,
            f"{side}_ffn_embed_dim": inner,
            f"{side}_attention_heads": heads_of(path, known, side, heads, width),
            f"max_{end}_positions": count_positions(path, place, len(weights[place]), padding=2),
        }
    source.finish()
    codec = None
    if encoder_json and merges:
        symbols, codec = _pieces_of_gpt2(symbols, encoder_json, merges)
    return ImportedModel(options, weights, symbols, [language], codec)


def _read_dictionary(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            return [line.rstrip("\r\n").rpartition(" ")[0] for line in file]
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8; give the dict.txt beside the model") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the dict.txt beside the model") from None


def _with_mask(path: str, symbols: list[str], rows: int) -> list[str]:
    """The dictionary with a ``[MASK]`` where fairseq put ``<mask>``: last, in the dictionary or after it; after it,
    too, where the model has no embedding for it."""
    symbols = [MASK if symbol == "<mask>" else symbol for symbol in symbols]
    entries = len(symbols) + _FIRST
    if MASK not in symbols and rows in (entries, entries + 1):  # fine-tuned ones like bart.large.cnn have lost it
        symbols = [*symbols, MASK]
    if len(symbols) + _FIRST != rows and (symbols[-1:] != [MASK] or len(symbols) + _FIRST != rows + 1):
        raise InputError(
            f"{path} has embeddings for {rows} entries, the dictionary is for {entries} (and <mask>); "
            "give the dict.txt beside the model"
        )
    return symbols


def _pieces_of_gpt2(symbols: list[str], encoder_json: str, merges: str) -> tuple[list[str], TextCodec]:
    """Symbols with pieces in the place of GPT-2's ids, and the text treatment that makes them."""
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    except ImportError:
        raise InputError("tokenizers isn't installed; pip install 'mass_plugins[transformers]'") from None
    try:
        with open(encoder_json, encoding="utf-8") as file:
            ids = json.load(file)
        with open(merges, encoding="utf-8", newline="\n") as file:
            lines = [line.rstrip("\r\n") for line in file]
        halves = [line.partition(" ") for line in lines if line and not line.startswith("#version")]
        pairs = [(left, right) for left, _, right in halves]
        pieces = {str(number): piece for piece, number in ids.items()}
        if any(piece not in ids for pair in pairs for piece in (*pair, "".join(pair))):  # the library would panic
            raise ValueError("a merge's pieces have no ids")
        tokenizer = Tokenizer(models.BPE(ids, pairs, fuse_unk=False))
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}; give GPT-2's encoder.json and vocab.bpe") from None
    except Exception as error:  # JSON that is none, and a bare Exception of the library's
        why = str(error).splitlines()[0]
        raise InputError(f"{encoder_json} and {merges} aren't GPT-2's encoder.json and vocab.bpe ({why})") from None
    unknown = [symbol for symbol in symbols if symbol.isdigit() and symbol not in pieces]
    if unknown:
        raise InputError(f"{encoder_json} has no piece for the dictionary's {unknown[0]}; give the model's own")
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    settings = TextSettings(unicode="none", normalize=False, tokenizer="none", subwords="tokenizer")
    symbols = [pieces.get(symbol, symbol) for symbol in symbols]
    return symbols, TextCodec(settings, tokenizer.to_str().encode())
