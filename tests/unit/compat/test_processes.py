"""torchrun's processes on stand-ins for fairseq's settings; how a run ends."""

import os
import signal
import sys
import types

import pytest
import torch

import mass_plugins  # noqa: F401  applies them
from mass_plugins.compat import processes
from mass_plugins.errors import InputError
from tests.conftest import ROOT, run


class TestTorchrun:
    VARIABLES = {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}

    @staticmethod
    def infer(monkeypatch, variables, gpus=0, **changes):
        """fairseq's settings after the call, and whether its own function was asked."""
        asked, chosen = [], []
        utils = types.SimpleNamespace(infer_init_method=lambda cfg, force: asked.append(force))
        processes.join_processes_of_torchrun(utils)
        for name in TestTorchrun.VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
        settings = dict(distributed_init_method=None, distributed_world_size=max(1, gpus), distributed_rank=0)
        settings |= dict(distributed_no_spawn=False, device_id=0, distributed_backend="nccl", ddp_backend="pytorch_ddp")
        cfg = types.SimpleNamespace(**{**settings, **changes})
        utils.infer_init_method(cfg)
        return cfg, asked, chosen

    def test_cpus(self, monkeypatch):
        cfg, asked, chosen = self.infer(monkeypatch, self.VARIABLES)
        assert not asked and not chosen
        assert (cfg.distributed_init_method, cfg.distributed_world_size, cfg.distributed_rank) == ("env://", 4, 3)
        assert cfg.distributed_no_spawn and cfg.device_id == 1
        assert (cfg.distributed_backend, cfg.ddp_backend) == ("gloo", "legacy_ddp")

    @pytest.mark.parametrize("chosen", [{"ddp_backend": "no_c10d"}, {"distributed_backend": "mpi"}], ids=str)
    def test_what_works_on_cpus_stays_as_it_was_chosen(self, monkeypatch, chosen):
        cfg, _, _ = self.infer(monkeypatch, self.VARIABLES, **chosen)
        expected = {"distributed_backend": "gloo", "ddp_backend": "legacy_ddp", **chosen}
        assert {name: getattr(cfg, name) for name in expected} == expected

    @pytest.mark.parametrize("flag, value, other", [
        ("--ddp-backend", "pytorch_ddp", "legacy_ddp"), ("--distributed-backend", "nccl", "gloo")
    ])  # fmt: skip
    @pytest.mark.parametrize("sign", [" ", "="])
    def test_what_cannot_work_on_cpus_is_refused(self, monkeypatch, flag, value, other, sign):
        """The default's value, too, if it was asked for."""
        monkeypatch.setattr(sys, "argv", ["fairseq-train", "data", *f"{flag}{sign}{value}".split()])
        line = f"^{flag} {value} needs GPUs and torch sees none; leave it out, or give {other}$"
        with pytest.raises(InputError, match=line):
            self.infer(monkeypatch, self.VARIABLES)
        cfg, _, _ = self.infer(monkeypatch, self.VARIABLES, gpus=1)
        assert getattr(cfg, flag[2:].replace("-", "_")) == value

    def test_a_gpu_a_machine(self, monkeypatch):
        cfg, asked, chosen = self.infer(monkeypatch, {**self.VARIABLES, "LOCAL_RANK": "0"}, gpus=1)
        assert not asked and chosen == [0]
        assert (cfg.distributed_world_size, cfg.distributed_rank) == (4, 3)
        assert (cfg.distributed_backend, cfg.ddp_backend) == ("nccl", "pytorch_ddp")

    def test_one_process_trains_alone(self, monkeypatch):
        one = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
        cfg, asked, _ = self.infer(monkeypatch, one)
        assert not asked and cfg.distributed_init_method is None and cfg.distributed_world_size == 1

    def test_without_torchrun_or_with_an_address_it_is_fairseqs_own_business(self, monkeypatch):
        assert self.infer(monkeypatch, {})[1] == [False]
        assert self.infer(monkeypatch, {"WORLD_SIZE": "4", "RANK": "3"})[1] == [False]
        cfg, asked, _ = self.infer(monkeypatch, self.VARIABLES, distributed_init_method="tcp://here:1")
        assert asked == [False] and cfg.distributed_init_method == "tcp://here:1"


