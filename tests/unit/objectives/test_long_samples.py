"""Samples that are too long are told by what they are: lines of a file, or blocks that a task has cut."""

import numpy as np
import pytest
from fairseq import tasks

from mass_plugins.errors import InputError
from tests import retrieval_flow as flow
from tests import tiny, tiny_encoder
from tests.unit.test_flags import parsed


@pytest.mark.parametrize("flags, sample", [
    (tiny_encoder.MLM, "line"),
    ([*tiny_encoder.MLM, "--sample-break-mode", "complete", "--tokens-per-sample", 40], "block"),
    ([*tiny_encoder.MLM, "--sample-break-mode", "none", "--tokens-per-sample", 40], "block"),
    ([*flow.PRETRAIN, "--tokens-per-sample", 40], "block"),
    (tiny.PRETRAIN, "line"),
    ([*tiny.PRETRAIN, "--masking", "block", "--tokens-per-block", 40], "block"),
])  # fmt: skip
def test_lines_and_blocks(tiny_data_bin, flags, sample):
    task = tasks.setup_task(parsed(tiny_data_bin, *flags, "--no-save").task)
    task.load_dataset("train")
    dataset = task.datasets["train"]
    place = int(np.argmax(dataset.source_sizes))
    with pytest.raises(InputError, match=f", train .., {sample} {dataset.item_of[place] + 1} has [0-9]+ tokens"):
        dataset.filter_indices_by_size(np.array([place]), 5)
