"""MSM's model (Zhang et al. 2023): a text encoder, a document encoder over the vectors of its units, two heads.

The encoder's weights have the names of a ``text_encoder``'s, so that every program that takes one takes this, too; the
document encoder and the heads are saved beside them, so that pre-training goes on where it stopped.
"""

from dataclasses import dataclass, field

import torch
from fairseq.dataclass import ChoiceEnum
from fairseq.models import register_model
from fairseq.modules import LayerNorm
from torch import Tensor, nn

from mass_plugins.errors import InputError
from mass_plugins.models.text_encoder import (
    INITIAL_STD,
    EncoderLayer,
    TextEncoder,
    TextEncoderConfig,
    as_dict,
    layer_config,
    register_shapes,
)
from mass_plugins.modules.contrast_head import ContrastHead
from mass_plugins.modules.pooling import pool, real_slots

CONTEXTS = ("document", "none")


@dataclass
class MsmOptions:
    document_layers: int = field(default=2, metadata={"help": "layers of the document encoder (paper: 2)"})
    units_per_document: int = field(
        default=32, metadata={"help": "positions of the document encoder: units of the longest document (paper: 32)"}
    )
    document_context: ChoiceEnum(CONTEXTS) = field(
        default="document",
        metadata={
            "help": "what a masked unit is predicted from: the other units of its document, or nothing but its place "
            "(an ablation of the paper's)"
        },
    )
    unit_pooling: ChoiceEnum(("cls", "mean")) = field(
        default="cls",
        metadata={"help": "how a unit's vector is made of its tokens' (paper: cls, the first's state)"},
    )
    head_dim: int = field(default=0, metadata={"help": "inner and outer width of the heads; 0: the encoder's"})
    heads_per_process: bool = field(
        default=False, metadata={"help": "batch-norm of the heads over a process's own rows; by default over all"}
    )


@dataclass
class MsmConfig(MsmOptions, TextEncoderConfig):
    """The shape of BERT-base unless told otherwise."""


class DocumentEncoder(nn.Module):
    """Unit vectors of documents -> for each unit, what its place should hold, by the other units alone.

    Post-norm layers, learned positions, layer-norm on the input. Every unit has a copy of its document in which a
    learned vector stands in its slot: (R, U, D) for R units, documents are never put beside each other.
    """

    def __init__(self, layer_cfg, layers: int, units: int, epsilon: float, dropout: float, context: str):
        super().__init__()
        dim = layer_cfg.encoder.embed_dim
        self.sees_document = context == "document"
        self.mask_vector = nn.Parameter(torch.zeros(dim))
        self.embed_positions = nn.Embedding(units, dim)
        self.layernorm_embedding = LayerNorm(dim, eps=epsilon)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList([EncoderLayer(layer_cfg, epsilon, 0.0) for _ in range(layers)])

    def forward(self, vectors: Tensor, real: Tensor) -> Tensor:
        """Predict each real unit.

        Args:
            vectors: (B, U, D), of B documents; padded slots may hold anything finite.
            real: (B, U) bool.

        Returns:
            (R, D), of the real units, document after document.
        """
        if vectors.shape[1] > self.embed_positions.num_embeddings:
            raise InputError(
                f"a document has {vectors.shape[1]} units, more than --units-per-document "
                f"{self.embed_positions.num_embeddings}; raise it, or prepare shorter documents"
            )
        document, slot = real.nonzero(as_tuple=True)  # (R,) each
        row = torch.arange(len(slot), device=slot.device)
        copies = vectors.index_select(0, document)  # (R, U, D)
        masked = torch.zeros(copies.shape[:2], dtype=torch.bool, device=slot.device)
        masked[row, slot] = True
        x = torch.where(masked[:, :, None], self.mask_vector.to(copies.dtype), copies)
        x = self.dropout(self.layernorm_embedding(x + self.embed_positions.weight[: x.shape[1]]))
        hidden = ~real.index_select(0, document) if self.sees_document else ~masked
        for layer in self.layers:
            x = layer(x, encoder_padding_mask=hidden)
        return x[row, slot]


@register_model("msm", dataclass=MsmConfig)
class Msm(TextEncoder, extra_weights=("document_encoder.", "key_head.", "query_head.")):
    """A text encoder with what MSM trains it by."""

    FIXED = ("document_layers", "units_per_document", "document_context", "unit_pooling", "head_dim")

    def __init__(self, cfg, num_tokens: int, padding_idx: int):
        super().__init__(cfg, num_tokens, padding_idx)
        flat = as_dict(cfg)
        for option in ("document_layers", "units_per_document"):
            if flat[option] < 1:
                raise InputError(f"--{option.replace('_', '-')} {flat[option]} is not 1 or more")
        if flat["head_dim"] < 0:
            raise InputError(f"--head-dim {flat['head_dim']} is not 0 (the encoder's width) or more")
        self.unit_pooling = str(flat["unit_pooling"])
        self.document_encoder = DocumentEncoder(
            layer_config(flat), flat["document_layers"], flat["units_per_document"],
            flat["layer_norm_epsilon"], flat["dropout"], str(flat["document_context"]),
        )  # fmt: skip
        dim, width = flat["encoder_embed_dim"], flat["head_dim"] or flat["encoder_embed_dim"]
        across = not flat["heads_per_process"]
        self.key_head = ContrastHead(dim, width, width, across)
        self.query_head = ContrastHead(dim, width, width, across)
        self.start(self.document_encoder)
        nn.init.normal_(self.document_encoder.mask_vector, std=INITIAL_STD)

    def unit_vectors(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Last hidden states (N, S, D) of units and their tokens (N, S) int64 -> s_t of each, (N, D)."""
        return pool(hidden, real_slots(tokens, self.padding_idx), self.unit_pooling)

    def predict_units(self, vectors: Tensor, real: Tensor) -> Tensor:
        """See :class:`DocumentEncoder`."""
        return self.document_encoder(vectors, real)


register_shapes("msm", Msm, ("tiny", "minilm", "bert_base", "xlmr_base"), MsmOptions)
