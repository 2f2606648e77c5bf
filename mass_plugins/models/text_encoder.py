"""The text encoder that MLM pre-training, Mirror-BERT, DupMAE and MSM share: BERT and its relatives.

Devlin et al. 2019 (BERT), Liu et al. 2019 (RoBERTa), Conneau et al. 2020 (XLM-R), Wang et al. 2020 (MiniLM). Layers
are fairseq's, post-norm and batch first. BERT and MiniLM have types and count positions from 0; RoBERTa and XLM-R have
no types, and their positions begin behind the padding's row. Nothing is masked out of sight but padding as a key, so
hidden states equal transformers' everywhere, padded slots included. A padding symbol within a text is a token; in
transformers' RoBERTa it has the padding's position, and so it has here.
"""

from argparse import Namespace
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Iterable, Optional

import torch
import torch.nn.functional as F
from fairseq import utils
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.models import BaseFairseqModel, register_model
from fairseq.models.transformer import TransformerConfig
from fairseq.modules import LayerNorm
from fairseq.modules.checkpoint_activations import checkpoint_wrapper
from fairseq.modules.transformer_layer import TransformerEncoderLayerBase
from omegaconf import OmegaConf
from torch import Tensor, nn

from mass_plugins.errors import InputError
from mass_plugins.modules.pooling import real_slots
from mass_plugins.modules.positions import Positions
from mass_plugins.modules.self_attention import SelfAttention

POSITION_STYLES = ("bert", "roberta")
INITIAL_STD = 0.02  # of all initial weights, as in BERT


def _size(default: int, meaning: str):
    return field(default=default, metadata={"help": meaning})


@dataclass
class TextEncoderConfig(FairseqDataclass):
    encoder_layers: int = _size(12, "layers")
    encoder_embed_dim: int = _size(768, "width")
    encoder_ffn_embed_dim: int = _size(3072, "inner width of the feed-forward layers")
    encoder_attention_heads: int = _size(12, "attention heads")
    max_positions: int = _size(512, "longest text in tokens, [CLS] and [SEP] included (BERT: 512)")
    position_style: ChoiceEnum(POSITION_STYLES) = field(
        default="bert",
        metadata={"help": "bert: positions from 0 on; roberta: behind the padding's row, which padded slots take"},
    )
    token_types: int = _size(2, "token types, of which a text has the first (BERT: 2; RoBERTa, XLM-R: 0)")
    layer_norm_epsilon: float = field(default=1e-12, metadata={"help": "BERT, MiniLM: 1e-12; RoBERTa, XLM-R: 1e-5"})
    activation_fn: ChoiceEnum(utils.get_available_activation_fns()) = field(
        default="gelu",
        metadata={
            "help": "activation of the feed-forward layers and, with --position-style bert, of the MLM head (BERT: "
            "gelu); with roberta the head has gelu"
        },
    )
    dropout: float = field(default=0.1, metadata={"help": "dropout (BERT: 0.1)"})
    attention_dropout: float = field(default=0.1, metadata={"help": "dropout on attention weights (BERT: 0.1)"})
    activation_dropout: float = field(default=0.0, metadata={"help": "dropout after the activation (BERT: 0)"})
    drop_head: float = field(
        default=0.0,
        metadata={"help": "share of attention heads dropped in training (Mirror-BERT's ablation: 0.2, RoBERTa 0.05)"},
    )
    checkpoint_activations: bool = field(
        default=False,
        metadata={"help": "recompute activations in the backward pass: less memory, more time"},
    )


@dataclass
class TextEncoderTinyConfig(TextEncoderConfig):
    """3 layers of width 256, for tests and small data."""

    encoder_layers: int = 3
    encoder_embed_dim: int = 256
    encoder_ffn_embed_dim: int = 1024
    encoder_attention_heads: int = 4


@dataclass
class BertBaseConfig(TextEncoderConfig):
    """BERT-base: 12 layers of width 768."""


@dataclass
class BertLargeConfig(TextEncoderConfig):
    """BERT-large: 24 layers of width 1024."""

    encoder_layers: int = 24
    encoder_embed_dim: int = 1024
    encoder_ffn_embed_dim: int = 4096
    encoder_attention_heads: int = 16


@dataclass
class RobertaBaseConfig(TextEncoderConfig):
    """RoBERTa-base: 12 layers of width 768."""

    position_style: ChoiceEnum(POSITION_STYLES) = "roberta"
    token_types: int = 0
    layer_norm_epsilon: float = 1e-5


@dataclass
class XlmrBaseConfig(RobertaBaseConfig):
    """XLM-R base: RoBERTa-base with the vocabulary of a hundred languages."""


@dataclass
class XlmrLargeConfig(XlmrBaseConfig):
    """RoBERTa-large and XLM-R large: 24 layers of width 1024."""

    encoder_layers: int = 24
    encoder_embed_dim: int = 1024
    encoder_ffn_embed_dim: int = 4096
    encoder_attention_heads: int = 16


