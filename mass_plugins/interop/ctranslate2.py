"""One direction of a model for CTranslate2, by way of Hugging Face's format and CTranslate2's own converter."""

import contextlib
import io
import shutil
from pathlib import Path
from typing import Iterator

from mass_plugins.errors import InputError
from mass_plugins.generation.translator import Translator
from mass_plugins.interop.folders import whole_folder
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
    with whole_folder(out) as half:
        bart = half.with_name("bart")  # beside it, where both are temporary
        made = export_bart(translator, source, target, str(bart))
        with _silence():
            TransformersConverter(str(bart)).convert(str(half), quantization=quantization, force=True)
        for path in bart.iterdir():
            if path.name.startswith("tokenizer") or path.name in _OURS:
                shutil.copy(path, half / path.name)
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
