"""What importing fairseq brings about today: warnings, log lines, a name that NumPy has no more."""

import logging
import sys
import types
import warnings

import numpy as np
import torch

# (message, category, module) of warnings that a user of this package can do nothing about.
# The message is a regular expression matched at its start, the module likewise; both are narrow.
HARMLESS_WARNINGS = (
    # fairseq composes its defaults with Hydra's old names at every start.
    (r"hydra\.experimental\.(initialize|compose)\(\) is no longer experimental", UserWarning, ""),
    (r"\s*The version_base parameter is not specified", UserWarning, ""),
    (r"In '.*': Usage of deprecated keyword in package header", UserWarning, ""),
    (r"\s*'config' is validated against ConfigStore schema", UserWarning, ""),
    (r"\s*The strict flag in the compose API is deprecated", UserWarning, ""),
    # fairseq asks for pinned memory whether there is a GPU or not.
    (r"'pin_memory' argument is set as true but no accelerator is found", UserWarning, "torch"),
    (r"`torch\.cuda\.amp\..* is deprecated", FutureWarning, "fairseq"),
)
# Loggers with lines of no use here: a package for text to speech that is asked for at each start,
# Hydra's debugging.
CHATTY_LOGGERS = {"fairseq.tasks.text_to_speech": logging.WARNING, "hydra": logging.INFO}


def silence_harmless_warnings():
    """Hide the warnings listed in ``HARMLESS_WARNINGS``, and only those.

    Why: each start of fairseq-train prints a screenful about fairseq's own use of Hydra, torch.
    Remove an entry when the versions of fairseq and torch in setup.py no longer give it.
    """
    for message, category, module in HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message=message, category=category, module=module)
    for name, level in CHATTY_LOGGERS.items():
        logging.getLogger(name).setLevel(level)


def import_fairseq_without_its_logging():
    """Import fairseq and leave the root logger as it was.

    Why: fairseq's wav2vec2_classification.py calls ``logging.basicConfig(level=DEBUG)`` when it is
    imported, so after ``import mass_plugins`` every library would print its debugging lines.
    fairseq's own commands set up their logging and import fairseq before us: nothing changes there.
    Remove when ``import fairseq`` leaves ``logging.getLogger().handlers`` empty.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    import fairseq  # noqa: F401

    root.handlers[:] = handlers
    root.setLevel(level)


def hide_torchaudio_that_does_not_load():
    """Let ``import torchaudio`` say that there is none, where it would end with an OSError.

    Why: fairseq-fixed installs torchaudio, whose package is built for CUDA; beside a torch for CPUs its library
    doesn't load. transformers asks whether it is installed and imports it with every model, which then fails.
    Remove when transformers survives a torchaudio that doesn't load, or fairseq doesn't ask for it.
    """
    if torch.version.cuda is None and "torchaudio" not in sys.modules:
        try:
            import torchaudio  # noqa: F401
        except ImportError:
            pass
        except OSError:
            for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
                del sys.modules[name]
            sys.modules["torchaudio"] = None  # type: ignore[assignment] # Python's own way to say: not there


def restore_numpy_compat_long():
    """``np.compat.long``: fairseq reads it at two places, NumPy 2 no longer has it.

    Remove when fairseq's language_pair_dataset.py and token_block_dataset.py don't read it.
    """
    if not hasattr(np, "compat"):
        np.compat = types.SimpleNamespace(long=int)  # noqa: NPY201
