"""MASS's forward pass and loss in NumPy alone, written from the paper and not from the model's code."""

import math

import numpy as np

_erf = np.vectorize(math.erf)


def gelu(x):
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def layer_norm(x, weights, name, eps=1e-5):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + eps) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def attend(query, memory, visible, weights, name, heads):
    """One sentence: query (T, D), memory (S, D), visible (T, S) bool -> (T, D)."""
    dim = query.shape[1] // heads
    q, k, v = (
        linear(x, weights, f"{name}.{part}_proj").reshape(len(x), heads, dim).transpose(1, 0, 2)
        for x, part in ((query, "q"), (memory, "k"), (memory, "v"))
    )
    scores = q @ k.transpose(0, 2, 1) / math.sqrt(dim)
    scores = np.where(visible[None], scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    mixed = (shares @ v).transpose(1, 0, 2).reshape(len(query), -1)
    return linear(mixed, weights, f"{name}.out_proj")


def feed_forward(x, weights, name):
    return linear(gelu(linear(x, weights, f"{name}.fc1")), weights, f"{name}.fc2")


def embed(tokens, positions, language, weights, side, pad):
    x = (
        weights[f"{side}.embed_tokens.weight"][tokens]
        + weights[f"{side}.embed_positions.weight"][positions + pad + 1]
        + weights[f"{side}.embed_languages.weight"][language]
    )
    return layer_norm(x, weights, f"{side}.layernorm_embedding")


def add(x, sub_layer, weights, name):
    """A sub-layer with its residual connection, post-norm or pre-norm."""
    if pre_norm(weights):
        return x + sub_layer(layer_norm(x, weights, name))
    return layer_norm(x + sub_layer(x), weights, name)


def pre_norm(weights):
    return "encoder.layer_norm.weight" in weights  # the norm of the residual stream's end


def encode(source, language, weights, layers, heads, pad):
    x = embed(source, np.arange(len(source)), language, weights, "encoder", pad)
    everything = np.ones((len(source), len(source)), dtype=bool)
    for layer in range(layers):
        name = f"encoder.layers.{layer}"
        x = add(
            x,
            lambda x, name=name: attend(x, x, everything, weights, f"{name}.self_attn", heads),
            weights,
            f"{name}.self_attn_layer_norm",
        )
        x = add(x, lambda x, name=name: feed_forward(x, weights, name), weights, f"{name}.final_layer_norm")
    if pre_norm(weights):
        x = layer_norm(x, weights, "encoder.layer_norm")
    return x


def decode(previous, positions, language, memory, seen, weights, layers, heads, pad):
    x = embed(previous, positions, language, weights, "decoder", pad)
    causal = np.tril(np.ones((len(previous), len(previous)), dtype=bool))
    cross = np.broadcast_to(seen, (len(previous), len(memory)))
    for layer in range(layers):
        name = f"decoder.layers.{layer}"
        x = add(
            x,
            lambda x, name=name: attend(x, x, causal, weights, f"{name}.self_attn", heads),
            weights,
            f"{name}.self_attn_layer_norm",
        )
        x = add(
            x,
            lambda x, name=name: attend(x, memory, cross, weights, f"{name}.encoder_attn", heads),
            weights,
            f"{name}.encoder_attn_layer_norm",
        )
        x = add(x, lambda x, name=name: feed_forward(x, weights, name), weights, f"{name}.final_layer_norm")
    if pre_norm(weights):
        x = layer_norm(x, weights, "decoder.layer_norm")
    return x @ weights["decoder.embed_tokens.weight"].T


def loss(sentence, span, source, source_language, target_language, weights, layers, heads, special, hide=True):
    """Summed cross-entropy (nats) of one sentence's fragment.

    Args:
        sentence: (L,) ids with ``</s>``. span: (start, end). source: (L,) what the encoder reads.
        special: dict of the ids ``pad``, ``eos``, ``mask``. hide: cross-attention doesn't see masks.
    """
    start, end = span
    memory = encode(source, source_language, weights, layers, heads, special["pad"])
    seen = source != special["mask"] if hide else np.ones(len(source), dtype=bool)
    if not seen.any():
        seen = np.ones(len(source), dtype=bool)
    shifted = np.concatenate([[special["eos"]], sentence[:-1]])
    logits = decode(
        shifted[start:end], np.arange(start, end), target_language, memory, seen, weights, layers, heads, special["pad"]
    )
    largest = logits.max(-1, keepdims=True)
    log_probs = logits - largest - np.log(np.exp(logits - largest).sum(-1, keepdims=True))
    return -log_probs[np.arange(end - start), sentence[start:end]].sum()
