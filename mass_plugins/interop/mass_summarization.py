"""The authors' summarization models (fairseq 0.8): a bare state dictionary, or a fine-tuned checkpoint, with BERT's
vocabulary in its own order.

``[PAD]``, ``[SEP]``, ``[CLS]`` and ``[UNK]`` become fairseq's ``<pad>``, ``</s>``, ``<s>`` and ``<unk>``; the others
keep their order. Token embeddings are multiplied by sqrt(width), cross-attention sees masked slots, and position i is
row i + padding + 1 of their table. Their text is BERT's uncased word pieces, which tokenizer.json makes.
"""

import json
from typing import Any, Optional

from torch import Tensor

from mass_plugins.data.symbols import MASK
from mass_plugins.data.text import TextCodec, TextSettings
from mass_plugins.errors import InputError
from mass_plugins.interop.fairseq_layers import heads_of, options_of, state_dict, take_layers, take_tied
from mass_plugins.interop.imported import ImportedModel, positions, reorder
from mass_plugins.interop.settings import activation, count_positions
from mass_plugins.interop.weights import Weights, read_weights, take_norm

_SPECIAL = ("[CLS]", "[PAD]", "[SEP]", "[UNK]")  # in the order of fairseq's <s>, <pad>, </s>, <unk>


def read_summarization(
    path: str, vocabulary: str, language: str = "en", heads: Optional[int] = None, cased: bool = False
) -> ImportedModel:
    """Read ``mass-base-uncased.pt`` and the like.

    Args:
        path: of torch.save's or safetensors.
        vocabulary: ``dict.txt`` beside it (``piece count`` a line), or BERT's ``vocab.txt``.
        language: of source and target.
        heads: of attention; default what a checkpoint tells, else width / 64.
        cased: the vocabulary keeps upper case.

    Raises:
        InputError: not such a file, or a vocabulary that doesn't fit.
    """
    content = read_weights(path)
    known, source = options_of(content), Weights(path, state_dict(content))
    pieces = read_pieces(vocabulary)
    order = [pieces.index(piece) for piece in _SPECIAL]
    order += [number for number, piece in enumerate(pieces) if piece not in _SPECIAL]
    tokens = take_tied(source, len(pieces))
    width, padding = tokens.shape[1], pieces.index("[PAD]")
    weights: dict[str, Tensor] = {}
    options: dict[str, Any] = {"activation_fn": activation(path, known.get("activation_fn", "gelu"))}
    options["scale_embedding"] = True
    for side, end in (("encoder", "source"), ("decoder", "target")):
        place = f"{side}.embed_positions.weight"
        table = source.take(place, -1, width)
        table = table[-count_positions(path, place, len(table), padding + 1) :]
        weights[f"{side}.embed_tokens.weight"] = reorder(tokens, order)
        weights[f"{side}.embed_positions.weight"] = positions(table)
        weights[f"{side}.embed_languages.weight"] = tokens.new_zeros(1, width)
        take_norm(source, f"{side}.emb_layer_norm", weights, f"{side}.layernorm_embedding", width)
        layers, number, inner = take_layers(source, side, width)
        weights.update(layers)
        source.drop(f"{side}.version")
        options |= {
            f"{side}_layers": number,
            f"{side}_embed_dim": width,
            f"{side}_ffn_embed_dim": inner,
            f"{side}_attention_heads": heads_of(path, known, side, heads, width),
            f"max_{end}_positions": len(table),
        }
    source.finish()
    symbols = [pieces[number] for number in order[len(_SPECIAL) :]]
    options["cross_attend_masked"] = True
    return ImportedModel(options, weights, symbols, [language], bert_codec(pieces, cased))


def read_pieces(path: str) -> list[str]:
    """BERT's pieces in their order, with a count on each line or without.

    Raises:
        InputError: not such a file, or one of BERT's special pieces is missing.
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            pieces = [line.rstrip("\r\n").split(" ")[0] for line in file]
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8; give the dict.txt beside the model, or BERT's vocab.txt") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the dict.txt beside the model") from None
    missing = [piece for piece in (*_SPECIAL, MASK) if piece not in pieces]
    if missing:
        raise InputError(f"{path} lacks {missing[0]}; give the dict.txt beside the model, or BERT's vocab.txt")
    return pieces


def bert_codec(pieces: list[str], cased: bool) -> TextCodec:
    """BERT's text treatment and word pieces, as a tokenizer.json."""
    try:
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    except ImportError:
        raise InputError("tokenizers isn't installed; pip install 'mass_plugins[transformers]'") from None
    words = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=not cased)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    settings = TextSettings(unicode="none", normalize=False, tokenizer="none", subwords="tokenizer")
    return TextCodec(settings, json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False).encode())
