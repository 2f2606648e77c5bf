"""What every task of ours refuses before it trains."""

import pytest
from fairseq import tasks

from mass_plugins.errors import InputError
from tests import retrieval_flow as flow
from tests import tiny, tiny_encoder
from tests.unit.test_flags import parsed

TORCHRUN = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}


@pytest.mark.parametrize("flags", [tiny.PRETRAIN, tiny_encoder.MLM, flow.RETRIEVER], ids=lambda flags: flags[1])
def test_processes_of_torchrun_that_would_train_alone(flags, tiny_data_bin, monkeypatch):
    """fairseq-hydra-train asks fairseq for its processes before it imports plugins."""
    cfg = parsed(tiny_data_bin, *flags)
    task = tasks.setup_task(cfg.task)
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="start fairseq-train with torchrun, fairseq-hydra-train without it"):
        task.build_criterion(cfg.criterion)
    monkeypatch.setenv("WORLD_SIZE", "1")
    task.build_criterion(cfg.criterion)
