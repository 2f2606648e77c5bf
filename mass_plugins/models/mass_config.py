"""What a MASS Transformer can be told: options and presets, and how fairseq's own configuration follows from them.

The defaults are those of Song et al. 2019, section 4.1.
"""

from argparse import Namespace
from dataclasses import asdict, dataclass, field, is_dataclass

from fairseq import utils
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.models.transformer import TransformerConfig
from omegaconf import OmegaConf

from mass_plugins.errors import InputError

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


def fairseq_config(cfg) -> TransformerConfig:
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
        raise InputError("--checkpoint-activations doesn't support --language-projections; leave one of them out")
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
