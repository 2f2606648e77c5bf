"""A MASS decoder's weights laid out for one token at a time."""

from dataclasses import dataclass
from typing import Callable, NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mass_plugins.models.mass_transformer import MassDecoder
from mass_plugins.modules.language_projections import LanguageLinear, pick
from mass_plugins.modules.prepacked_linear import prepacked_product


@dataclass
class DecoderState:
    """What the steps of one batch share; (B, H, T, D/H) where nothing else is said.

    The cache of self-attention has room for all steps from the start, so that no step copies it.
    Keys and values of cross-attention are computed once.
    """

    keys: list[Tensor]  # one a layer
    values: list[Tensor]
    source_keys: list[Tensor]  # (B, H, S, D/H)
    source_values: list[Tensor]
    visible: Tensor  # (B, 1, 1, S) bool: slots that cross-attention sees
    language: Tensor  # (B, D) vector of the target language
    languages: Tensor  # (B,) its index

    def select(self, rows: Tensor, slots: int) -> "DecoderState":
        """The state of ``rows`` (B',) int64 alone; of the cache, the first ``slots`` are worth copying."""

        def cut(caches: list[Tensor]) -> list[Tensor]:
            kept = []
            for cache in caches:
                new = cache.new_empty(len(rows), *cache.shape[1:])
                new[:, :, :slots] = cache[:, :, :slots].index_select(0, rows)
                kept.append(new)
            return kept

        def take(caches: list[Tensor]) -> list[Tensor]:
            return [cache.index_select(0, rows) for cache in caches]

        return DecoderState(
            cut(self.keys),
            cut(self.values),
            take(self.source_keys),
            take(self.source_values),
            self.visible.index_select(0, rows),
            self.language.index_select(0, rows),
            self.languages.index_select(0, rows),
        )


class _Precision(NamedTuple):
    """Types of the matrix products with weights, and of everything between them.

    On a CPU only these products gain from half precision: attention to a single query, norms and
    activations are slower in bfloat16 than in float32 there.
    """

    product: torch.dtype
    state: torch.dtype

    @classmethod
    def of(cls, dtype: torch.dtype, device: torch.device) -> "_Precision":
        return cls(dtype, dtype if device.type == "cuda" else torch.float32)


class _Projection:
    """One or several linear layers of the same input, in one matrix product; layers of a language each, too."""

    def __init__(self, precision: _Precision, *layers: nn.Module):
        self.precision, self.num_languages = precision, 0
        if isinstance(layers[0], LanguageLinear):  # then all of them are: (L, D, D) side by side -> (L, n D, D)
            self.num_languages = len(layers[0].weight)
        side = int(self.num_languages > 0)
        weight = torch.cat([layer.weight.detach() for layer in layers], dim=side)
        biases = [layer.bias.detach() for layer in layers if layer.bias is not None]
        bias = torch.cat(biases, dim=side).flatten().to(precision.product) if biases else None
        self.product = prepacked_product(weight.flatten(0, -2).to(precision.product), bias)

    def __call__(self, x: Tensor, languages: Optional[Tensor] = None) -> Tensor:
        """(.., D) -> (.., D'); with ``languages`` (B,) int64, x is (.., B, D)."""
        product = self.product(x.to(self.precision.product)).to(self.precision.state)
        return pick(product, languages, self.num_languages) if self.num_languages else product


class _Norm:
    def __init__(self, precision: _Precision, norm: nn.LayerNorm):
        self.shape, self.eps = norm.normalized_shape, norm.eps
        self.weight, self.bias = norm.weight.detach().to(precision.state), norm.bias.detach().to(precision.state)

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.shape, self.weight, self.bias, self.eps)


def _attend(query: Tensor, keys: Tensor, values: Tensor, visible: Optional[Tensor] = None) -> Tensor:
    """One query a row: (B, H, 1, D/H), keys and values (B, H, T, D/H), visible (B, 1, 1, T) -> (B, D)."""
    if query.is_cuda:
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=visible).flatten(1)
    # On a CPU the fused kernel is made for many queries; two products take half its time.
    weights = torch.matmul(query * query.shape[-1] ** -0.5, keys.transpose(-1, -2))
    if visible is not None:
        weights = weights.masked_fill(~visible, -torch.inf)
    return torch.matmul(weights.softmax(dim=-1), values).flatten(1)


