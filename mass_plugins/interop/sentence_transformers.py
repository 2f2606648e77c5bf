"""Folders of sentence-transformers: a Hugging Face encoder, pooling, normalization.

``SentenceTransformer(folder).encode`` makes the vectors of ``mass_plugins.load_encoder(..).encode``.
"""

import json
from pathlib import Path
from typing import Any, Optional

from mass_plugins.encoding.loading import LoadedEncoder, VectorSettings
from mass_plugins.errors import InputError
from mass_plugins.interop.huggingface_encoder import ForeignEncoder, read_json, write_folder
from mass_plugins.interop.settings import shown, whole_number

MODULES_FILE, SETTINGS_FILE = "modules.json", "sentence_bert_config.json"
MODEL_FILE = "config_sentence_transformers.json"
_POOLINGS = {"cls": "cls", "mean": "mean"}  # theirs -> ours
_OLD_POOLINGS = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}


def read_vectors(folder: Path, foreign: ForeignEncoder) -> None:
    """Fill ``foreign.vectors`` from the modules of a folder, if it is one of sentence-transformers.

    What we can't do (another pooling, a dense layer, a prompt before every text) becomes a note, and the vectors stay
    unset.

    Raises:
        InputError: damaged settings.
    """
    path = folder / MODULES_FILE
    if not path.is_file():
        return
    try:
        modules = [(str(module["type"]).rpartition(".")[2], str(module["path"])) for module in _read_list(path)]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error!r}); fetch it again") from None
    settings = read_json(folder / SETTINGS_FILE) if (folder / SETTINGS_FILE).is_file() else {}
    kinds = [kind for kind, _ in modules]
    pooling = _read_pooling(folder, dict(modules)) if "Pooling" in kinds else None
    if set(kinds) - {"Transformer", "Pooling", "Normalize"} or pooling is None or settings.get("do_lower_case"):
        foreign.notes.append(
            f"its vectors are made by {', '.join(kinds)} in a way that we don't know: choose a pooling yourself"
        )
        return
    positions, normalize = foreign.options["max_positions"], "Normalize" in kinds
    longest = _length(folder / SETTINGS_FILE, "max_seq_length")
    longest = longest or _length(folder / "tokenizer_config.json", "model_max_length") or positions
    prompt = _default_prompt(folder)
    if prompt:
        foreign.notes.append(
            f"its vectors are of texts with the prompt {shown(prompt)} before them, which our encoder doesn't put "
            f"there: write it before each text, and choose --pooling {pooling}{' --normalize' if normalize else ''}"
        )
        return
    foreign.vectors = {"pooling": pooling, "normalize": normalize, "max_tokens": min(longest, positions)}


def _length(path: Path, name: str) -> Optional[int]:
    """The longest text that a file of settings tells: sentence-transformers' own, or, as version 6 writes it, the
    tokenizer's, where transformers writes a huge number if there is no limit."""
    value = read_json(path).get(name) if path.is_file() else None
    return None if value is None else whole_number(str(path), name, value, least=2)


def _default_prompt(folder: Path) -> str:
    """What comes before every text unless told otherwise; mostly nothing."""
    path = folder / MODEL_FILE
    settings = read_json(path) if path.is_file() else {}
    name, prompts = settings.get("default_prompt_name"), settings.get("prompts")
    if not name:
        return ""
    known = {"query": "", "document": "", **(prompts if isinstance(prompts, dict) else {})}  # there by default
    if not isinstance(name, str) or not isinstance(known.get(name), (str, type(None))) or name not in known:
        raise InputError(f"{path}: the default prompt {shown(name)} is none of its prompts; fetch it again")
    return known[name] or ""


def _read_list(path: Path) -> list:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); fetch it again") from None
    return content if isinstance(content, list) else [None]


def _read_pooling(folder: Path, paths: dict[str, str]) -> Optional[str]:
    """Ours, or None if it is one that we don't have."""
    config = read_json(folder / Path(paths["Pooling"]).name / "config.json")
    if "pooling_mode" in config:
        mode = config["pooling_mode"]
        mode = mode[0] if isinstance(mode, list) and len(mode) == 1 else mode
        return _POOLINGS.get(mode) if isinstance(mode, str) else None  # of several it puts the vectors together
    chosen = [mode for mode, on in config.items() if mode.startswith("pooling_mode_") and on]
    return _OLD_POOLINGS.get(chosen[0]) if len(chosen) == 1 else None


def write_sentence_transformer(
    encoder: LoadedEncoder, vectors: VectorSettings, folder: Path, head: bool = False
) -> None:
    """Write a whole model into an existing folder.

    Args:
        head: with the MLM head, which no vector needs, but a decoder that starts from the folder (TSDAE's).

    Raises:
        InputError: a pooling that sentence-transformers lacks, or a text pipeline that Hugging Face can't hold.
    """
    if vectors.pooling not in _POOLINGS.values():
        raise InputError(
            f"--pooling {vectors.pooling} is none of sentence-transformers'; export with {' or '.join(_POOLINGS)}"
        )
    write_folder(encoder, folder, head)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")] + [("2_Normalize", "Normalize")] * vectors.normalize
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(modules)
    ]
    for path, _ in modules[1:]:
        (folder / path).mkdir()
    pooling: dict[str, Any] = {"word_embedding_dimension": encoder.options["encoder_embed_dim"]}
    pooling |= {mode: ours == vectors.pooling for mode, ours in _OLD_POOLINGS.items()}
    pooling |= {"pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False}
    longest = vectors.max_tokens or encoder.model.max_positions()
    _write(folder / MODULES_FILE, listed)
    _write(folder / "1_Pooling" / "config.json", pooling)
    _write(folder / SETTINGS_FILE, {"max_seq_length": longest, "do_lower_case": False})
    _write(folder / MODEL_FILE, {"similarity_fn_name": "cosine"})


def _write(path: Path, content) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
