"""Files of other programs with random weights of the exact layout, and their forward passes in NumPy alone.

The passes work on the foreign weights, with the foreign ids, and are written from the papers and the formats'
descriptions; nothing of mass_plugins is used here.
"""

import math

import numpy as np
import torch

_erf = np.vectorize(math.erf)

# --- making -----------------------------------------------------------------------------------------


class Maker:
    """Random tensors by name, norms and biases too, at a scale where every part matters."""

    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)
        self.tensors: dict[str, torch.Tensor] = {}

    def add(self, name, *shape, mean=0.0, std=0.3):
        self.tensors[name] = torch.from_numpy(self.random.normal(mean, std, shape).astype(np.float32))

    def linear(self, name, rows, columns):
        self.add(f"{name}.weight", rows, columns)
        self.add(f"{name}.bias", rows)

    def norm(self, name, dim):
        self.add(f"{name}.weight", dim, mean=1.0)
        self.add(f"{name}.bias", dim)


XLM_WORDS = ["<s>", "</s>", "<pad>", "<unk>", *(f"<special{n}>" for n in range(10))]
XLM_WORDS += ["der", "hund", "the", "do@@", "g", "cat@@", "s", "ei@@", "n"]


def xlm_half(seed, side, dim, heads, layers, languages, kind="none", positions=12):
    """One half of XLM's; ``kind`` of cross-attention: none (one for all), v1, v2."""
    make = Maker(seed)
    make.add("embeddings.weight", len(XLM_WORDS), dim, std=0.7)
    make.add("position_embeddings.weight", positions, dim, std=0.7)
    if languages > 1:
        make.add("lang_embeddings.weight", languages, dim)
    make.norm("layer_norm_emb", dim)
    for i in range(layers):
        for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
            make.linear(f"attentions.{i}.{part}", dim, dim)
        make.linear(f"ffns.{i}.lin1", 4 * dim, dim)
        make.linear(f"ffns.{i}.lin2", dim, 4 * dim)
        make.norm(f"layer_norm1.{i}", dim)
        make.norm(f"layer_norm2.{i}", dim)
        if side == "decoder":
            make.norm(f"layer_norm15.{i}", dim)
            if kind == "v2":
                for language in range(languages):
                    for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
                        make.linear(f"encoder_attn.{i}.{language}.{part}", dim, dim)
            else:
                for part in ("q_lin", "k_lin", "v_lin"):
                    make.linear(f"encoder_attn.{i}.{part}", dim, dim)
                outputs = [f".{language}" for language in range(languages)] if kind == "v1" else [""]
                for output in outputs:
                    make.linear(f"encoder_attn.{i}.out_lin{output}", dim, dim)
    make.tensors["pred_layer.proj.weight"] = make.tensors["embeddings.weight"]
    make.add("pred_layer.proj.bias", len(XLM_WORDS))
    return make.tensors


def xlm_file(languages=("de", "en"), kind="v1", dim=16, heads=2, layers=(2, 3), prefix="", seed=0, params=None):
    """What the authors' ``save_model`` writes."""
    halves = {
        "encoder": xlm_half(seed, "encoder", dim, heads, layers[0], len(languages)),
        "decoder": xlm_half(seed + 1, "decoder", dim, heads, layers[1], len(languages), kind),
    }
    return {
        **{side: {prefix + name: tensor for name, tensor in half.items()} for side, half in halves.items()},
        **xlm_rest(languages, heads, params),
    }


def xlm_language_model(languages=("de", "en"), dim=16, heads=2, layers=2, seed=5):
    """What XLM's ``save_checkpoint`` writes of a masked or causal language model."""
    half = xlm_half(seed, "encoder", dim, heads, layers, len(languages))
    return {"epoch": 3, "best_metrics": {"valid_ppl": np.float64(4.5)}, "model": half, **xlm_rest(languages, heads)}


def xlm_rest(languages, heads, params=None):
    return {
        "dico_id2word": dict(enumerate(XLM_WORDS)),
        "dico_word2id": {word: number for number, word in enumerate(XLM_WORDS)},
        "dico_counts": dict.fromkeys(XLM_WORDS, 1),
        "params": {
            "n_heads": heads,
            "gelu_activation": True,
            "asm": False,
            "dropout": 0.1,
            "attention_dropout": 0.1,
            "id2lang": dict(enumerate(languages)),
            "lang2id": {language: number for number, language in enumerate(languages)},
            **(params or {}),
        },
    }