class TestHowARunEnds:
    @pytest.fixture
    def ended(self, monkeypatch):
        """The hook, around one that notes what it is given, and how the process would have ended."""
        notes = types.SimpleNamespace(before=[], ended=[])
        monkeypatch.setattr(sys, "excepthook", lambda *given: notes.before.append(given))
        monkeypatch.setattr(processes, "_end_at_once", lambda number=None: notes.ended.append(number))
        processes.print_input_errors_in_one_line()
        return notes

    @staticmethod
    def hook(error, filename="script.py"):
        """Let ``error`` go uncaught through a file of that name."""
        try:
            exec(compile("raise error", filename, "exec"), {"error": error})
        except BaseException as raised:
            sys.excepthook(type(raised), raised, raised.__traceback__)

    def test_an_input_error_is_one_line(self, ended, capsys):
        self.hook(InputError("--langs 'x' is unknown; drop it"))
        assert capsys.readouterr().err == "mass_plugins: error: --langs 'x' is unknown; drop it\n"
        assert not ended.before and not ended.ended  # a script of the user's ends by itself

    def test_a_command_of_fairseqs_ends_at_once(self, ended, capsys):
        self.hook(InputError("a line"), "/somewhere/fairseq_cli/train.py")
        assert capsys.readouterr().err == "mass_plugins: error: a line\n" and ended.ended == [None]

    def test_one_that_a_worker_passed_on(self, ended, capsys):
        """As the DataLoader raises it, and as torch's spawn does, with the traceback in its text."""
        text = "Caught InputError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  x"
        self.hook(InputError(f"{text}\nmass_plugins.errors.InputError: the line"))
        self.hook(RuntimeError(f"-- Process 1 terminated with:\n{text}\nmass_plugins.errors.InputError: another\n"))
        assert capsys.readouterr().err == "mass_plugins: error: the line\nmass_plugins: error: another\n"
        assert not ended.before

    @pytest.mark.parametrize("command, again", [("train", True), ("hydra_train", True), ("generate", False)])
    def test_ctrl_c(self, ended, capsys, command, again):
        self.hook(KeyboardInterrupt(), f"/somewhere/fairseq_cli/{command}.py")
        printed = capsys.readouterr().err
        assert printed.startswith("mass_plugins: interrupted") and printed.count("\n") == 1
        assert ("run the same command again" in printed) == again
        assert ended.ended == [signal.SIGINT]

    def test_everything_else_has_its_traceback(self, ended, capsys):
        for error in (ValueError("x"), KeyboardInterrupt()):
            self.hook(error)
            assert ended.before.pop()[1] is error
        self.hook(ValueError("y"), "/somewhere/fairseq_cli/train.py")
        assert len(ended.before) == 1 and capsys.readouterr().err == "" and not ended.ended

    @pytest.mark.parametrize("number, expected", [(None, (True, 1)), (signal.SIGINT, (False, signal.SIGINT))])
    def test_the_end_itself(self, number, expected):
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            try:
                processes._end_at_once(number)
            finally:
                os._exit(99)
        _, status = os.waitpid(child, 0)
        exited = os.WIFEXITED(status)
        assert (exited, os.WEXITSTATUS(status) if exited else os.WTERMSIG(status)) == expected


OLDER_READER = """
import gc
import torch
import mass_plugins

class Collecting(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        gc.collect()
        return index

def epoch():
    return iter(torch.utils.data.DataLoader(Collecting(), num_workers=1))

gc.disable()
circle = [epoch()]
next(circle[0])
circle.append(circle)
del circle
assert len(list(epoch())) == 2
"""


def test_a_data_worker_leaves_an_older_epochs_reader_alone():
    """One that is garbage by now, of workers that aren't its own, while the worker collects garbage."""
    assert "can only test a child process" not in run([sys.executable, "-c", OLDER_READER], cwd=ROOT).stderr
