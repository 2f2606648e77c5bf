"""Text encoders of Hugging Face's transformers: BERT, MiniLM, RoBERTa, XLM-R; a folder in, a folder out.

``config.json``, ``model.safetensors`` (in parts, too, or ``pytorch_model.bin``) and ``tokenizer.json``. Token ids stay
as they are. RoBERTa's one token type is added to its positions, where it has the same effect; a pooler, which only
pre-training's next-sentence loss used, is left behind.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import torch
from torch import Tensor

from mass_plugins.data.encoder_text import TokenizerText
from mass_plugins.encoding.loading import LoadedEncoder
from mass_plugins.errors import InputError
from mass_plugins.interop.huggingface_tokenizer import read_tokenizer, write_tokenizer
from mass_plugins.interop.settings import count_positions, dropout, epsilon, shown, whole_number
from mass_plugins.interop.weights import Weights, read_weights

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
_STYLES = {"bert": "bert", "roberta": "roberta", "xlm-roberta": "roberta", "camembert": "roberta"}
# theirs -> ours, and back; RoBERTa's MLM head has GELU whatever its layers have, in both
_ACTIVATIONS = {"gelu": "gelu", "relu": "relu", "gelu_new": "gelu_accurate", "gelu_pytorch_tanh": "gelu_accurate",
                "gelu_fast": "gelu_accurate", "tanh": "tanh", "linear": "linear"}  # fmt: skip
_THEIR_ACTIVATIONS = {"gelu": "gelu", "relu": "relu", "gelu_accurate": "gelu_new", "gelu_fast": "gelu_new",
                      "tanh": "tanh", "linear": "linear"}  # fmt: skip
_LAYER = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn_layer_norm": "attention.output.LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "output.LayerNorm",
}
_HEADS = {
    "bert": {"dense": "cls.predictions.transform.dense", "layer_norm": "cls.predictions.transform.LayerNorm"},
    "roberta": {"dense": "lm_head.dense", "layer_norm": "lm_head.layer_norm"},
}
_BIAS = {"bert": "cls.predictions.bias", "roberta": "lm_head.bias"}
_PROJECTION = {"bert": "cls.predictions.decoder", "roberta": "lm_head.decoder"}
# what our encoder has no use for, and the projection, which is the token embeddings
_DROPPED = ("pooler.", "bert.pooler.", "roberta.pooler.", "cls.seq_relationship.", "embeddings.position_ids",
            "bert.embeddings.position_ids", "roberta.embeddings.position_ids")  # fmt: skip


@dataclass
class ForeignEncoder:
    """An encoder in our terms.

    Attributes:
        options: of ``TextEncoderConfig``.
        weights: by the names of our state dictionary; without the MLM head's where the folder has none.
        text: its tokenizer.
        vectors: how its sentence vectors are made, where the folder is one of sentence-transformers.
        notes: what was left behind, for the user.
    """

    options: dict[str, Any]
    weights: dict[str, Tensor]
    text: TokenizerText
    vectors: Optional[dict[str, Any]] = None
    notes: list[str] = field(default_factory=list)


def read_folder(folder: Path) -> ForeignEncoder:
    """Read an encoder.

    Raises:
        InputError: no such folder, no weights, an architecture that we don't have, a tokenizer that doesn't fit.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one with {CONFIG_FILE} and {WEIGHTS_FILE}")
    config = read_json(folder / CONFIG_FILE)
    options = _read_options(folder, config)
    source = Weights(str(folder), _read_all_weights(folder))
    text = read_tokenizer(folder, _int(folder, config, "vocab_size"))
    if options["position_style"] == "roberta" and (padding := _padding(folder, config)) != text.vocabulary.pad:
        raise InputError(
            f"{folder}: {CONFIG_FILE} says that padding is {padding}, its tokenizer {text.vocabulary.pad}; positions "
            "begin behind it, so give the model's own tokenizer"
        )
    foreign = ForeignEncoder(options, {}, text)
    _take_encoder(source, foreign, config)
    _take_head(source, foreign)
    source.drop(*[name for start in _DROPPED for name in source.names(start)])
    source.finish()
    return foreign


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a file.

    Raises:
        InputError: no such file, or something else in it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} doesn't exist; give the folder of a model") from None
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); fetch it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no settings; fetch it again")
    return content


