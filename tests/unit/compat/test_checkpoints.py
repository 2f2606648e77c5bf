"""What is done to fairseq's reading and writing of checkpoints, on stand-ins for its modules."""

import argparse
import io
import os
import pickle
import re
import types
import zipfile

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

import mass_plugins  # noqa: F401  applies them
from mass_plugins.compat import checkpoints
from mass_plugins.errors import InputError


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
        checkpoints.broadcast_plain_configs(self.utils)
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


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "checkpoint_best.pt"
    torch.save({"model": {"weight": torch.arange(5000.0)}}, path)
    return path


class Task:
    """Writes down what it is asked."""

    def __init__(self, fits=True):
        self.fits, self.checked, self.goes_on_from, self.began = fits, [], [], 0

    def check_resumed(self, state, path, model_cfg):
        if not self.fits:
            raise InputError("another dictionary")
        self.checked.append((state["model"], path, model_cfg))

    def resume_from(self, task_state):
        self.goes_on_from.append(task_state)

    def begin_training(self):
        self.began += 1


class TestGoingOn:
    """``Trainer.load_checkpoint`` on a stand-in, which reads where rank 0's does."""

    STATE = {"model": "weights", "task_state": {"free": True}}

    @pytest.fixture
    def go_on(self, tmp_path):
        """Runs it as ``rank`` of ``ranks``: what was read from the file, what was loaded, and from what it was sent."""
        path = tmp_path / "checkpoint_last.pt"

        def run(task, rank=0, ranks=1, there=True):
            read, loaded, sent = [], [], []
            utils = types.SimpleNamespace(load_checkpoint_to_cpu=lambda name: read.append(name) or dict(self.STATE))

            class Trainer:
                data_parallel_rank, data_parallel_world_size = rank, ranks
                data_parallel_process_group, device = None, "cpu"
                cfg = types.SimpleNamespace(model="model")

                def __init__(self):
                    self.task = task

                def load_checkpoint(self, filename):
                    loaded.append(utils.load_checkpoint_to_cpu(filename)["model"] if rank == 0 and there else None)
                    return "extra"

            def broadcast_object(value, **_):
                sent.append(value)
                return self.STATE["task_state"]

            distributed = types.SimpleNamespace(broadcast_object=broadcast_object)
            checkpoints.check_what_a_training_goes_on_from(Trainer, utils, distributed)
            if there:
                path.touch()
            assert Trainer().load_checkpoint(str(path)) == "extra"
            return read, loaded, sent

        return run

    def test_one_process_checks_and_reads_once(self, go_on):
        task = Task()
        read, loaded, sent = go_on(task)
        assert len(read) == 1 and loaded == ["weights"] and not sent
        assert [found[0] for found in task.checked] == ["weights"] and task.goes_on_from == [{"free": True}]
        assert task.began == 1

    def test_other_ranks_learn_it_from_rank_0(self, go_on):
        task = Task()
        read, _, sent = go_on(task, rank=1, ranks=2)
        assert not read and not task.checked and sent == [None] and task.goes_on_from == [{"free": True}]
        assert go_on(Task(), rank=0, ranks=2)[2] == [{"free": True}]

    def test_what_does_not_fit_is_not_loaded(self, go_on):
        task = Task(fits=False)
        with pytest.raises(InputError, match="another dictionary"):
            go_on(task)
        assert not task.began

    def test_nothing_to_go_on_from(self, go_on):
        task = Task()
        assert go_on(task, there=False) == ([], [None], []) and not task.goes_on_from
        assert task.began == 1

    def test_a_task_of_fairseqs_own(self, go_on):
        assert go_on(object())[1] == ["weights"]


class TestReading:
    @staticmethod
    def load(path, read=torch.load, **kwargs):
        """What fairseq's loader, replaced by ``read``, gives with the workaround around it."""
        fake = types.SimpleNamespace(load_checkpoint_to_cpu=lambda path, **kwargs: read(path, **kwargs))
        checkpoints.explain_bad_checkpoints(fake)
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
            (pickle.UnpicklingError("invalid load key, 'x'."), r"\(its pickle is broken, or not one of torch.save's\)"),
            (pickle.UnpicklingError("Unsupported global: GLOBAL os.system was not an allowed global"),
             r"is refused: it holds 'os\.system'.*nothing of it was run"),
            (KeyError("best_loss"), r"is not a checkpoint of fairseq-train \(KeyError: 'best_loss'\)"),
            (AttributeError("'list' object has no attribute 'x'"), "is not a checkpoint of fairseq-train"),
            (TypeError("argument of type 'int' is not iterable"), "is not a checkpoint of fairseq-train"),
            (ValueError("could not convert string to float"), "is not a checkpoint of fairseq-train"),
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

    @pytest.mark.parametrize("text", ["a cat\na dog\n", "A man.\n", "\u6f22\n", "0\n", "(dp0\nS'"])
    def test_a_text_is_no_checkpoint(self, tmp_path, text):
        """torch takes anything that is no zip file for a pickle, whose letters are commands."""
        (tmp_path / "in.txt").write_text(text)
        with pytest.raises(InputError, match=r"in\.txt is (not a checkpoint|cut off or damaged)") as caught:
            self.load(tmp_path / "in.txt")
        assert "\n" not in str(caught.value)

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
            checkpoints.reject_damaged_checkpoint(last)
        for age, name in enumerate(("checkpoint2.pt", "checkpoint 1.pt")):
            torch.save({}, tmp_path / name)
            os.utime(tmp_path / name, (1000 - age, 1000 - age))
        (tmp_path / "checkpoint3.pt").write_bytes(b"PK cut off")
        assert [path.name for path in checkpoints.whole_checkpoints(tmp_path)] == ["checkpoint2.pt", "checkpoint 1.pt"]
        with pytest.raises(InputError, match=f"newest whole one: cp {tmp_path}/checkpoint2.pt {last}$"):
            checkpoints.reject_damaged_checkpoint(last)
        os.utime(tmp_path / "checkpoint 1.pt", (2000, 2000))
        with pytest.raises(InputError, match=f"cp '{tmp_path}/checkpoint 1.pt' {last}$"):
            checkpoints.reject_damaged_checkpoint(last)
        with pytest.raises(InputError, match=r"use another one, for instance .*checkpoint 1\.pt"):
            checkpoints.reject_damaged_checkpoint(tmp_path / "checkpoint3.pt")


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
        checkpoints.save_whole_checkpoints_or_none(utils)
        checkpoints.copy_whole_checkpoints_or_none(paths)
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

    def test_what_is_saved_at_an_error_hides_it_not(self, fairseq, tmp_path, caplog):
        """fairseq saves crash.pt while it handles the error that the user should see."""
        with pytest.raises(KeyError, match="slots"):
            try:
                raise KeyError("slots")
            except KeyError:
                fairseq.save({}, str(tmp_path / "no folder" / "crash.pt"))
                raise
        assert "crash.pt, the state at the error, is not saved: No such file or directory" in caplog.text

    def test_a_copy_that_fails_leaves_the_one_before(self, fairseq, tmp_path, monkeypatch):
        path, source = tmp_path / "checkpoint_last.pt", tmp_path / "checkpoint1.pt"
        path.write_text("the one before")
        source.write_text("new")

        def stop(source, file, size):
            file.write(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr(checkpoints.shutil, "copyfileobj", stop)
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
            assert checkpoints._system_reason(error) == "File too large"
        assert checkpoints._system_reason(RuntimeError("unexpected pos\nmore")) == "unexpected pos"
