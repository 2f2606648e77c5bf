"""The MASS Transformer: encoder-decoder with language embeddings and explicit decoder positions.

Song et al. 2019, section 4.1; layers are fairseq's. Post-norm (``mass_tiny``: pre-norm), GELU, learned
positions, layer-norm on the embeddings, one matrix for all embeddings, and no sqrt(d) scaling of token
embeddings: token, position and language vectors start at one scale, as in XLM. What models trained by
other programs have beside this is an option each, which mass_plugins.interop sets.
"""

from argparse import Namespace
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Optional

import torch
from fairseq import utils
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.models import register_model
from fairseq.models.transformer import (
    TransformerConfig,
    TransformerDecoderBase,
    TransformerEncoderBase,
    TransformerModelBase,
)
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional as F

from mass_plugins.data.binarized import MASK
from mass_plugins.errors import InputError
from mass_plugins.modules.attention import hide_slots
from mass_plugins.modules.language_embeddings import language_embedding
from mass_plugins.modules.language_projections import LanguageLinear, start_small
from mass_plugins.modules.positions import Positions

# What makes a fairseq Transformer a MASS model; not options, for checkpoints and exports rely on them.
_FIXED = {
    "share_decoder_input_output_embed": True,
    "layernorm_embedding": True,
    "encoder_learned_pos": True,
    "decoder_learned_pos": True,
}


def _size(default: int, meaning: str):
    return field(default=default, metadata={"help": meaning})


@dataclass
class MassTransformerConfig(FairseqDataclass):
    encoder_layers: int = _size(6, "encoder layers")
    encoder_embed_dim: int = _size(1024, "width of the encoder, equal to the decoder's")
    encoder_ffn_embed_dim: int = _size(4096, "inner width of the encoder's feed-forward layers")
    encoder_attention_heads: int = _size(8, "attention heads of the encoder")
    decoder_layers: int = _size(6, "decoder layers")
    decoder_embed_dim: int = _size(1024, "width of the decoder, equal to the encoder's")
    decoder_ffn_embed_dim: int = _size(4096, "inner width of the decoder's feed-forward layers")
    decoder_attention_heads: int = _size(8, "attention heads of the decoder")
    max_source_positions: int = _size(512, "longest source in sub-words, </s> included (MASS: 512)")
    max_target_positions: int = _size(512, "longest target in sub-words, </s> included (MASS: 512)")
    activation_fn: ChoiceEnum(utils.get_available_activation_fns()) = field(
        default="gelu", metadata={"help": "activation of the feed-forward layers (MASS: gelu)"}
    )
    dropout: float = field(default=0.1, metadata={"help": "dropout (MASS: 0.1)"})
    attention_dropout: float = field(default=0.1, metadata={"help": "dropout on attention weights (MASS: 0.1)"})
    activation_dropout: float = field(
        default=0.0, metadata={"help": "dropout after the activation in feed-forward layers (MASS: 0)"}
    )
    layer_norm: ChoiceEnum(["post", "pre"]) = field(
        default="post",
        metadata={"help": "after each sub-layer (MASS) or before it"},
    )
    cross_attend_masked: bool = field(
        default=False,
        metadata={
            "help": "let cross-attention see source slots that hold [MASK] (the release's "
            "summarization models do; its translation models don't, the default)"
        },
    )
    checkpoint_activations: bool = field(
        default=False,
        metadata={"help": "recompute activations in the backward pass: less memory, more time"},
    )
    # Of models that other programs trained; the defaults are those of every checkpoint from before they existed.
    layer_norm_eps: float = field(default=1e-5, metadata={"help": "epsilon of all layer norms (XLM: 1e-12)"})
    output_bias: bool = field(default=False, metadata={"help": "a bias for each word's logit (XLM has one)"})
    scale_embedding: bool = field(
        default=False,
        metadata={"help": "multiply token embeddings by sqrt(width) (the release's summarization models)"},
    )
    separate_embeddings: bool = field(
        default=False,
        metadata={"help": "token embeddings of the encoder's own; the decoder's are the output's (XLM)"},
    )
    source_start: ChoiceEnum(["none", "eos", "bos"]) = field(
        default="none",
        metadata={"help": "a token that the encoder puts before every source (XLM: eos, that is </s>; BART: bos)"},
    )
    language_projections: ChoiceEnum(["none", "output", "all"]) = field(
        default="none",
        metadata={
            "help": "cross-attention with an output projection (the release's 'v1'), or with all projections "
            "('v2'), of its own for each target language"
        },
    )


@dataclass
class MassUnmtConfig(MassTransformerConfig):
    """6 + 6 layers of width 1024, 8 heads: the paper's model for unsupervised translation."""


