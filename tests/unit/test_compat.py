"""Each workaround by its effect, on stand-ins for fairseq's modules; and that each is in place once."""

import argparse
import inspect
import io
import logging
import os
import pickle
import re
import signal
import sys
import types
import warnings
import zipfile

import numpy as np
import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils
from fairseq.file_io import PathManager
from omegaconf import OmegaConf

import mass_plugins  # noqa: F401  applies them
from mass_plugins import compat
from mass_plugins.errors import InputError

WRAPPED = [
    (checkpoint_utils, "load_checkpoint_to_cpu"),
    (checkpoint_utils, "torch_persistent_save"),
    (PathManager, "copy"),
    (distributed_utils, "infer_init_method"),
    (distributed_utils, "broadcast_object"),
]


class TestApplying:
    @pytest.mark.parametrize("home, name", WRAPPED, ids=[name for _, name in WRAPPED])
    def test_each_wrapper_is_in_place_once_and_keeps_the_original(self, home, name):
        wrapper = getattr(home, name)
        assert wrapper.__module__.startswith("fairseq") and wrapper.__code__.co_filename == compat.__file__
        original = wrapper.__wrapped__
        assert not hasattr(original, "__wrapped__") and original.__code__.co_filename != compat.__file__

    def test_a_second_time_changes_nothing(self):
        def state():
            functions = [getattr(home, name) for home, name in WRAPPED]
            return functions, list(warnings.filters), sys.excepthook, torch.serialization.get_safe_globals()

        before = state()
        compat.apply()
        assert state() == before

    def test_every_workaround_says_why_and_until_when(self):
        called = re.findall(r"^    (\w+)\(", inspect.getsource(compat.apply), re.MULTILINE)
        assert len(called) == 12
        for name in called:
            assert re.search(r"^    Remove ", getattr(compat, name).__doc__, re.MULTILINE), name


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
            compat.silence_harmless_warnings()
            warnings.warn_explicit(text, category, "somewhere.py", 1, module=module)
        return bool(recorded)

    @pytest.mark.parametrize("text, category, module", PRINTED, ids=[str(n) for n in range(len(PRINTED))])
    def test_harmless_ones_are_hidden_and_their_neighbours_shown(self, text, category, module):
        assert not self.shown(text, category, module)
        assert self.shown(text, RuntimeWarning, module)
        assert self.shown("Mind: " + text, category, module)

    def test_each_entry_hides_one_of_them(self):
        for message, category, module in compat.HARMLESS_WARNINGS:
            assert any(
                re.match(message, text, re.IGNORECASE) and kind is category and re.match(module, where)
                for text, kind, where in self.PRINTED
            ), message

    def test_those_of_torch_and_fairseq_are_hidden_for_these_alone(self):
        for text, category, _ in self.PRINTED[-2:]:
            assert self.shown(text, category, "somebody.else")

    def test_chatty_loggers_keep_their_warnings(self):
        for name in compat.CHATTY_LOGGERS:
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
    compat.import_fairseq_without_its_logging()
    assert sys.modules["fairseq"].imported
    assert (list(root.handlers), root.level) == before


def test_numpy_has_the_long_that_fairseq_reads(monkeypatch):
    assert np.zeros(2, dtype=np.compat.long).dtype == np.int64  # noqa: NPY201
    theirs = types.SimpleNamespace(long=int)
    monkeypatch.setattr(np, "compat", theirs)
    compat.restore_numpy_compat_long()
    assert np.compat is theirs  # noqa: NPY201  NumPy 1 has its own
    monkeypatch.delattr(np, "compat")
    compat.restore_numpy_compat_long()
    assert np.compat.long is int  # noqa: NPY201


class Stranger:
    """A class that no checkpoint of fairseq's holds."""


