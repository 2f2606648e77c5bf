"""That each workaround is in place, once, and says until when."""

import inspect
import re
import sys
import warnings
from pathlib import Path

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils
from fairseq.file_io import PathManager

import mass_plugins  # noqa: F401  applies them
from mass_plugins import compat

WRAPPED = [
    (checkpoint_utils, "load_checkpoint_to_cpu"),
    (checkpoint_utils, "torch_persistent_save"),
    (PathManager, "copy"),
    (distributed_utils, "infer_init_method"),
    (distributed_utils, "broadcast_object"),
]


def ours(function):
    """Whether a function was written in this folder of the package."""
    return Path(function.__code__.co_filename).parent == Path(compat.__file__).parent


class TestApplying:
    @pytest.mark.parametrize("home, name", WRAPPED, ids=[name for _, name in WRAPPED])
    def test_each_wrapper_is_in_place_once_and_keeps_the_original(self, home, name):
        wrapper = getattr(home, name)
        assert wrapper.__module__.startswith("fairseq") and ours(wrapper)
        original = wrapper.__wrapped__
        assert not hasattr(original, "__wrapped__") and not ours(original)

    def test_a_second_time_changes_nothing(self):
        def state():
            functions = [getattr(home, name) for home, name in WRAPPED]
            return functions, list(warnings.filters), sys.excepthook, torch.serialization.get_safe_globals()

        before = state()
        compat.apply()
        assert state() == before

    def test_every_workaround_says_why_and_until_when(self):
        called = re.findall(r"^    (\w+)\(", inspect.getsource(compat.apply), re.MULTILINE)
        assert len(called) > 10  # the pattern finds them
        for name in called:
            assert re.search(r"^    Remove ", getattr(compat, name).__doc__, re.MULTILINE), name