def fairseq_layers(make, side, dim, inner, layers, packed):
    for i in range(layers):
        name = f"{side}.layers.{i}"
        for attention in ("self_attn", "encoder_attn")[: 1 + (side == "decoder")]:
            if packed:
                make.add(f"{name}.{attention}.in_proj_weight", 3 * dim, dim)
                make.add(f"{name}.{attention}.in_proj_bias", 3 * dim)
                make.linear(f"{name}.{attention}.out_proj", dim, dim)
            else:
                for part in "qkv":
                    make.linear(f"{name}.{attention}.{part}_proj", dim, dim)
                make.linear(f"{name}.{attention}.out_proj", dim, dim)
            make.norm(f"{name}.{attention}_layer_norm", dim)
        make.linear(f"{name}.fc1", inner, dim)
        make.linear(f"{name}.fc2", dim, inner)
        make.norm(f"{name}.final_layer_norm", dim)


BERT_PIECES = [
    "[PAD]",
    "[unused0]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "##b",
    "dog",
    "run",
    "##s",
    "##ning",
    ".",
]


def summarization(dim=16, layers=2, seed=0, positions=20):
    """The authors' bare state dictionary; padding is row 0 of the vocabulary."""
    make = Maker(seed)
    make.add("encoder.embed_tokens.weight", len(BERT_PIECES), dim)
    for side in ("encoder", "decoder"):
        make.tensors[f"{side}.version"] = torch.tensor([3.0])
        make.tensors[f"{side}.embed_tokens.weight"] = make.tensors["encoder.embed_tokens.weight"]
        make.add(f"{side}.embed_positions.weight", positions + 1, dim)
        make.norm(f"{side}.emb_layer_norm", dim)
        fairseq_layers(make, side, dim, 3 * dim, layers, packed=True)
    return make.tensors


# GPT-2's ids by frequency, as fairseq's dict.txt has them
BART_DICT = ["13", "262", "11", "5", "madeupword0000"]
GPT2_PIECES = {"!": 0, "a": 1, "b": 2, "ab": 3, "c": 4, "abc": 5, "Ġ": 9, "Ġa": 13, "Ġab": 262, ".": 11}
GPT2_MERGES = ["#version: 0.2", "a b", "ab c", "Ġ a", "Ġ ab"]


def bart(dim=16, layers=2, seed=0, positions=20):
    """fairseq's BART; ``<mask>`` is the last embedding, after the dictionary."""
    make = Maker(seed)
    words = 4 + len(BART_DICT) + 1
    make.add("encoder.embed_tokens.weight", words, dim)
    for side in ("encoder", "decoder"):
        make.tensors[f"{side}.version"] = torch.tensor([3.0])
        make.tensors[f"{side}.embed_tokens.weight"] = make.tensors["encoder.embed_tokens.weight"]
        make.add(f"{side}.embed_positions.weight", positions + 2, dim)
        make.norm(f"{side}.layernorm_embedding", dim)
        fairseq_layers(make, side, dim, 3 * dim, layers, packed=False)
    make.tensors["decoder.output_projection.weight"] = make.tensors["encoder.embed_tokens.weight"]
    make.linear("classification_heads.mnli.dense", dim, dim)
    return make.tensors


# --- computing --------------------------------------------------------------------------------------


def norm(x, weights, name, eps):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + eps) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def activation(x, gelu):
    return 0.5 * x * (1 + _erf(x / math.sqrt(2))) if gelu else np.maximum(x, 0)


def attend(q, k, v, heads, causal):
    """(T, D), (S, D), (S, D) -> (T, D)."""
    dim = q.shape[1] // heads
    mixed = []
    for head in range(heads):
        cut = slice(head * dim, (head + 1) * dim)
        scores = q[:, cut] @ k[:, cut].T / math.sqrt(dim)
        if causal:
            scores[np.triu_indices(len(scores), 1)] = -np.inf
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed.append(shares / shares.sum(-1, keepdims=True) @ v[:, cut])
    return np.concatenate(mixed, axis=1)


def as_arrays(tensors):
    return {name.removeprefix("module."): tensor.numpy().astype(np.float64) for name, tensor in tensors.items()}


def xlm_states_causal(half, tokens, language, heads):
    """Last states of a causal language model."""
    return xlm_states(half, tokens, language, heads, causal=True)


