"""The task's settings and its text pipeline."""

import pytest

from mass_plugins.errors import InputError
from mass_plugins.objectives.mirror_bert.task import MirrorBertConfig, MirrorBertTask
from tests import tiny_encoder


def test_a_language_means_nothing_to_a_tokenizer_file():
    text = tiny_encoder.make_text()
    MirrorBertTask(MirrorBertConfig(), text)
    with pytest.raises(InputError, match="leave --language out"):
        MirrorBertTask(MirrorBertConfig(language="en"), text)