def saved(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return buffer


def with_names_of_numpy_1(buffer):
    """The same checkpoint as NumPy 1.26 (``numpy.core``) or NumPy 2 (``numpy._core``) would have written it."""
    own = np.zeros(1).__reduce__()[0].__module__.encode()
    other = b"numpy.core.multiarray" if b"._core" in own else b"numpy._core.multiarray"
    changed = io.BytesIO()
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            assert not name.endswith("data.pkl") or own in content
            new.writestr(name, content.replace(own, other))
    changed.seek(0)
    return changed


class TestWhatACheckpointMayHold:
    STATE = {
        "args": argparse.Namespace(arch="mass_tiny", lr=[0.1]),
        "best": np.float64(1.5),
        "numbers": [np.dtype(code).type(1) for code in "?bhilqBHILQefd"],
        "table": np.arange(6, dtype=np.float32).reshape(2, 3),
        "weight": torch.ones(2),
    }

    @pytest.mark.parametrize("rewrite", [lambda buffer: buffer, with_names_of_numpy_1], ids=["own", "other NumPy"])
    def test_what_fairseq_writes_passes_the_safe_loader(self, rewrite):
        read = torch.load(rewrite(saved(self.STATE)), weights_only=True)
        assert read["args"] == self.STATE["args"] and read["best"] == 1.5
        assert read["numbers"] == self.STATE["numbers"]
        assert [number.dtype for number in read["numbers"]] == [number.dtype for number in self.STATE["numbers"]]
        assert np.array_equal(read["table"], self.STATE["table"]) and read["weight"].equal(self.STATE["weight"])

    def test_nothing_else_does(self):
        with pytest.raises(pickle.UnpicklingError, match="Stranger"):
            torch.load(saved({"args": Stranger()}), weights_only=True)

    def test_the_list_holds_values_alone(self):
        """A name on it can be called by a checkpoint with arguments of its choice."""
        trusted = {entry[1] if isinstance(entry, tuple) else f"{entry.__module__}.{entry.__qualname__}"
                   for entry in torch.serialization.get_safe_globals()}  # fmt: skip
        ours = {name for name in trusted if re.match(r"numpy|argparse|fairseq", name)}
        assert {name for name in ours if not name.startswith("numpy")} == {
            "argparse.Namespace",
            "fairseq.distributed.utils._TensorPlaceholder",
        }
        assert all(re.fullmatch(r"numpy\.(\w+|dtypes\.\w+|_?core\.multiarray\.(_reconstruct|scalar))", name)
                   for name in ours if name.startswith("numpy"))  # fmt: skip


class TestBroadcasting:
    @pytest.fixture
    def sent(self):
        """What fairseq's broadcast was given, as the other ranks would read it."""
        received = []

        def broadcast_object(obj, src_rank, group=None):
            received.append(obj)
            return obj

        self.utils = types.SimpleNamespace(broadcast_object=broadcast_object)
        compat.broadcast_plain_configs(self.utils)
        return received

    def test_a_configuration_travels_as_a_dict(self, sent):
        state = {"cfg": OmegaConf.create({"model": {"_name": "mass_tiny", "dropout": 0.1}}), "model": torch.ones(2)}
        assert self.utils.broadcast_object(state, src_rank=0, group="all") is sent[0]
        read = torch.load(saved(sent[0]), weights_only=True)
        assert read["cfg"] == {"model": {"_name": "mass_tiny", "dropout": 0.1}}
        assert OmegaConf.is_config(state["cfg"])  # the sender's own stays

    @pytest.mark.parametrize("other", [None, [1, 2], {"cfg": None}, {"epoch": 3}], ids=str)
    def test_everything_else_as_it_is(self, sent, other):
        assert self.utils.broadcast_object(other, 0) is other


class TestTorchrun:
    VARIABLES = {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}

    @staticmethod
    def infer(monkeypatch, variables, gpus=0, **changes):
        """fairseq's settings after the call, and whether its own function was asked."""
        asked, chosen = [], []
        utils = types.SimpleNamespace(infer_init_method=lambda cfg, force: asked.append(force))
        compat.join_processes_of_torchrun(utils)
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


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "checkpoint_best.pt"
    torch.save({"model": {"weight": torch.arange(5000.0)}}, path)
    return path


class TestReading:
    @staticmethod
    def load(path, read=torch.load, **kwargs):
        """What fairseq's loader, replaced by ``read``, gives with the workaround around it."""
        fake = types.SimpleNamespace(load_checkpoint_to_cpu=lambda path, **kwargs: read(path, **kwargs))
        compat.explain_bad_checkpoints(fake)
        return fake.load_checkpoint_to_cpu(str(path), **kwargs)

    def test_a_good_one_is_handed_on(self, checkpoint):
        assert self.load(checkpoint)["model"]["weight"].shape == (5000,)
        assert self.load(checkpoint, read=lambda path, **kwargs: kwargs, arg_overrides={"data": "x"}) == {
            "arg_overrides": {"data": "x"}
        }

    @pytest.mark.parametrize(
        "spoil, reason",
        [
            (lambda content: b"", "it is empty"),
            (lambda content: content[:3000], "File is not a zip file"),
            (lambda content: content.replace(torch.arange(5000.0).numpy().tobytes()[4000:4008], b"\xff" * 8),
             "wrong checksum of its part '.*data/0'"),
        ],
        ids=["empty", "cut off", "changed"],
    )  # fmt: skip
    def test_a_damaged_one_is_named_before_torch_reads_it(self, checkpoint, spoil, reason):
        content = checkpoint.read_bytes()
        checkpoint.write_bytes(spoil(content))
        assert checkpoint.read_bytes() != content
        with pytest.raises(InputError, match=rf"checkpoint_best\.pt is cut off or damaged \({reason}\); copy or make"):
            self.load(checkpoint, read=lambda path: pytest.fail("it was read"))

    @pytest.mark.parametrize(
        "error, line",
        [
            (RuntimeError("unexpected end\nand a story"), r"is cut off or damaged \(unexpected end\); copy or make"),
            (EOFError("Ran out of input"), r"is cut off or damaged \(Ran out of input\)"),
            (pickle.UnpicklingError("invalid load key, 'x'."), r"is cut off or damaged \(its pickle is broken\)"),
            (pickle.UnpicklingError("Unsupported global: GLOBAL os.system was not an allowed global"),
             r"is refused: it holds 'os\.system'.*nothing of it was run"),
            (KeyError("best_loss"), r"is no checkpoint of fairseq-train \(KeyError: 'best_loss'\)"),
            (AttributeError("'list' object has no attribute 'x'"), "is no checkpoint of fairseq-train"),
            (TypeError("argument of type 'int' is not iterable"), "is no checkpoint of fairseq-train"),
        ],
    )  # fmt: skip
    def test_what_goes_wrong_in_fairseqs_loader_is_one_line(self, checkpoint, error, line):
        def read(path):
            raise error

        with pytest.raises(InputError, match=line) as caught:
            self.load(checkpoint, read)
        assert "\n" not in str(caught.value) and str(checkpoint) in str(caught.value)
        assert caught.value.__cause__ is error

    @pytest.mark.parametrize("error", [FileNotFoundError("gone"), MemoryError(), InputError("a line")], ids=repr)
    def test_what_is_not_the_files_fault_stays(self, checkpoint, error):
        def read(path):
            raise error

        with pytest.raises(type(error)) as caught:
            self.load(checkpoint, read)
        assert caught.value is error

    def test_a_file_that_is_missing_or_elsewhere_is_left_to_fairseq(self, tmp_path):
        assert self.load(tmp_path / "none.pt", read=lambda path: "asked") == "asked"
        assert self.load("s3://bucket/model.pt", read=lambda path: "asked") == "asked"

    def test_torchs_format_before_zip_is_left_to_torch(self, tmp_path):
        torch.save({"epoch": 3}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
        assert self.load(tmp_path / "old.pt") == {"epoch": 3}

    def test_the_mend_of_checkpoint_last(self, tmp_path):
        """The newest whole one to go on from; nothing to copy where there is none."""
        last = tmp_path / "checkpoint_last.pt"
        last.touch()
        with pytest.raises(InputError, match="delete it and start again"):
            compat.reject_damaged_checkpoint(last)
        for age, name in enumerate(("checkpoint2.pt", "checkpoint 1.pt")):
            torch.save({}, tmp_path / name)
            os.utime(tmp_path / name, (1000 - age, 1000 - age))
        (tmp_path / "checkpoint3.pt").write_bytes(b"PK cut off")
        assert [path.name for path in compat.whole_checkpoints(tmp_path)] == ["checkpoint2.pt", "checkpoint 1.pt"]
        with pytest.raises(InputError, match=f"newest whole one: cp {tmp_path}/checkpoint2.pt {last}$"):
            compat.reject_damaged_checkpoint(last)
        os.utime(tmp_path / "checkpoint 1.pt", (2000, 2000))
        with pytest.raises(InputError, match=f"cp '{tmp_path}/checkpoint 1.pt' {last}$"):
            compat.reject_damaged_checkpoint(last)
        with pytest.raises(InputError, match=r"use another one, for instance .*checkpoint 1\.pt"):
            compat.reject_damaged_checkpoint(tmp_path / "checkpoint3.pt")


class Unwritable:
    """Pickling it fails as a full disk does."""

    def __reduce__(self):
        raise OSError(28, "No space left on device")


class TestWriting:
    @pytest.fixture
    def fairseq(self):
        """Stand-ins for fairseq's checkpoint_utils and PathManager, with the workarounds around them."""
        calls = []
        paths = types.SimpleNamespace(
            supports_rename=lambda path: "://" not in str(path),
            copy=lambda *arguments: calls.append(("copy", *arguments)),
        )
        utils = types.SimpleNamespace(
            PathManager=paths, torch_persistent_save=lambda *arguments: calls.append(("save", *arguments))
        )
        compat.save_whole_checkpoints_or_none(utils)
        compat.copy_whole_checkpoints_or_none(paths)
        paths.copy = paths.copy.__func__
        return types.SimpleNamespace(save=utils.torch_persistent_save, copy=paths.copy, calls=calls)

    def test_save_and_copy(self, fairseq, tmp_path):
        first, second = str(tmp_path / "checkpoint1.pt"), str(tmp_path / "checkpoint_last.pt")
        fairseq.save({"epoch": 3}, first)
        (tmp_path / "checkpoint_last.pt").write_text("the one before")
        assert fairseq.copy(first, second, overwrite=True) == second
        assert torch.load(second, weights_only=True) == {"epoch": 3}
        assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint1.pt", "checkpoint_last.pt"]
        assert not fairseq.calls

    def test_other_stores_and_asynchronous_saves_are_fairseqs_own(self, fairseq):
        fairseq.save({}, "s3://x/a.pt")
        fairseq.save({}, "a.pt", True)
        fairseq.copy("a.pt", "s3://x/a.pt", True)
        fairseq.copy("s3://x/a.pt", "a.pt")
        assert fairseq.calls == [
            ("save", {}, "s3://x/a.pt", False),
            ("save", {}, "a.pt", True),
            ("copy", "a.pt", "s3://x/a.pt", True),
            ("copy", "s3://x/a.pt", "a.pt", False),
        ]

    def test_a_save_that_fails_leaves_the_one_before(self, fairseq, tmp_path):
        path = tmp_path / "checkpoint_last.pt"
        path.write_text("the one before")
        with pytest.raises(InputError, match=f"cannot save {path}: No space left on device; .* before are whole"):
            fairseq.save({"a": torch.ones(10), "b": Unwritable()}, str(path))
        assert path.read_text() == "the one before" and list(tmp_path.iterdir()) == [path]

    def test_a_copy_that_fails_leaves_the_one_before(self, fairseq, tmp_path, monkeypatch):
        path, source = tmp_path / "checkpoint_last.pt", tmp_path / "checkpoint1.pt"
        path.write_text("the one before")
        source.write_text("new")

        def stop(source, file, size):
            file.write(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr(compat.shutil, "copyfileobj", stop)
        with pytest.raises(KeyboardInterrupt):
            fairseq.copy(str(source), str(path), True)
        assert path.read_text() == "the one before" and sorted(tmp_path.iterdir()) == [source, path]

    def test_a_folder_that_is_gone(self, fairseq, tmp_path):
        with pytest.raises(InputError, match="cannot save .*No such file or directory"):
            fairseq.save({}, str(tmp_path / "gone" / "checkpoint1.pt"))

    def test_the_systems_reason_is_found_behind_torchs(self):
        try:
            try:
                raise OSError(27, "File too large")
            except OSError:
                raise RuntimeError("inline_container.cc:664: unexpected pos")  # noqa: B904  as torch does
        except RuntimeError as error:
            assert compat._system_reason(error) == "File too large"
        assert compat._system_reason(RuntimeError("unexpected pos\nmore")) == "unexpected pos"


class TestHowARunEnds:
    @pytest.fixture
    def ended(self, monkeypatch):
        """The hook, around one that notes what it is given, and how the process would have ended."""
        notes = types.SimpleNamespace(before=[], ended=[])
        monkeypatch.setattr(sys, "excepthook", lambda *given: notes.before.append(given))
        monkeypatch.setattr(compat, "_end_at_once", lambda number=None: notes.ended.append(number))
        compat.print_input_errors_in_one_line()
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
                compat._end_at_once(number)
            finally:
                os._exit(99)
        _, status = os.waitpid(child, 0)
        exited = os.WIFEXITED(status)
        assert (exited, os.WEXITSTATUS(status) if exited else os.WTERMSIG(status)) == expected
