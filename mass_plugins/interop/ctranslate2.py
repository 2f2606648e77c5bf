"""One direction of a model for CTranslate2, by way of Hugging Face's format and CTranslate2's own converter."""

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import Iterator

from mass_plugins.errors import InputError
from mass_plugins.generation.translator import Translator
from mass_plugins.interop.huggingface_bart import export_bart
from mass_plugins.interop.tokenizer_file import TokenizerFile

_OURS = ("text.json", "bpe.codes", "sentencepiece.model")


def export_ctranslate2(
    translator: Translator, source: str, target: str, folder: str, quantization: str = "float32"
) -> TokenizerFile:
    """Write one direction as a model of CTranslate2 with the tokenizer's files beside it.

    Raises:
        InputError: as of :func:`export_bart`, or CTranslate2 isn't installed.
    """
    try:
        from ctranslate2.converters import TransformersConverter
    except ImportError:
        raise InputError("CTranslate2 isn't installed; pip install 'mass_plugins[ctranslate2]'") from None
    out = Path(folder)
    if out.exists():
        raise InputError(f"{out} exists; name a folder that doesn't, or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as between:
            bart, half = Path(between) / "bart", Path(between) / "model"
            made = export_bart(translator, source, target, str(bart))
            with _silence():
                TransformersConverter(str(bart)).convert(str(half), quantization=quantization)
            for path in bart.iterdir():
                if path.name.startswith("tokenizer") or path.name in _OURS:
                    shutil.copy(path, half / path.name)
            os.replace(half, out)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}; make room or choose another") from None
    return made


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Without the converter's own progress, and that of transformers."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        if shown:
            logging.enable_progress_bar()
