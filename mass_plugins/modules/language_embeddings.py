"""Learned language vectors, added to every token on both sides of the model."""

from torch import nn


def language_embedding(num_languages: int, dim: int) -> nn.Embedding:
    """One vector a language, at the scale of token and position embeddings (XLM's d^-0.5).

    Started much smaller, the decoder learns to ignore it and copies its source.
    """
    embedding = nn.Embedding(num_languages, dim)
    nn.init.normal_(embedding.weight, mean=0, std=dim**-0.5)
    return embedding
