"""What a task of a text encoder is told that it can't train."""

import pytest
from fairseq import tasks

from mass_plugins.errors import InputError
from tests import retrieval_flow as flow
from tests import tiny_encoder
from tests.unit.test_flags import parsed

RETRIEVER = ["--task", "retrieval_finetuning", "--criterion", "retrieval"]  # without flags of its architectures


@pytest.mark.parametrize("start, arch, said", [
    (flow.TEACHER, "text_encoder_tiny", "lacks the modules that this task trains; set --arch cross_encoder, "),
    (flow.TEACHER, "retriever_tiny", "lacks the modules that this task trains; set --arch cross_encoder, "),
    (RETRIEVER, "text_encoder_tiny", "lacks the modules that this task trains; set --arch retriever, retriever_"),
    (flow.PRETRAIN, "retriever_tiny", "lacks the modules that this task trains; set --arch dupmae, dupmae_tiny, "),
    (tiny_encoder.MLM, "cross_encoder_tiny", "gives no states of tokens, .* set --arch text_encoder, text_en"),
    (tiny_encoder.MLM, "retriever_tiny", "gives no states of tokens, .* set --arch text_encoder, text_en"),
])  # fmt: skip
def test_an_architecture_that_the_task_cannot_train(tiny_data_bin, start, arch, said):
    cfg = parsed(tiny_data_bin, *start, "--arch", arch, "--no-save")
    with pytest.raises(InputError, match=f"^--arch {arch} {said}"):
        tasks.setup_task(cfg.task).build_model(cfg.model)


@pytest.mark.parametrize("start", [flow.TEACHER, flow.RETRIEVER, flow.PRETRAIN, tiny_encoder.MLM], ids=lambda s: s[1])
def test_its_own_architecture(tiny_data_bin, start):
    cfg = parsed(tiny_data_bin, *start, "--no-save")
    task = tasks.setup_task(cfg.task)
    assert isinstance(task.build_model(cfg.model), task.MODEL)
