"""DupMAE's model: a text encoder, the decoder's one layer, and the projection to a bag of words.

Its encoder's weights have the names of a ``text_encoder``'s, so that every program that takes one takes this, too; the
decoder and the projection are saved beside them, so that pre-training goes on where it stopped.
"""

from dataclasses import dataclass, field
from typing import Optional

import torch
from fairseq import utils
from fairseq.dataclass import ChoiceEnum
from fairseq.models import register_model
from torch import Tensor, nn

from mass_plugins.models.text_encoder import TextEncoder, TextEncoderConfig, register_shapes
from mass_plugins.modules.enhanced_decoder import EnhancedDecoder, visible_rows
from mass_plugins.modules.vocabulary_maximum import max_over_positions

BOW_PROJECTIONS = ("tied", "own", "mlm_head")
DECODER_QUERIES = ("embedded", "plain")


@dataclass
class BagOfWordsOptions:
    """What a model needs to turn a text into values of the vocabulary's entries."""

    bow_projection: ChoiceEnum(BOW_PROJECTIONS) = field(
        default="tied",
        metadata={
            "help": "W_o of the bag of words: tied to the token embeddings; own, starting as they are; mlm_head, the "
            "whole head, as in DupMAE's release"
        },
    )


@dataclass
class DupMaeOptions(BagOfWordsOptions):
    decoder_queries: ChoiceEnum(DECODER_QUERIES) = field(
        default="embedded",
        metadata={
            "help": "embedded: h_cls and position through the embeddings' layer-norm and dropout, with the type "
            "(DupMAE); plain: their sum (RetroMAE)"
        },
    )


@dataclass
class DupMaeConfig(DupMaeOptions, TextEncoderConfig):
    """The shape of BERT-base unless told otherwise."""


class BagOfWordsEncoder(TextEncoder, extra_weights=("bow_projection.",)):
    """A text encoder with ``mu``, the values of the vocabulary's entries (DupMAE, section 3.2)."""

    def __init__(self, cfg, num_tokens: int, padding_idx: int):
        super().__init__(cfg, num_tokens, padding_idx)
        self.bow_projection_kind = str(cfg.bow_projection)
        self.bow_projection: Optional[nn.Linear] = None
        if self.bow_projection_kind == "own":
            self.bow_projection = nn.Linear(self.output_weight.shape[1], num_tokens, bias=False)
            self.start_new_weights(set(self.state_dict()))

    def start_new_weights(self, missing: set[str]) -> None:
        """After the encoder's weights came from a checkpoint without these."""
        if self.bow_projection is not None and "bow_projection.weight" in missing:
            with torch.no_grad():
                self.bow_projection.weight.copy_(self.output_weight)

    def project_vocabulary(self, hidden: Tensor) -> tuple[Tensor, Tensor, Optional[Tensor]]:
        """What ``mu`` is the maximum of: hidden states (..., D), weight (V, D), bias (V,) or None."""
        if self.bow_projection_kind == "mlm_head":
            return self.lm_head.transform(hidden), self.output_weight, self.lm_head.bias
        weight = self.output_weight if self.bow_projection is None else self.bow_projection.weight
        return hidden, weight, None

    def bag_of_words(self, hidden: Tensor, allowed: Tensor) -> Tensor:
        """``mu``: (B, S, D) hidden states and (B, S) bool, the positions that count -> (B, V)."""
        states, weight, bias = self.project_vocabulary(hidden)
        return max_over_positions(states, weight, bias, allowed)


@register_model("dupmae", dataclass=DupMaeConfig)
class DupMae(BagOfWordsEncoder, extra_weights=("enhanced_decoder.",)):
    """A text encoder with the enhanced decoder of RetroMAE."""

    FIXED = ("decoder_queries", "bow_projection")

    def __init__(self, cfg, num_tokens: int, padding_idx: int):
        super().__init__(cfg, num_tokens, padding_idx)
        self.plain_queries = str(cfg.decoder_queries) == "plain"
        self.enhanced_decoder = EnhancedDecoder(
            cfg.encoder_embed_dim, cfg.encoder_ffn_embed_dim, cfg.encoder_attention_heads, cfg.dropout,
            cfg.attention_dropout, cfg.layer_norm_epsilon, utils.get_activation_fn(str(cfg.activation_fn)),
        )  # fmt: skip
        self.start(self.enhanced_decoder)

    def decode(self, sentence: Tensor, text: Tensor, seen: Tensor, of_row: Tensor) -> Tensor:
        """The decoder's states of rows 1 .. S-2: those of ``[CLS]`` and of the longest text's ``[SEP]`` have no label.

        Keys and values are ``[h_cls ; e(x_1) .. e(x_{S-1})]`` of the unmasked text, queries ``h_cls + p_i``.

        Args:
            sentence: (B, D), ``h_cls``.
            text: (B, S) int64, unmasked.
            seen, of_row: patterns, see :func:`visible_rows`.

        Returns:
            (B, S - 2, D).
        """
        memory = torch.cat([sentence[:, None], self.embed(text)[:, 1:]], dim=1)
        rows = visible_rows(seen, of_row)[:, 1:-1]
        return self.enhanced_decoder(self._queries(sentence, text)[:, 1:-1], memory, rows)

    def _queries(self, sentence: Tensor, text: Tensor) -> Tensor:
        queries = sentence[:, None] + self.position_vectors(text)
        return queries if self.plain_queries else self.as_input(queries)


register_shapes("dupmae", DupMae, ("tiny", "minilm", "bert_base", "roberta_base"), DupMaeOptions)
