"""A retriever, text -> a vector, a bag of words, or both (DupMAE, section 3.3), and a scorer of pairs, its teacher."""

from dataclasses import dataclass, field
from typing import NamedTuple, Optional

import torch.nn.functional as F
from fairseq.dataclass import ChoiceEnum
from fairseq.models import register_model
from torch import Tensor, nn

from mass_plugins.errors import InputError
from mass_plugins.models.dupmae import BagOfWordsEncoder, BagOfWordsOptions
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderConfig, register_shapes
from mass_plugins.modules.pooling import pool, real_slots

REPRESENTATIONS = ("cls", "ot", "both")
ACTIVATIONS = ("none", "relu", "log1p_relu")


@dataclass
class RetrieverOptions(BagOfWordsOptions):
    representation: ChoiceEnum(REPRESENTATIONS) = field(
        default="both", metadata={"help": "cls: h', the projected vector; ot: mu', the ordinary tokens; both (paper)"}
    )
    vector_pooling: ChoiceEnum(("cls", "mean")) = field(
        default="cls",
        metadata={
            "help": "what h' is made of: the [CLS] state (paper), or the mean of all tokens' states, for an "
            "encoder whose [CLS] was never trained as a vector"
        },
    )
    cls_dim: int = field(default=384, metadata={"help": "width of h' (paper: 384); 0: the state as it is"})
    ot_top: int = field(default=384, metadata={"help": "values of mu that a document keeps (paper: 384)"})
    ot_activation: ChoiceEnum(ACTIVATIONS) = field(
        default="none", metadata={"help": "on mu: none (paper), relu, or log1p_relu, log(1 + relu(mu))"}
    )


@dataclass
class RetrieverConfig(RetrieverOptions, TextEncoderConfig):
    """The shape of BERT-base unless told otherwise."""


class Represented(NamedTuple):
    """Texts; a part that the representation hasn't is None.

    Attributes:
        cls: (B, d).
        values: documents: (B, k), the largest values of mu; queries: (B, V), all.
        entries: documents: (B, k) int64, the entries of ``values``, ascending; queries: None.
    """

    cls: Optional[Tensor]
    values: Optional[Tensor]
    entries: Optional[Tensor] = None

    def differentiable(self) -> list[Tensor]:
        return [part for part in (self.cls, self.values) if part is not None]


def freeze(module: nn.Module) -> None:
    """Weights that are kept for later but have no part in this task: DDP would wait for their gradients."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)


@register_model("retriever", dataclass=RetrieverConfig)
class Retriever(BagOfWordsEncoder, extra_weights=("cls_projection.",)):
    """A text encoder with ``W_cls`` and ``W_o``."""

    FIXED = ("representation", "vector_pooling", "cls_dim", "ot_top", "ot_activation", "bow_projection")
    GIVES_STATES = False

    def __init__(self, cfg, num_tokens: int, padding_idx: int):
        super().__init__(cfg, num_tokens, padding_idx)
        self.representation, self.activation = str(cfg.representation), str(cfg.ot_activation)
        self.vector_pooling = str(cfg.vector_pooling)
        self.ot_top, dim = min(cfg.ot_top, num_tokens), self.output_weight.shape[1]
        if cfg.ot_top < 1 or cfg.cls_dim < 0:
            raise InputError(f"--ot-top {cfg.ot_top} must be at least 1, --cls-dim {cfg.cls_dim} at least 0")
        self.cls_projection: Optional[nn.Linear] = None
        if self.representation != "ot" and cfg.cls_dim:
            self.cls_projection = nn.Linear(dim, cfg.cls_dim, bias=False)
            nn.init.orthogonal_(self.cls_projection.weight)  # products of vectors stay as near as they can
        if self.bow_projection_kind != "mlm_head" or self.representation == "cls":
            freeze(self.lm_head)
        if self.bow_projection is not None and self.representation == "cls":
            freeze(self.bow_projection)

    @property
    def cls_width(self) -> int:
        """d, 0 without a vector."""
        if self.representation == "ot":
            return 0
        return self.output_weight.shape[1] if self.cls_projection is None else self.cls_projection.weight.shape[0]

    def forward(self, src_tokens: Tensor, role: str = "documents", **_) -> Represented:  # type: ignore[override]
        """(B, S) int64, right-padded, ``[CLS] .. [SEP]`` -> their representations.

        The maximum of mu is over the slots between ``[CLS]`` and ``[SEP]``; a text without any has zeros.
        """
        hidden = super().forward(src_tokens)
        cls = values = entries = None
        real = real_slots(src_tokens, self.padding_idx)
        if self.representation != "ot":
            cls = pool(hidden, real, self.vector_pooling)
            cls = (cls if self.cls_projection is None else self.cls_projection(cls)).float()
        if self.representation != "cls":
            inside = real & F.pad(real[:, 1:], (0, 1), value=False)  # not the last real one
            inside[:, 0] = False
            values = self._activate(self.bag_of_words(hidden, inside))
            if role == "documents":
                entries = values.detach().topk(self.ot_top, dim=1).indices.sort(dim=1).values
                values = values.gather(1, entries)
        return Represented(cls, values, entries)

    def _activate(self, mu: Tensor) -> Tensor:
        if self.activation == "none":
            return mu
        return mu.relu() if self.activation == "relu" else mu.relu().log1p()


_SHAPES = ("tiny", "minilm", "bert_base", "roberta_base", "xlmr_base")
register_shapes("retriever", Retriever, _SHAPES, RetrieverOptions)


@register_model("cross_encoder", dataclass=TextEncoderConfig)
class CrossEncoder(TextEncoder, extra_weights=("relevance.",)):
    """``[CLS] query [SEP] passage [SEP]`` -> how relevant: a linear map of the ``[CLS]`` state."""

    GIVES_STATES = False

    def __init__(self, cfg, num_tokens: int, padding_idx: int):
        super().__init__(cfg, num_tokens, padding_idx)
        self.relevance = nn.Linear(self.output_weight.shape[1], 1)
        self.start(self.relevance)
        freeze(self.lm_head)

    def forward(self, src_tokens: Tensor, **_) -> Tensor:  # type: ignore[override]
        """(B, S) int64 -> (B,) float32."""
        return self.relevance(super().forward(src_tokens)[:, 0]).squeeze(-1).float()


register_shapes("cross_encoder", CrossEncoder, _SHAPES)
