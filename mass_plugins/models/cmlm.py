"""CMLM's model (Yang et al. 2020): a text encoder, and the projections of a text's vector that its neighbour reads.

The encoder's weights have the names of a ``text_encoder``'s; the projections are thrown away after pre-training.
"""

from dataclasses import dataclass, field
from typing import Optional

import torch
from fairseq.dataclass import ChoiceEnum
from fairseq.models import register_model
from torch import Tensor, nn

from mass_plugins.errors import InputError
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderConfig, register_shapes
from mass_plugins.modules.pooling import pool, real_slots

POOLINGS = ("mean", "cls")


@dataclass
class CmlmOptions:
    condition_vectors: int = field(
        default=15, metadata={"help": "vectors that a text's vector is projected to (paper: 15)"}
    )
    condition_pooling: ChoiceEnum(POOLINGS) = field(
        default="mean", metadata={"help": "how a text's vector is made of its tokens'"}
    )


@dataclass
class CmlmConfig(CmlmOptions, TextEncoderConfig):
    """The shape of BERT-base unless told otherwise."""


def _projection(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))


@register_model("cmlm", dataclass=CmlmConfig)
class Cmlm(TextEncoder, extra_weights=("condition_projections.",)):
    """A text encoder that restores a text's tokens with the help of the vector of the text before it."""

    FIXED = ("condition_vectors", "condition_pooling")

    def __init__(self, cfg, num_tokens: int, padding_idx: int):
        super().__init__(cfg, num_tokens, padding_idx)
        if cfg.condition_vectors < 1:
            raise InputError(f"--condition-vectors {cfg.condition_vectors} is not 1 or more; the paper's is 15")
        self.condition_pooling = str(cfg.condition_pooling)
        dim = cfg.encoder_embed_dim
        self.condition_projections = nn.ModuleList([_projection(dim) for _ in range(cfg.condition_vectors)])
        self.start(self.condition_projections)

    def forward(
        self, src_tokens: Tensor, src_lengths: Optional[Tensor] = None, condition_tokens: Optional[Tensor] = None
    ) -> Tensor:
        """Last hidden states of a batch; with a condition its tokens see ``[tokens ; v_1 .. v_N]`` in every layer.

        Args:
            src_tokens: (B, S) int64, right-padded.
            condition_tokens: (B, C) int64, the text before each, or None.

        Returns:
            (B, S, D).
        """
        if condition_tokens is None:
            return super().forward(src_tokens, src_lengths)
        vectors = self.conditions(condition_tokens)  # (B, N, D)
        x = self.embed(src_tokens)
        slots = x.shape[1]
        x = torch.cat([x, vectors.to(x.dtype)], dim=1)
        real = real_slots(src_tokens, self.padding_idx)
        padding = torch.cat([~real, real.new_zeros(vectors.shape[:2])], dim=1)
        for layer in self.layers:
            x = layer(x, encoder_padding_mask=padding)
        return x[:, :slots]

    def conditions(self, tokens: Tensor) -> Tensor:
        """(B, C) int64, texts -> (B, N, D), what their neighbours are told of them."""
        text = pool(super().forward(tokens), real_slots(tokens, self.padding_idx), self.condition_pooling)
        return torch.stack([project(text) for project in self.condition_projections], dim=1)


register_shapes("cmlm", Cmlm, ("tiny", "minilm", "bert_base", "xlmr_base"), CmlmOptions)