@dataclass
class MassMiddleConfig(MassTransformerConfig):
    """6 + 6 layers of width 1024, 16 heads: the release's ``mass-middle`` for summarization."""

    encoder_attention_heads: int = 16
    decoder_attention_heads: int = 16


@dataclass
class MassBaseConfig(MassTransformerConfig):
    """6 + 6 layers of width 768: the release's ``mass-base`` for summarization."""

    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3072
    encoder_attention_heads: int = 12
    decoder_embed_dim: int = 768
    decoder_ffn_embed_dim: int = 3072
    decoder_attention_heads: int = 12


@dataclass
class MassTinyConfig(MassTransformerConfig):
    """3 + 3 layers of width 256, for tests and small data; pre-norm."""

    encoder_layers: int = 3
    encoder_embed_dim: int = 256
    encoder_ffn_embed_dim: int = 1024
    encoder_attention_heads: int = 4
    decoder_layers: int = 3
    decoder_embed_dim: int = 256
    decoder_ffn_embed_dim: int = 1024
    decoder_attention_heads: int = 4
    layer_norm: ChoiceEnum(["post", "pre"]) = "pre"


def _fairseq_config(cfg) -> TransformerConfig:
    """Our flat options, from a dataclass or a DictConfig, as fairseq's nested ones."""
    flat = asdict(cfg) if is_dataclass(cfg) and not isinstance(cfg, type) else OmegaConf.to_container(cfg, resolve=True)
    for side in ("encoder", "decoder"):
        width, heads = flat[f"{side}_embed_dim"], flat[f"{side}_attention_heads"]
        if heads < 1 or width % heads:
            raise InputError(f"--{side}-attention-heads {heads} doesn't divide --{side}-embed-dim {width}")
    if flat["encoder_embed_dim"] != flat["decoder_embed_dim"]:
        raise InputError(
            f"--encoder-embed-dim {flat['encoder_embed_dim']} and --decoder-embed-dim "
            f"{flat['decoder_embed_dim']} differ, but both sides share one embedding; set them equal"
        )
    flat["encoder_normalize_before"] = flat["decoder_normalize_before"] = flat.pop("layer_norm") == "pre"
    flat["decoder_input_dim"] = flat["decoder_output_dim"] = flat["decoder_embed_dim"]
    flat["no_scale_embedding"] = not flat["scale_embedding"]
    if flat["language_projections"] != "none" and flat["checkpoint_activations"]:
        raise InputError("--checkpoint-activations doesn't know --language-projections; drop one of them")
    flat.pop("_name", None)
    return TransformerConfig.from_namespace(Namespace(**{**flat, **_FIXED}))


_SHAPE = (
    "encoder_layers",
    "encoder_embed_dim",
    "encoder_ffn_embed_dim",
    "encoder_attention_heads",
    "decoder_layers",
    "decoder_embed_dim",
    "decoder_ffn_embed_dim",
    "decoder_attention_heads",
    "max_source_positions",
    "max_target_positions",
    "layer_norm",
    "activation_fn",
)
# Options that came later, and what every model was before.
_LATER = {
    "layer_norm_eps": 1e-5,
    "output_bias": False,
    "scale_embedding": False,
    "separate_embeddings": False,
    "source_start": "none",
    "language_projections": "none",
}


def check_same_shape(path: str, trained, cfg) -> None:
    """Compare the options of a checkpoint's model with those of the model that is to take its weights.

    Raises:
        InputError: one differs; names it.
    """
    known = {**_LATER, **{option: trained[option] for option in (*_SHAPE, *_LATER) if option in trained}}
    for option, value in known.items():
        if value != cfg[option]:
            raise InputError(
                f"{path} was trained with --{option.replace('_', '-')} {value}, "
                f"not {cfg[option]}; set it, or the --arch, as it was"
            )


