"""What importing fairseq leaves behind, by its effect."""

import importlib.util
import logging
import re
import sys
import types
import warnings

import numpy as np
import pytest
import torch

import mass_plugins  # noqa: F401  applies them
from mass_plugins.compat import imports


class TestWarnings:
    # as they are printed: (text, category, module that gives it)
    PRINTED = [
        ("hydra.experimental.initialize() is no longer experimental. Use hydra.initialize()", UserWarning, "fairseq.x"),
        ("hydra.experimental.compose() is no longer experimental. Use hydra.compose()", UserWarning, "fairseq.x"),
        ("\nThe version_base parameter is not specified.\nPlease specify one", UserWarning, "hydra.main"),
        ("In 'config': Usage of deprecated keyword in package header '# @package _group_'", UserWarning, "hydra.x"),
        ("\n'config' is validated against ConfigStore schema with the same name.", UserWarning, "hydra.x"),
        ("\nThe strict flag in the compose API is deprecated.", UserWarning, "hydra.compose"),
        (
            "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory is not used.",
            UserWarning,
            "torch.utils.data.dataloader",
        ),
        ("`torch.cuda.amp.GradScaler(args...)` is deprecated.", FutureWarning, "fairseq.optim.amp_optimizer"),
    ]

    @staticmethod
    def shown(text, category, module):
        with warnings.catch_warnings(record=True) as recorded:
            warnings.simplefilter("always")
            imports.silence_harmless_warnings()
            warnings.warn_explicit(text, category, "somewhere.py", 1, module=module)
        return bool(recorded)

    @pytest.mark.parametrize("text, category, module", PRINTED, ids=[str(n) for n in range(len(PRINTED))])
    def test_harmless_ones_are_hidden_and_their_neighbours_shown(self, text, category, module):
        assert not self.shown(text, category, module)
        assert self.shown(text, RuntimeWarning, module)
        assert self.shown("Mind: " + text, category, module)

    def test_each_entry_hides_one_of_them(self):
        for message, category, module in imports.HARMLESS_WARNINGS:
            assert any(
                re.match(message, text, re.IGNORECASE) and kind is category and re.match(module, where)
                for text, kind, where in self.PRINTED
            ), message

    def test_those_of_torch_and_fairseq_are_hidden_for_these_alone(self):
        for text, category, _ in self.PRINTED[-2:]:
            assert self.shown(text, category, "somebody.else")

    def test_chatty_loggers_keep_their_warnings(self):
        for name in imports.CHATTY_LOGGERS:
            assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
            assert logging.getLogger(name).isEnabledFor(logging.WARNING)
        assert not logging.getLogger("fairseq.tasks.text_to_speech").isEnabledFor(logging.INFO)


def test_importing_fairseq_leaves_the_root_logger_as_it_was(monkeypatch, tmp_path):
    (tmp_path / "fairseq.py").write_text(
        "import logging\n"
        "logging.getLogger().addHandler(logging.NullHandler())\n"
        "logging.getLogger().setLevel(logging.DEBUG)\n"
        "imported = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fairseq")
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", logging.ERROR)
    before = list(root.handlers), root.level
    imports.import_fairseq_without_its_logging()
    assert sys.modules["fairseq"].imported
    assert (list(root.handlers), root.level) == before


def test_numpy_has_the_long_that_fairseq_reads(monkeypatch):
    assert np.zeros(2, dtype=np.compat.long).dtype == np.int64  # noqa: NPY201
    theirs = types.SimpleNamespace(long=int)
    monkeypatch.setattr(np, "compat", theirs)
    imports.restore_numpy_compat_long()
    assert np.compat is theirs  # noqa: NPY201  NumPy 1 has its own
    monkeypatch.delattr(np, "compat")
    imports.restore_numpy_compat_long()
    assert np.compat.long is int  # noqa: NPY201


def test_a_torchaudio_that_does_not_load_is_not_there(monkeypatch, tmp_path):
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text("raise OSError('libc10_cuda.so: no such file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "torchaudio", None)  # afterwards it is as it was, imported or not
    del sys.modules["torchaudio"]
    monkeypatch.setattr(torch.version, "cuda", None)
    imports.hide_torchaudio_that_does_not_load()
    assert importlib.util.find_spec("torchaudio") is None
    with pytest.raises(ImportError):
        import torchaudio  # noqa: F401
