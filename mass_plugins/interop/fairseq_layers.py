"""What state dictionaries of fairseq's Transformers have in common: the authors' summarization models, BART."""

from typing import Any

import torch
from torch import Tensor

from mass_plugins.errors import InputError
from mass_plugins.interop.settings import attention_heads
from mass_plugins.interop.weights import Weights, count_layers, take_linear, take_norm

_ATTENTION = ("q_proj", "k_proj", "v_proj")


def state_dict(content: dict[str, Any]) -> Any:
    """The weights of a checkpoint of fairseq's, or of a file of weights alone."""
    return content["model"] if "model" in content else content


def options_of(content: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint tells of its model's options; nothing, if it is a file of weights alone."""
    args, cfg = content.get("args"), content.get("cfg")
    if isinstance(cfg, dict) and isinstance(cfg.get("model"), dict):
        return cfg["model"]
    nested = cfg.get("model") if isinstance(cfg, dict) else args
    return vars(nested) if hasattr(nested, "__dict__") else {}


def take_layers(source: Weights, side: str, width: int) -> tuple[dict[str, Tensor], int, int]:
    """The layers of one side under our names; their number and their inner width."""
    layers, inner = count_layers(source, f"{side}.layers."), 0
    weights: dict[str, Tensor] = {}
    for number in range(layers):
        place = f"{side}.layers.{number}"
        attentions = ["self_attn"] + (["encoder_attn"] if side == "decoder" else [])
        for attention in attentions:
            _take_attention(source, f"{place}.{attention}", weights, width)
            take_norm(source, f"{place}.{attention}_layer_norm", weights, f"{place}.{attention}_layer_norm", width)
        take_norm(source, f"{place}.final_layer_norm", weights, f"{place}.final_layer_norm", width)
        inner = take_linear(source, f"{place}.fc1", weights, f"{place}.fc1", -1, width)
        take_linear(source, f"{place}.fc2", weights, f"{place}.fc2", width, inner)
    return weights, layers, inner


def _take_attention(source: Weights, place: str, weights: dict[str, Tensor], width: int) -> None:
    """Projections, also where fairseq 0.8 packed those of queries, keys and values, in this order."""
    if f"{place}.in_proj_weight" in source:
        packed = source.take(f"{place}.in_proj_weight", 3 * width, width).chunk(3)
        biases = source.take(f"{place}.in_proj_bias", 3 * width).chunk(3)
        for name, weight, bias in zip(_ATTENTION, packed, biases):
            weights[f"{place}.{name}.weight"], weights[f"{place}.{name}.bias"] = weight, bias
    else:
        for name in _ATTENTION:
            take_linear(source, f"{place}.{name}", weights, f"{place}.{name}", width, width)
    take_linear(source, f"{place}.out_proj", weights, f"{place}.out_proj", width, width)


def take_tied(source: Weights, words: int) -> Tensor:
    """The one matrix of token embeddings, (words, D), which encoder, decoder and output share.

    Raises:
        InputError: they don't share it.
    """
    tokens = source.take("encoder.embed_tokens.weight", words, -1)
    for name in ("decoder.embed_tokens.weight", "decoder.output_projection.weight", "decoder.embed_out"):
        if name in source and not torch.equal(source.take(name, words, tokens.shape[1]), tokens):
            raise InputError(f"{source.path}: {name} isn't the encoder's embeddings; our models share them")
    return tokens


def heads_of(path: str, options: dict[str, Any], side: str, given: Any, width: int) -> int:
    """Attention heads: as given, as the checkpoint tells, else of 64 columns each, as in all published models."""
    told = options.get(f"{side}_attention_heads")
    return attention_heads(path, given or (max(1, width // 64) if told is None else told), width)