@dataclass
class MiniLmConfig(TextEncoderConfig):
    """MiniLM-L6-H384: 6 layers of width 384."""

    encoder_layers: int = 6
    encoder_embed_dim: int = 384
    encoder_ffn_embed_dim: int = 1536


SHAPES = {
    "tiny": TextEncoderTinyConfig,
    "bert_base": BertBaseConfig,
    "bert_large": BertLargeConfig,
    "roberta_base": RobertaBaseConfig,
    "xlmr_base": XlmrBaseConfig,
    "xlmr_large": XlmrLargeConfig,
    "minilm": MiniLmConfig,
}


class EncoderLayer(TransformerEncoderLayerBase):
    """fairseq's layer on (B, S, D), with the fused kernel in its attention."""

    def __init__(self, cfg: TransformerConfig, epsilon: float, drop_head: float):
        self._drop_head = drop_head  # the attention is built by fairseq's constructor
        super().__init__(cfg)
        self.activation_fn = _activation(cfg.activation_fn)
        self.self_attn_layer_norm.eps = self.final_layer_norm.eps = epsilon

    def build_self_attention(self, embed_dim, cfg):
        return SelfAttention(embed_dim, cfg.encoder.attention_heads, cfg.attention_dropout, self._drop_head)


class MaskedLmHead(nn.Module):
    """Dense, activation, layer-norm; the projection is the token embeddings with a bias of its own."""

    def __init__(self, dim: int, num_tokens: int, activation: str, epsilon: float):
        super().__init__()
        self.dense = nn.Linear(dim, dim)
        self.activation = _activation(activation)
        self.layer_norm = LayerNorm(dim, eps=epsilon)
        self.bias = nn.Parameter(torch.zeros(num_tokens))

    def transform(self, hidden: Tensor) -> Tensor:
        """All but the projection: (..., D) -> (..., D)."""
        return self.layer_norm(self.activation(self.dense(hidden)))


@register_model("text_encoder", dataclass=TextEncoderConfig)
class TextEncoder(BaseFairseqModel):
    """A batch of texts -> a vector for each token, and the masked-LM head.

    Args:
        cfg: a :class:`TextEncoderConfig`, or the like of one.
        num_tokens: size V of the vocabulary.
        padding_idx: id of the padding token.
    """

    # Beginnings of the names of what models built on this one have beside it, each its own: a checkpoint to start from
    # may lack it, or have it for another model.
    EXTRA_WEIGHTS: tuple[str, ...] = ()
    # Options beside those of the encoder that fix what is computed: a training that goes on keeps them.
    FIXED: tuple[str, ...] = ()
    GIVES_STATES = True  # ``forward`` returns hidden states (B, S, D)

    def __init_subclass__(cls, extra_weights: tuple[str, ...] = (), **options):
        super().__init_subclass__(**options)
        TextEncoder.EXTRA_WEIGHTS += extra_weights

    def __init__(self, cfg, num_tokens: int, padding_idx: int):
        super().__init__()
        flat = as_dict(cfg)
        _check(flat)
        dim, epsilon = flat["encoder_embed_dim"], flat["layer_norm_epsilon"]
        self.padding_idx, self._positions = padding_idx, flat["max_positions"]
        self.embed_tokens = nn.Embedding(num_tokens, dim, padding_idx)
        self.embed_positions: nn.Module
        if str(flat["position_style"]) == "roberta":
            self.embed_positions = Positions(flat["max_positions"], dim, padding_idx)
        else:
            self.embed_positions = nn.Embedding(flat["max_positions"], dim)
        self.embed_types = nn.Embedding(flat["token_types"], dim) if flat["token_types"] else None
        self.layernorm_embedding = LayerNorm(dim, eps=epsilon)
        self.dropout = nn.Dropout(flat["dropout"])
        layer_cfg = layer_config(flat)
        layers = [EncoderLayer(layer_cfg, epsilon, flat["drop_head"]) for _ in range(flat["encoder_layers"])]
        if flat["checkpoint_activations"]:
            layers = [checkpoint_wrapper(layer) for layer in layers]
        self.layers = nn.ModuleList(layers)
        # transformers' RoBERTa has GELU there whatever its layers have, its BERT what the layers have
        activation = "gelu" if str(flat["position_style"]) == "roberta" else str(flat["activation_fn"])
        self.lm_head = MaskedLmHead(dim, num_tokens, activation, epsilon)
        self.start(self)

    def start_new_weights(self, missing: set[str]) -> None:
        """After the encoder's weights came from a checkpoint without those named; by default they are as built."""

    @classmethod
    def build_model(cls, cfg, task):
        """Build for the task's dictionary."""
        dictionary = task.source_dictionary
        return cls(cfg, len(dictionary), dictionary.pad())

    @staticmethod
    def start(part: nn.Module) -> None:
        """BERT's initial weights: normal with 0.02, biases and the padding's rows zero."""
        for module in part.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=INITIAL_STD)
                if isinstance(module, nn.Linear):
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
                elif module.padding_idx is not None:
                    nn.init.zeros_(module.weight[module.padding_idx])

    @property
    def output_weight(self) -> Tensor:
        """(V, D): the projection of the MLM head, which is the token embeddings."""
        return self.embed_tokens.weight

    def max_positions(self) -> int:
        return self._positions

    def embed(self, src_tokens: Tensor) -> Tensor:
        """(B, S) int64 -> (B, S, D): word + position + type, layer-norm, dropout.

        Raises:
            InputError: more slots than the model has positions for.
        """
        slots = src_tokens.shape[1]
        if slots > self._positions:
            raise InputError(
                f"a text has {slots} tokens, more than the model's {self._positions} positions; shorten it"
            )
        return self.as_input(self.embed_tokens(src_tokens) + self.position_vectors(src_tokens))

    def position_vectors(self, src_tokens: Tensor) -> Tensor:
        """(B, S) int64 -> (B, S, D), or (S, D) where all texts have the same."""
        if isinstance(self.embed_positions, Positions):
            return self.embed_positions(src_tokens)
        return self.embed_positions.weight[: src_tokens.shape[1]]

    def as_input(self, x: Tensor) -> Tensor:
        """Sums of vectors (B, S, D) -> what layers read: the type is added, then layer-norm and dropout."""
        if self.embed_types is not None:
            x = x + self.embed_types.weight[0]
        return self.dropout(self.layernorm_embedding(x))

    def forward(self, src_tokens: Tensor, src_lengths: Optional[Tensor] = None) -> Tensor:
        """Last hidden states of a batch.

        Args:
            src_tokens: (B, S) int64, ``[CLS] .. [SEP]``, right-padded.
            src_lengths: not looked at, for the tokens tell; fairseq's batches have it.

        Returns:
            (B, S, D).
        """
        padding = ~real_slots(src_tokens, self.padding_idx)
        # On a GPU the question alone would cost more than the kernel that knows of no padding saves.
        hidden = None if padding.device.type == "cpu" and not padding.any() else padding
        x = self.embed(src_tokens)
        for layer in self.layers:
            x = layer(x, encoder_padding_mask=hidden)
        return x


