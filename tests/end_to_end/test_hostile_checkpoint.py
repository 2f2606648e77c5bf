"""A checkpoint whose pickle would run a command is refused everywhere, and the command isn't run."""

import os

import pytest
import torch

import mass_plugins
from mass_plugins.errors import InputError
from tests import tiny


class Command:
    """Unpickled by an unsafe loader, it makes the file ``marker``."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.fixture(params=["zip", "pickle"])
def hostile(request, finetuned, tmp_path):
    """A good checkpoint with a command in it, and the file that the command would make."""
    state = torch.load(finetuned / "checkpoint_best.pt", weights_only=True)
    state["extra_state"]["surprise"] = Command(tmp_path / "marker")
    path = tmp_path / "checkpoint_last.pt"
    torch.save(state, path, _use_new_zipfile_serialization=request.param == "zip")
    return path, tmp_path / "marker"


def test_the_command_works(hostile):
    """Else the other tests would prove nothing."""
    path, marker = hostile
    torch.load(path, weights_only=False)
    assert marker.exists()


def test_python_refuses_it(hostile, tiny_data_bin):
    path, marker = hostile
    with pytest.raises(InputError, match="posix.system.*could run a command; nothing of it was run"):
        mass_plugins.load(str(path), data=str(tiny_data_bin))
    assert not marker.exists()


@pytest.mark.parametrize("use", ["resume", "start", "generate"])
@pytest.mark.parametrize("hostile", ["zip"], indirect=True)
def test_commands_refuse_it(use, hostile, run_fairseq, tiny_data_bin):
    path, marker = hostile
    direction = ("--task", "seq2seq_finetuning", "--source-lang", "de", "--target-lang", "en")
    command = {
        "resume": ("train", tiny_data_bin, *tiny.FINETUNE, "--save-dir", path.parent),
        "start": ("train", tiny_data_bin, *tiny.FINETUNE, "--pretrained-checkpoint", path, "--no-save"),
        "generate": ("generate", tiny_data_bin, *direction, "--path", path),
    }[use]
    done = run_fairseq(*command, expect=1)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"mass_plugins: error: {path} is refused: it holds 'posix.system'")
    assert "Traceback" not in done.output
    assert not marker.exists()
