"""The MASS Transformer: encoder-decoder with language embeddings and explicit decoder positions.

Song et al. 2019, section 4.1; layers are fairseq's. Post-norm (``mass_tiny``: pre-norm), GELU, learned
positions, layer-norm on the embeddings, one matrix for all embeddings, and no sqrt(d) scaling of token
embeddings: token, position and language vectors start at one scale, as in XLM. What models trained by
other programs have beside this is an option each, which mass_plugins.interop sets.
"""

from typing import Optional

import torch
from fairseq.models import register_model
from fairseq.models.transformer import TransformerDecoderBase, TransformerEncoderBase, TransformerModelBase
from torch import Tensor, nn
from torch.nn import functional as F

from mass_plugins.data.symbols import MASK
from mass_plugins.models.mass_config import (
    MassBaseConfig,
    MassMiddleConfig,
    MassTinyConfig,
    MassUnmtConfig,
    fairseq_config,
)
from mass_plugins.modules.attention import hide_slots
from mass_plugins.modules.language_embeddings import language_embedding
from mass_plugins.modules.language_projections import LanguageLinear, start_small
from mass_plugins.modules.positions import Positions


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
        config = fairseq_config(cfg)
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