def xlm_states(half, tokens, language, heads, memory=None, gelu=True, causal=False):
    """Last states of one sentence, ids of XLM's; with ``memory`` a decoder."""
    weights = as_arrays(half)
    x = weights["embeddings.weight"][tokens] + weights["position_embeddings.weight"][: len(tokens)]
    if "lang_embeddings.weight" in weights:
        x = x + weights["lang_embeddings.weight"][language]
    x = norm(x, weights, "layer_norm_emb", 1e-12)
    for i in range(sum(name.startswith("layer_norm1.") for name in weights) // 2):
        name = f"attentions.{i}"
        q, k, v = (linear(x, weights, f"{name}.{part}_lin") for part in "qkv")
        mixed = linear(attend(q, k, v, heads, causal=causal or memory is not None), weights, f"{name}.out_lin")
        x = norm(x + mixed, weights, f"layer_norm1.{i}", 1e-12)
        if memory is not None:
            x = norm(x + _xlm_cross(x, memory, weights, i, language, heads), weights, f"layer_norm15.{i}", 1e-12)
        inner = activation(linear(x, weights, f"ffns.{i}.lin1"), gelu)
        x = norm(x + linear(inner, weights, f"ffns.{i}.lin2"), weights, f"layer_norm2.{i}", 1e-12)
    return x


def _xlm_cross(x, memory, weights, i, language, heads):
    name = f"encoder_attn.{i}"
    if f"{name}.0.q_lin.weight" in weights:
        name = f"{name}.{language}"
    q, k, v = (linear(y, weights, f"{name}.{part}_lin") for y, part in ((x, "q"), (memory, "k"), (memory, "v")))
    out = f"{name}.out_lin"
    if f"{out}.0.weight" in weights:
        out = f"{out}.{language}"
    return linear(attend(q, k, v, heads, causal=False), weights, out)


def xlm_logits(content, source, target, source_language, target_language, heads, gelu=True):
    """Logits (T, V) of XLM's ids: the sentence ``source`` as the authors encode it, ``</s>`` on both ends."""
    memory = xlm_states(content["encoder"], [1, *source, 1], source_language, heads, gelu=gelu)
    states = xlm_states(content["decoder"], [1, *target], target_language, heads, memory, gelu)
    return linear(states, as_arrays(content["decoder"]), "pred_layer.proj")


def fairseq_states(tensors, side, tokens, heads, padding, scale, embedding_norm, memory=None):
    weights = as_arrays(tensors)
    x = scale * weights[f"{side}.embed_tokens.weight"][tokens]
    x = x + weights[f"{side}.embed_positions.weight"][padding + 1 : padding + 1 + len(tokens)]
    x = norm(x, weights, f"{side}.{embedding_norm}", 1e-5)
    for i in range(sum(name.startswith(f"{side}.layers.") and name.endswith("fc1.bias") for name in weights)):
        name = f"{side}.layers.{i}"
        x = norm(
            x + _fairseq_attention(x, x, weights, f"{name}.self_attn", heads, memory is not None),
            weights, f"{name}.self_attn_layer_norm", 1e-5,
        )  # fmt: skip
        if memory is not None:
            x = norm(
                x + _fairseq_attention(x, memory, weights, f"{name}.encoder_attn", heads, False),
                weights, f"{name}.encoder_attn_layer_norm", 1e-5,
            )  # fmt: skip
        inner = activation(linear(x, weights, f"{name}.fc1"), True)
        x = norm(x + linear(inner, weights, f"{name}.fc2"), weights, f"{name}.final_layer_norm", 1e-5)
    return x


def _fairseq_attention(x, memory, weights, name, heads, causal):
    if f"{name}.in_proj_weight" in weights:
        rows, biases = np.split(weights[f"{name}.in_proj_weight"], 3), np.split(weights[f"{name}.in_proj_bias"], 3)
        q, k, v = (y @ w.T + b for y, w, b in zip((x, memory, memory), rows, biases))
    else:
        q, k, v = (linear(y, weights, f"{name}.{part}_proj") for y, part in ((x, "q"), (memory, "k"), (memory, "v")))
    return linear(attend(q, k, v, heads, causal), weights, f"{name}.out_proj")


def fairseq_logits(tensors, source, target, heads, padding, scale, embedding_norm):
    memory = fairseq_states(tensors, "encoder", source, heads, padding, scale, embedding_norm)
    states = fairseq_states(tensors, "decoder", target, heads, padding, scale, embedding_norm, memory)
    return states @ as_arrays(tensors)["encoder.embed_tokens.weight"].T