def _read_options(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    path, kind = str(folder / CONFIG_FILE), config.get("model_type")
    if not isinstance(kind, str) or kind not in _STYLES:
        known = ", ".join(_STYLES)
        raise InputError(f"{folder} is of the architecture {shown(kind)}; this reads {known} (MiniLM is bert)")
    activation = config.get("hidden_act", "gelu")
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        raise InputError(f"{folder}: the activation {shown(activation)} is none of {', '.join(_ACTIVATIONS)}")
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        raise InputError(f"{folder} has relative positions or is a decoder, which our encoder can't be")
    style, rows = _STYLES[kind], _int(folder, config, "max_position_embeddings")
    padding = 1 + _padding(folder, config) if style == "roberta" else 0
    width, heads = _int(folder, config, "hidden_size"), _int(folder, config, "num_attention_heads")
    if width % heads:
        raise InputError(f"{path}: {heads} attention heads don't divide the width {width}; fetch it again")
    return {
        "encoder_layers": _int(folder, config, "num_hidden_layers"),
        "encoder_embed_dim": width,
        "encoder_ffn_embed_dim": _int(folder, config, "intermediate_size"),
        "encoder_attention_heads": heads,
        "max_positions": count_positions(path, "max_position_embeddings", rows, padding),
        "position_style": style,
        "token_types": 0 if style == "roberta" else _types(folder, config),
        "layer_norm_epsilon": epsilon(path, "layer_norm_eps", config.get("layer_norm_eps", 1e-12)),
        "activation_fn": _ACTIVATIONS[activation],
        "dropout": dropout(path, "hidden_dropout_prob", config.get("hidden_dropout_prob", 0.1)),
        "attention_dropout": dropout(
            path, "attention_probs_dropout_prob", config.get("attention_probs_dropout_prob", 0.1)
        ),
    }


def _int(folder: Path, config: dict[str, Any], name: str) -> int:
    if name not in config:
        raise InputError(f"{folder}: {CONFIG_FILE} has no {name}; fetch it again")
    return whole_number(str(folder / CONFIG_FILE), name, config[name])


def _padding(folder: Path, config: dict[str, Any]) -> int:
    """Id of RoBERTa's padding; transformers' default where the file leaves it out."""
    return whole_number(str(folder / CONFIG_FILE), "pad_token_id", config.get("pad_token_id", 1), least=0)


def _types(folder: Path, config: dict[str, Any]) -> int:
    """Token types; transformers' default where the file leaves them out."""
    return whole_number(str(folder / CONFIG_FILE), "type_vocab_size", config.get("type_vocab_size", 2), least=0)


def _read_all_weights(folder: Path) -> dict[str, Tensor]:
    for name in (WEIGHTS_FILE, "pytorch_model.bin"):
        if (folder / name).is_file():
            return _with_today_s_names(read_weights(str(folder / name)))
        if (folder / f"{name}.index.json").is_file():
            listed = read_json(folder / f"{name}.index.json").get("weight_map")
            parts = [*listed.values()] if isinstance(listed, dict) else []
            if not parts or not all(isinstance(part, str) for part in parts):
                raise InputError(f"{folder / name}.index.json doesn't tell the weights' files; fetch it again")
            if any(Path(part).name != part for part in parts):
                raise InputError(f"{folder / name}.index.json names files outside of its folder; fetch it again")
            found: dict[str, Tensor] = {}
            for part in sorted(set(parts)):
                found |= read_weights(str(folder / part))
            return _with_today_s_names(found)
    raise InputError(f"{folder} has no weights ({WEIGHTS_FILE} or pytorch_model.bin); fetch them")


def _with_today_s_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The oldest BERT files call a layer-norm's parameters gamma and beta."""
    names = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
    for old, new in names.items():
        weights = {name.replace(old, new): tensor for name, tensor in weights.items()}
    return weights


def _take_encoder(source: Weights, foreign: ForeignEncoder, config: dict[str, Any]) -> None:
    options, ours = foreign.options, foreign.weights
    start = next((s for s in ("bert.", "roberta.", "") if f"{s}embeddings.word_embeddings.weight" in source), "")
    width, style = options["encoder_embed_dim"], options["position_style"]
    size, types = len(foreign.text.dictionary), _types(Path(source.path), config)
    words = f"{start}embeddings.word_embeddings.weight"
    ours["embed_tokens.weight"] = source.take(words, size, width)
    rows = int(config["max_position_embeddings"])
    ours["embed_positions.weight"] = source.take(f"{start}embeddings.position_embeddings.weight", rows, width)
    if types:
        table = source.take(f"{start}embeddings.token_type_embeddings.weight", types, width)
        if style == "roberta":
            ours["embed_positions.weight"] = ours["embed_positions.weight"] + table[0]
        else:
            ours["embed_types.weight"] = table
    sizes = {"fc1": (options["encoder_ffn_embed_dim"], width), "fc2": (width, options["encoder_ffn_embed_dim"])}
    _take_affine(source, ours, f"{start}embeddings.LayerNorm", "layernorm_embedding", (width,))
    for layer in range(options["encoder_layers"]):
        for own, other in _LAYER.items():
            shape = (width,) if own.endswith("norm") else sizes.get(own, (width, width))
            _take_affine(source, ours, f"{start}encoder.layer.{layer}.{other}", f"layers.{layer}.{own}", shape)


def _take_affine(source: Weights, ours: dict[str, Tensor], other: str, own: str, shape: tuple[int, ...]) -> None:
    ours[f"{own}.weight"] = source.take(f"{other}.weight", *shape)
    ours[f"{own}.bias"] = source.take(f"{other}.bias", shape[0])


def _take_head(source: Weights, foreign: ForeignEncoder) -> None:
    """The MLM head, where there is one; its projection must be the token embeddings."""
    style, width = foreign.options["position_style"], foreign.options["encoder_embed_dim"]
    head, size = _HEADS[style], len(foreign.text.dictionary)
    if f"{head['dense']}.weight" not in source:
        foreign.notes.append("it has no MLM head: a new one is drawn, so pre-training goes on from a worse loss")
        source.drop(f"{_PROJECTION[style]}.bias")
        return
    _take_affine(source, foreign.weights, head["dense"], "lm_head.dense", (width, width))
    _take_affine(source, foreign.weights, head["layer_norm"], "lm_head.layer_norm", (width,))
    # Both are shared in transformers, and files hold one or both.
    own, bias = {"weight": foreign.weights["embed_tokens.weight"]}, _BIAS[style]
    if bias not in source and f"{_PROJECTION[style]}.bias" in source:
        bias = f"{_PROJECTION[style]}.bias"
    foreign.weights["lm_head.bias"] = own["bias"] = source.take(bias, size)
    for kind, shape in (("weight", (size, width)), ("bias", (size,))):
        name = f"{_PROJECTION[style]}.{kind}"
        if name in source and not torch.equal(source.take(name, *shape), own[kind]):
            other = "the token embeddings" if kind == "weight" else bias
            raise InputError(f"{source.path}: {name} isn't {other}, as it is in our encoder")


# -- and back


def write_folder(encoder: LoadedEncoder, folder: Path, head: bool = True) -> None:
    """Write ``config.json``, ``model.safetensors`` and the tokenizer's files into an existing folder.

    Args:
        head: with the MLM head.

    Raises:
        InputError: the encoder's text pipeline is no tokenizer file, or transformers hasn't its activation.
    """
    from safetensors.torch import save_file

    options, text = encoder.options, encoder.text
    if not isinstance(text, TokenizerText):
        raise InputError(
            f"{encoder.path} reads sub-words of prepare.py, for which Hugging Face has no tokenizer file; an encoder "
            "whose text was prepared with prepare_encoder.py can be exported"
        )
    write_tokenizer(text, folder, encoder.model.max_positions())
    config = _config(encoder, "xlm-roberta" if text.is_sentencepiece else "roberta")
    tensors = _foreign_weights(encoder.model.state_dict(), options)
    if not head:
        start = f"{options['position_style']}."
        tensors = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
        config["architectures"] = [config["architectures"][0].replace("ForMaskedLM", "Model")]
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    plain = {name: tensor.detach().float().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / WEIGHTS_FILE, {"format": "pt"})


def _config(encoder: LoadedEncoder, roberta: str) -> dict[str, Any]:
    options, text = encoder.options, encoder.text
    style, pad = str(options["position_style"]), text.vocabulary.pad
    kind = "bert" if style == "bert" else roberta
    name = {"bert": "BertForMaskedLM", "roberta": "RobertaForMaskedLM", "xlm-roberta": "XLMRobertaForMaskedLM"}[kind]
    activation = _THEIR_ACTIVATIONS.get(str(options["activation_fn"]))
    if activation is None:
        raise InputError(f"{encoder.path}: transformers has no activation {options['activation_fn']}")
    return {
        "architectures": [name],
        "model_type": kind,
        "vocab_size": len(text.dictionary),
        "hidden_size": options["encoder_embed_dim"],
        "num_hidden_layers": options["encoder_layers"],
        "num_attention_heads": options["encoder_attention_heads"],
        "intermediate_size": options["encoder_ffn_embed_dim"],
        "hidden_act": activation,
        "hidden_dropout_prob": options["dropout"],
        "attention_probs_dropout_prob": options["attention_dropout"],
        "max_position_embeddings": options["max_positions"] + (1 + pad if style == "roberta" else 0),
        "type_vocab_size": max(1, options["token_types"]),
        "layer_norm_eps": options["layer_norm_epsilon"],
        "initializer_range": 0.02,
        "pad_token_id": pad,
        "bos_token_id": text.cls,
        "eos_token_id": text.vocabulary.eos,
        "tie_word_embeddings": True,
    }


def _foreign_weights(ours: dict[str, Tensor], options: dict[str, Any]) -> dict[str, Tensor]:
    style = str(options["position_style"])
    start = f"{style}."
    width = options["encoder_embed_dim"]
    theirs = {
        f"{start}embeddings.word_embeddings.weight": ours["embed_tokens.weight"],
        f"{start}embeddings.position_embeddings.weight": ours["embed_positions.weight"],
        f"{start}embeddings.token_type_embeddings.weight": ours.get("embed_types.weight", torch.zeros(1, width)),
        _BIAS[style]: ours["lm_head.bias"],
    }
    pairs = {"layernorm_embedding": f"{start}embeddings.LayerNorm"}
    pairs |= {f"lm_head.{own}": other for own, other in _HEADS[style].items()}
    for layer in range(options["encoder_layers"]):
        pairs |= {f"layers.{layer}.{own}": f"{start}encoder.layer.{layer}.{other}" for own, other in _LAYER.items()}
    for own, other in pairs.items():
        theirs |= {f"{other}.{kind}": ours[f"{own}.{kind}"] for kind in ("weight", "bias")}
    return theirs
