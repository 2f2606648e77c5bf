"""One direction of a model as a BART, or an mBART if it is pre-norm, of Hugging Face's transformers.

A direction's language vectors are the same at every position, so they are added to the positions. A projection of the
target language's own takes the place of all. BART's norms have an epsilon of 1e-5 for good: of a model with a smaller
one, embeddings and positions are multiplied by sqrt(width), so that it counts for less before the first norm.
"""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mass_plugins.data.symbols import SPECIAL
from mass_plugins.errors import InputError
from mass_plugins.generation.translator import Translator
from mass_plugins.interop.folders import whole_folder
from mass_plugins.interop.tokenizer_file import TokenizerFile, make_tokenizer
from mass_plugins.modules.language_projections import LanguageLinear

_BAN = -1e4  # bias of words that are never written; within float16
_EPS = 1e-5


def export_bart(translator: Translator, source: str, target: str, folder: str) -> TokenizerFile:
    """Write weights, configuration and tokenizer files of one direction.

    Args:
        translator: of a trained model with its text settings.
        source, target: language codes.
        folder: must not exist.

    Returns: the tokenizer, which says how it is to be used.

    Raises:
        InputError: an unknown language, a folder that exists, transformers isn't installed.
    """
    try:
        import transformers
    except ImportError:
        raise InputError("transformers isn't installed; pip install 'mass_plugins[transformers]'") from None
    task = translator.task
    languages = task.language_index(source, "--source"), task.language_index(target, "--target")
    start = translator.model.encoder.first_idx
    symbols = list(task.dictionary.symbols)
    made = make_tokenizer(translator.codec, symbols, source, None if start is None else symbols[start])
    weights, options = _weights(translator.model, *languages, extra=len(made.extra))
    kind = "MBart" if options["normalize_before"] else "Bart"
    config = getattr(transformers, f"{kind}Config")(**options, **_ids())
    model = getattr(transformers, f"{kind}ForConditionalGeneration")(config)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or [name for name in missing if "embed_tokens" not in name and name != "lm_head.weight"]:
        raise InputError(f"this version of transformers ({transformers.__version__}) has another {kind}: {missing[:1]}")
    model.tie_weights()
    model.generation_config = transformers.GenerationConfig(
        num_beams=5, early_stopping=True, length_penalty=1.0, max_length=config.max_position_embeddings,
        min_new_tokens=1, suppress_tokens=[_ids()["pad_token_id"]], **_ids(),
    )  # fmt: skip
    _write(Path(folder), model, made, translator)
    return made


def _ids() -> dict[str, Any]:
    """Ids of the special tokens, which are the same in every dictionary of fairseq's."""
    bos, pad, eos, _ = range(len(SPECIAL))
    return {"bos_token_id": bos, "pad_token_id": pad, "eos_token_id": eos, "decoder_start_token_id": eos,
            "forced_eos_token_id": None}  # fmt: skip


def _weights(model, source: int, target: int, extra: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The model's weights under BART's names, with ``extra`` words like ``<unk>``, and BART's options."""
    encoder, decoder = model.encoder, model.decoder
    limit = min(model.encoder.embed_positions.max_positions, model.decoder.embed_positions.max_positions)
    weights: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if not name.endswith((".version", "embed_tokens.weight", "embed_languages.weight", "output_projection.weight",
                              "output_projection.bias")):  # fmt: skip
            weights[f"model.{name}"] = tensor.detach().float().clone()
    for side, language in ((encoder, source), (decoder, target)):
        name = f"model.{'encoder' if side is encoder else 'decoder'}"
        table = side.embed_positions.weight.detach()[: limit + 2].float().clone()
        table[2:] += side.embed_languages.weight.detach()[language]
        weights[f"{name}.embed_positions.weight"] = table
    for name, module in decoder.named_modules():
        if isinstance(module, LanguageLinear):
            for part in ("weight", "bias"):
                weights[f"model.decoder.{name}.{part}"] = getattr(module, part).detach()[target].float().clone()
    scaled = encoder.embed_scale != 1
    width = decoder.embed_dim
    if not scaled and encoder.layernorm_embedding.eps < _EPS:
        scaled = True
        for side in ("encoder", "decoder"):
            weights[f"model.{side}.embed_positions.weight"] *= width**0.5
    tied = encoder.embed_tokens is decoder.embed_tokens
    weights |= _words(encoder, decoder, extra, tied)
    layers = {"encoder": encoder.layers, "decoder": decoder.layers}
    options = {
        "vocab_size": len(weights["model.shared.weight"]),
        "d_model": width,
        "max_position_embeddings": limit,
        "scale_embedding": scaled,
        "tie_word_embeddings": tied,
        "activation_function": {"gelu": "gelu", "relu": "relu"}[_activation(layers["encoder"][0])],
        "normalize_before": layers["encoder"][0].normalize_before,  # transformers doesn't read these two,
        "normalize_embedding": True,  # CTranslate2's converter does
        "tokenizer_class": "PreTrainedTokenizerFast",
        "dropout": decoder.dropout_module.p,
    }
    for side, of_side in layers.items():
        options |= {
            f"{side}_layers": len(of_side),
            f"{side}_ffn_dim": of_side[0].fc1.out_features,
            f"{side}_attention_heads": of_side[0].self_attn.num_heads,
        }
    return weights, options


def _words(encoder, decoder, extra: int, tied: bool) -> dict[str, Tensor]:
    """Embeddings and the bias of the output, with ``extra`` rows like that of ``<unk>`` that are never written."""

    def longer(table: Tensor) -> Tensor:
        table = table.detach().float()
        unknown = table[SPECIAL.index("<unk>")]
        return torch.cat([table, unknown.expand(extra, -1)]).contiguous()

    shared = longer(decoder.embed_tokens.weight)
    bias = decoder.output_projection.bias
    bias = torch.zeros(len(shared) - extra) if bias is None else bias.detach().float().cpu()
    words = {
        "model.shared.weight": shared,
        "final_logits_bias": torch.cat([bias, torch.full((extra,), _BAN)]).unsqueeze(0),
    }
    if not tied:
        words["model.encoder.embed_tokens.weight"] = longer(encoder.embed_tokens.weight)
        words["model.decoder.embed_tokens.weight"] = words["lm_head.weight"] = shared
    return words


def _activation(layer) -> str:
    name = layer.activation_fn.__name__
    if name not in ("gelu", "relu"):
        raise InputError(f"the model's activation {name} has no counterpart in BART; only gelu and relu have")
    return name


def _write(target: Path, model, made: TokenizerFile, translator: Translator) -> None:
    """The folder, whole or not at all."""
    import transformers

    bos, pad, eos, unk = SPECIAL
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made.tokenizer, bos_token=bos, pad_token=pad, eos_token=eos, unk_token=unk,
        model_max_length=model.config.max_position_embeddings, clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"], split_special_tokens=True,
    )  # fmt: skip
    with whole_folder(target) as half:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            model.save_pretrained(half)
        tokenizer.save_pretrained(half)
        _name_the_class(half / "tokenizer_config.json")
        if translator.codec.settings.subwords != "tokenizer":  # whose own file has the same name, and other numbers
            translator.codec.save(half)
        for path in half.iterdir():  # safetensors keeps its file to its owner, but these are made to be served
            path.chmod(0o644)


def _name_the_class(path: Path) -> None:
    """The tokenizer's class by its older name, which transformers 4 and CTranslate2's converter know, too."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