class _Layer:
    """One decoder layer, pre-norm or post-norm; the order of operations is fairseq's ``TransformerDecoderLayer``."""

    def __init__(self, layer, precision: _Precision):
        attention, cross = layer.self_attn, layer.encoder_attn
        self.heads = attention.num_heads
        self.pre_norm: bool = layer.normalize_before
        self.activation: Callable[[Tensor], Tensor] = layer.activation_fn
        self.qkv = _Projection(precision, attention.q_proj, attention.k_proj, attention.v_proj)
        self.out = _Projection(precision, attention.out_proj)
        self.query = _Projection(precision, cross.q_proj)
        self.source_kv = _Projection(precision, cross.k_proj, cross.v_proj)
        self.cross_out = _Projection(precision, cross.out_proj)
        self.fc1, self.fc2 = _Projection(precision, layer.fc1), _Projection(precision, layer.fc2)
        self.self_norm = _Norm(precision, layer.self_attn_layer_norm)
        self.cross_norm = _Norm(precision, layer.encoder_attn_layer_norm)
        self.final_norm = _Norm(precision, layer.final_layer_norm)

    def split(self, x: Tensor) -> Tensor:
        """(B, S, D) -> (B, H, S, D/H)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def source(self, states: Tensor, languages: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder states (B, S, D), target languages (B,) -> keys and values of cross-attention."""
        pairs = self.source_kv(states.transpose(0, 1), languages).transpose(0, 1)
        keys, values = pairs.chunk(2, dim=-1)
        return self.split(keys).contiguous(), self.split(values).contiguous()

    def __call__(self, x: Tensor, slot: int, state: DecoderState, number: int) -> Tensor:
        x = self._residual(x, self.self_norm, lambda y: self._attend_to_self(y, slot, state, number))
        x = self._residual(x, self.cross_norm, lambda y: self._attend_to_source(y, state, number))
        return self._residual(x, self.final_norm, lambda y: self.fc2(self.activation(self.fc1(y))))

    def _residual(self, x: Tensor, norm: _Norm, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return x + sublayer(norm(x)) if self.pre_norm else norm(x + sublayer(x))

    def _attend_to_self(self, x: Tensor, slot: int, state: DecoderState, number: int) -> Tensor:
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, 1, -1)).unbind(1)  # (B, H, 1, D/H) each
        keys, values = state.keys[number], state.values[number]
        keys[:, :, slot : slot + 1], values[:, :, slot : slot + 1] = key, value
        return self.out(_attend(query, keys[:, :, : slot + 1], values[:, :, : slot + 1]))

    def _attend_to_source(self, x: Tensor, state: DecoderState, number: int) -> Tensor:
        query = self.query(x, state.languages).unflatten(-1, (self.heads, 1, -1))
        mixed = _attend(query, state.source_keys[number], state.source_values[number], state.visible)
        return self.cross_out(mixed, state.languages)


class IncrementalDecoder:
    """The same function as :class:`MassDecoder` in evaluation, one slot of a batch at a time.

    Holds a copy of the weights in ``dtype`` with the projections of a layer fused, so it must be made
    anew when the model has been trained further; that costs about as much as some of its steps.

    Args:
        decoder: the model's decoder.
        dtype: float32, bfloat16 or float16; default the decoder's own.
    """

    def __init__(self, decoder: MassDecoder, dtype: Optional[torch.dtype] = None):
        weight = decoder.embed_tokens.weight
        precision = _Precision.of(dtype or weight.dtype, weight.device)
        self.state_dtype = precision.state
        self.embed_tokens = (decoder.embed_scale * weight.detach()).to(precision.state)
        self.embed_positions = decoder.embed_positions.weight.detach().to(precision.state)
        self.first_position = decoder.embed_positions.padding_idx + 1
        self.embed_languages = decoder.embed_languages.weight.detach().to(precision.state)
        self.embedding_norm = _Norm(precision, decoder.layernorm_embedding)
        self.layers = [_Layer(layer, precision) for layer in decoder.layers]
        self.norm = None if decoder.layer_norm is None else _Norm(precision, decoder.layer_norm)
        self.output = _Projection(precision, decoder.output_projection)

    def start(self, encoder_out: dict[str, list], steps: int) -> DecoderState:
        """Prepare for ``steps`` steps after :class:`MassEncoder`'s output, rows in its order."""
        source = encoder_out["encoder_out"][0].transpose(0, 1).to(self.state_dtype)  # (B, S, D)
        languages = encoder_out["target_language"][0]
        pairs = [layer.source(source, languages) for layer in self.layers]
        room = (len(source), self.layers[0].heads, steps, source.shape[-1] // self.layers[0].heads)
        return DecoderState(
            [source.new_empty(room) for _ in self.layers],
            [source.new_empty(room) for _ in self.layers],
            [keys for keys, _ in pairs],
            [values for _, values in pairs],
            ~encoder_out["encoder_padding_mask"][0][:, None, None, :],
            F.embedding(languages, self.embed_languages),
            languages,
        )

    def step(self, tokens: Tensor, slot: int, state: DecoderState) -> Tensor:
        """Read the tokens (B,) int64 of ``slot`` -> logits (B, V) of the tokens after them."""
        x = F.embedding(tokens, self.embed_tokens) + self.embed_positions[self.first_position + slot]
        x = self.embedding_norm(x + state.language)
        for number, layer in enumerate(self.layers):
            x = layer(x, slot, state, number)
        if self.norm is not None:
            x = self.norm(x)
        return self.output(x)