class MassEncoder(TransformerEncoderBase):
    """fairseq's encoder with a source-language vector on every token.

    Its output carries the target language to the decoder and, as ``encoder_padding_mask``, the slots
    that cross-attention doesn't see: padding and, unless ``cross_attend_masked``, ``[MASK]``.
    """

    def __init__(
        self, cfg, dictionary, embed_tokens, num_languages: int, cross_attend_masked: bool, source_start: str = "none"
    ):
        super().__init__(cfg, dictionary, embed_tokens)
        dim = embed_tokens.embedding_dim
        self.embed_positions = Positions(cfg.max_source_positions, dim, self.padding_idx)
        self.embed_languages = language_embedding(num_languages, dim)
        self.mask_idx = None if cross_attend_masked else dictionary.index(MASK)
        self.first_idx = {"none": None, "eos": dictionary.eos(), "bos": dictionary.bos()}[source_start]

    def max_positions(self) -> int:
        return super().max_positions() - (self.first_idx is not None)

    def forward(
        self,
        src_tokens: Tensor,
        src_lengths: Optional[Tensor] = None,
        source_language: Optional[Tensor] = None,
        target_language: Optional[Tensor] = None,
        return_all_hiddens: bool = False,
    ) -> dict[str, list]:
        """Encode a batch.

        Args:
            src_tokens: (B, S) int64.
            source_language, target_language: (B,) int64, indices of the languages.

        Returns:
            fairseq's dictionary of lists: ``encoder_out`` (S, B, D), ``encoder_padding_mask`` (B, S),
            ``target_language`` (B,), ``encoder_states`` (S, B, D) of each layer if asked for. With a
            ``source_start``, S is a slot more than in ``src_tokens``, the first.
        """
        if self.first_idx is not None:
            src_tokens = F.pad(src_tokens, (1, 0), value=self.first_idx)
        padding = src_tokens.eq(self.padding_idx)
        x = self.embed_scale * self.embed_tokens(src_tokens) + self.embed_positions(src_tokens)
        x = x + self.embed_languages(source_language).unsqueeze(1)
        x = self.dropout_module(self.layernorm_embedding(x))
        x = x.masked_fill(padding.unsqueeze(-1), 0).transpose(0, 1)
        states = [x]
        for layer in self.layers:
            x = layer(x, encoder_padding_mask=padding)
            states.append(x)
        if self.layer_norm is not None:
            x = self.layer_norm(x)
        hidden = padding
        if self.mask_idx is not None:
            hidden = hide_slots(padding, src_tokens.eq(self.mask_idx))
        return {
            "encoder_out": [x],
            "encoder_padding_mask": [hidden],
            "encoder_states": states if return_all_hiddens else [],
            "target_language": [target_language],
        }

    def reorder_encoder_out(self, encoder_out: dict[str, list], new_order: Tensor) -> dict[str, list]:
        """Rows in ``new_order``, for beam search (batch is dimension 1 of the states)."""
        time_major = ("encoder_out", "encoder_states")
        return {
            key: [value.index_select(int(key in time_major), new_order) for value in values]
            for key, values in encoder_out.items()
        }


class MassDecoder(TransformerDecoderBase):
    """fairseq's decoder with given positions and a target-language vector on every token.

    The batch is right-padded, so the causal mask alone keeps padding out of sight: no padding mask is
    built and nothing asks the device whether there is padding.
    """

    def __init__(
        self,
        cfg,
        dictionary,
        embed_tokens,
        num_languages: int,
        output_bias: bool = False,
        language_projections: str = "none",
    ):
        super().__init__(cfg, dictionary, embed_tokens)
        self.embed_positions = Positions(cfg.max_target_positions, self.embed_dim, self.padding_idx)
        self.embed_languages = language_embedding(num_languages, self.embed_dim)
        if output_bias:
            self.output_projection.bias = nn.Parameter(torch.zeros(len(dictionary)))
        chosen = {"none": (), "output": ("out_proj",), "all": ("q_proj", "k_proj", "v_proj", "out_proj")}
        self.language_projections = []
        for layer in self.layers:
            for name in chosen[language_projections]:
                setattr(layer.encoder_attn, name, LanguageLinear(num_languages, self.embed_dim))
                self.language_projections.append(getattr(layer.encoder_attn, name))

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: dict[str, list],
        incremental_state: Optional[dict] = None,
        positions: Optional[Tensor] = None,
        features_only: bool = False,
        full_context_alignment: bool = False,
        alignment_layer: Optional[int] = None,
        alignment_heads: Optional[int] = None,
    ):
        """Decode a batch, or the next token of each row with ``incremental_state``.

        Args:
            prev_output_tokens: (B, T) int64, right-padded.
            encoder_out: the encoder's output; a language model where its list ``encoder_out`` is empty.
            positions: (B, T) int64, zero-based slots; default 0 .. T-1.
            features_only: return (B, T, D) features without projecting them to the vocabulary.
            alignment_layer: return attention averaged over heads at this layer.

        Returns:
            logits (B, T, V) and ``{"attn": [(B, T, S) or None], "inner_states": [(T, B, D), ..]}``.
        """
        features, extra = self.extract_features(
            prev_output_tokens,
            encoder_out,
            incremental_state,
            positions,
            full_context_alignment,
            alignment_layer,
            alignment_heads,
        )
        return (features if features_only else self.output_layer(features)), extra

    def extract_features(
        self,
        prev_output_tokens: Tensor,
        encoder_out: dict[str, list],
        incremental_state: Optional[dict] = None,
        positions: Optional[Tensor] = None,
        full_context_alignment: bool = False,
        alignment_layer: Optional[int] = None,
        alignment_heads: Optional[int] = None,
    ):
        if full_context_alignment and alignment_layer is None:
            alignment_layer = self.num_layers - 1
        place = self.embed_positions(prev_output_tokens, incremental_state, positions)
        if incremental_state is not None:
            prev_output_tokens, place = prev_output_tokens[:, -1:], place[:, -1:]
        languages = encoder_out["target_language"][0]
        for projection in self.language_projections:
            projection.languages = languages
        x = self.embed_scale * self.embed_tokens(prev_output_tokens) + place
        x = x + self.embed_languages(languages).unsqueeze(1)
        x = self.dropout_module(self.layernorm_embedding(x)).transpose(0, 1)

        causal = incremental_state is None and not full_context_alignment
        future = self.buffered_future_mask(x) if causal else None
        attention, states = None, [x]
        for number, layer in enumerate(self.layers):
            align = number == alignment_layer
            x, weights, _ = layer(
                x,
                encoder_out["encoder_out"][0] if encoder_out["encoder_out"] else None,
                encoder_out["encoder_padding_mask"][0] if encoder_out["encoder_out"] else None,
                incremental_state,
                self_attn_mask=future,
                need_attn=align,
                need_head_weights=align,
            )
            states.append(x)
            if align:
                attention = weights.float()[:alignment_heads].mean(dim=0)
        if self.layer_norm is not None:
            x = self.layer_norm(x)
        return x.transpose(0, 1), {"attn": [attention], "inner_states": states}