def _activation(name: str):
    """fairseq's by name; its own GELU would compute in float32 whatever the precision."""
    return F.gelu if name == "gelu" else utils.get_activation_fn(name)


def as_dict(cfg) -> dict:
    """A dataclass of options, or the like of one, as a plain dict."""
    if is_dataclass(cfg) and not isinstance(cfg, type):
        return asdict(cfg)
    return dict(OmegaConf.to_container(OmegaConf.create(cfg), resolve=True))


def _check(flat: dict) -> None:
    width, heads = flat["encoder_embed_dim"], flat["encoder_attention_heads"]
    if heads < 1 or width % heads:
        raise InputError(f"--encoder-attention-heads {heads} doesn't divide --encoder-embed-dim {width}")
    least = {
        "encoder_layers": 1,
        "encoder_embed_dim": 1,
        "encoder_ffn_embed_dim": 1,
        "max_positions": 1,
        "token_types": 0,
    }
    for option, number in least.items():
        if flat[option] < number:
            raise InputError(f"--{option.replace('_', '-')} {flat[option]} is not {number} or more")
    if not 0 < flat["layer_norm_epsilon"] < float("inf"):
        raise InputError(f"--layer-norm-epsilon {flat['layer_norm_epsilon']} is not a number above 0")
    for option in ("dropout", "attention_dropout", "activation_dropout", "drop_head"):
        if not 0 <= flat[option] < 1:
            raise InputError(f"--{option.replace('_', '-')} {flat[option]} is not in [0, 1)")


def layer_config(flat: dict) -> TransformerConfig:
    """Options of a text encoder -> those of fairseq's layers."""
    names = ("encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads", "activation_fn", "dropout",
             "attention_dropout", "activation_dropout")  # fmt: skip
    return TransformerConfig.from_namespace(
        Namespace(**{name: flat[name] for name in names}, encoder_normalize_before=False)
    )


def register_shapes(name: str, model: type[TextEncoder], shapes: Iterable[str], options: Optional[type] = None) -> None:
    """Register ``<name>_<shape>`` for each of ``shapes``, names of ``SHAPES``.

    Each is a class of its own, as is its configuration: fairseq takes a model's flags from its class.

    Args:
        options: dataclass of what the model can be told beside its shape.
    """
    for shape in shapes:
        title, config = f"{model.__name__}_{shape}", SHAPES[shape]
        if options is not None:
            config = dataclass(type(f"{title}_config", (options, config), {"__module__": model.__module__}))
        kind = type(title, (model,), {"__module__": model.__module__})
        register_model(f"{name}_{shape}", dataclass=config)(kind)


register_shapes("text_encoder", TextEncoder, SHAPES)