class MassTransformer(TransformerModelBase):
    """Encoder and decoder over one joint dictionary and the task's languages."""

    @classmethod
    def add_args(cls, parser):
        super(TransformerModelBase, cls).add_args(parser)  # from the dataclass of each architecture

    @classmethod
    def build_model(cls, cfg, task):
        """Build from our flat configuration; ``task.languages`` numbers the language embeddings."""
        config = _fairseq_config(cfg)
        dictionary, languages = task.source_dictionary, len(task.languages)
        embed_tokens = cls.build_embedding(config, dictionary, config.encoder.embed_dim)
        of_source = embed_tokens
        if cfg.separate_embeddings:
            of_source = cls.build_embedding(config, dictionary, config.encoder.embed_dim)
        encoder = MassEncoder(config, dictionary, of_source, languages, cfg.cross_attend_masked, cfg.source_start)
        decoder = MassDecoder(config, dictionary, embed_tokens, languages, cfg.output_bias, cfg.language_projections)
        model = cls(config, encoder, decoder)
        start_small(model.encoder.layers)
        start_small(model.decoder.layers)
        for module in model.modules():
            if hasattr(module, "normalized_shape"):
                module.eps = cfg.layer_norm_eps
        return model

    def forward(
        self,
        src_tokens: Tensor,
        src_lengths: Optional[Tensor],
        prev_output_tokens: Tensor,
        source_language: Tensor,
        target_language: Tensor,
        positions: Optional[Tensor] = None,
        features_only: bool = False,
        encoder_slots: Optional[Tensor] = None,
    ):
        """A batch's ``net_input`` -> logits (B, T, V) and extras; shapes in mass_plugins.data.collate."""
        encoder_out = self.encoder(src_tokens, src_lengths, source_language, target_language)
        if encoder_slots is not None:
            return self._predict_on_both_sides(prev_output_tokens, encoder_out, encoder_slots)
        return self.decoder(prev_output_tokens, encoder_out, positions=positions, features_only=features_only)

    def _predict_on_both_sides(self, prev_output_tokens: Tensor, encoder_out: dict[str, list], encoder_slots: Tensor):
        """Logits of the encoder at its slots, then of the decoder, which doesn't see the source: (B, K + T, V).

        Both are projected by the embeddings, which they share; nothing trains the cross-attention (XLM's pre-training
        of two models, Lample and Conneau 2019, section 4).
        """
        states = encoder_out["encoder_out"][0].transpose(0, 1)
        hidden = states.gather(1, encoder_slots.unsqueeze(2).expand(-1, -1, states.shape[2]))
        alone = {**encoder_out, "encoder_out": [], "encoder_padding_mask": []}
        logits, extra = self.decoder(prev_output_tokens, alone)
        return torch.cat([self.decoder.output_layer(hidden), logits], dim=1), extra


@register_model("mass_unmt", dataclass=MassUnmtConfig)
class MassUnmt(MassTransformer):
    pass


@register_model("mass_base", dataclass=MassBaseConfig)
class MassBase(MassTransformer):
    pass


@register_model("mass_middle", dataclass=MassMiddleConfig)
class MassMiddle(MassTransformer):
    pass


@register_model("mass_tiny", dataclass=MassTinyConfig)
class MassTiny(MassTransformer):
    pass
