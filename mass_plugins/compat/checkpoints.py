"""Checkpoints: what they may hold, how they are read, handed to other processes and written."""

import argparse
import contextlib
import functools
import logging
import os
import pickle
import re
import shlex
import shutil
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch

from mass_plugins.errors import InputError

logger = logging.getLogger(__name__)

CRASH_FILE = "crash.pt"  # that fairseq's trainer saves where an update fails


def trust_what_checkpoints_hold():
    """Put on torch's safe list the few classes, beside tensors, that fairseq writes.

    Why: since torch 2.6 ``torch.load`` refuses fairseq's own checkpoints. Each class here only
    holds values: unpickling one runs no code that the file chooses. The safe loader stays on.
    Remove when fairseq's checkpoints hold plain containers and tensors only.
    """
    from fairseq.distributed.utils import _TensorPlaceholder

    reconstruct = np.zeros(1).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    numbers = {type(np.dtype(code)) for code in "?bhilqBHILQefd"}
    trusted = [argparse.Namespace, _TensorPlaceholder, np.ndarray, np.dtype, *numbers]
    for home in ("numpy.core.multiarray", "numpy._core.multiarray"):  # NumPy 1 and NumPy 2
        trusted += [(reconstruct, f"{home}._reconstruct"), (scalar, f"{home}.scalar")]
    torch.serialization.add_safe_globals(trusted)


def broadcast_plain_configs(distributed_utils):
    """Let rank 0 hand a loaded checkpoint to the other ranks.

    Why: fairseq turns the checkpoint's ``cfg`` into OmegaConf objects, then sends it through
    torch.save and torch.load, and the safe loader refuses a dozen classes of OmegaConf's: a run
    on several GPUs could not be resumed. The receivers don't read ``cfg``; it travels as a dict.
    Remove when fairseq broadcasts without pickling, or without ``cfg``.
    """
    from omegaconf import OmegaConf

    broadcast = distributed_utils.broadcast_object

    @functools.wraps(broadcast)
    def broadcast_object(obj, *args, **kwargs):
        if isinstance(obj, dict) and OmegaConf.is_config(obj.get("cfg")):
            obj = {**obj, "cfg": OmegaConf.to_container(obj["cfg"], enum_to_str=True)}
        return broadcast(obj, *args, **kwargs)

    distributed_utils.broadcast_object = broadcast_object


def check_what_a_training_goes_on_from(trainer_class, checkpoint_utils, distributed_utils):
    """Ask the task whether a checkpoint fits, before a training goes on from it; give all ranks its state.

    Then, or where there is no checkpoint, the task is told that the training begins: it may write files now.

    Why: fairseq reads a checkpoint's ``task_state`` at generation only. With another order of languages or
    of the dictionary a training went on with the wrong embeddings, and said nothing.
    Remove when fairseq's ``Trainer.load_checkpoint`` calls ``task.load_state_dict``.
    """
    load = trainer_class.load_checkpoint

    @functools.wraps(load)
    def load_checkpoint(self, filename, *args, **kwargs):
        if not hasattr(self.task, "check_resumed"):
            return load(self, filename, *args, **kwargs)
        if not os.path.isfile(filename):
            self.task.begin_training()
            return load(self, filename, *args, **kwargs)
        state, task_state = None, None
        if self.data_parallel_rank == 0:
            state = checkpoint_utils.load_checkpoint_to_cpu(filename)
            self.task.check_resumed(state, filename, self.cfg.model)
            task_state = state.get("task_state", {})
        if self.data_parallel_world_size > 1:
            group = {"group": self.data_parallel_process_group, "dist_device": self.device}
            task_state = distributed_utils.broadcast_object(task_state, src_rank=0, **group)
        self.task.resume_from(task_state)
        self.task.begin_training()
        with _read_already(checkpoint_utils, state):
            return load(self, filename, *args, **kwargs)

    trainer_class.load_checkpoint = load_checkpoint


@contextlib.contextmanager
def _read_already(checkpoint_utils, state):
    """Let ``load_checkpoint_to_cpu`` answer with ``state``; None: let it read."""
    read = checkpoint_utils.load_checkpoint_to_cpu
    if state is not None:
        checkpoint_utils.load_checkpoint_to_cpu = lambda *args, **kwargs: state
    try:
        yield
    finally:
        checkpoint_utils.load_checkpoint_to_cpu = read


# --- reading a checkpoint ------------------------------------------------------------------------


def explain_bad_checkpoints(checkpoint_utils):
    """One line for a cut-off, damaged or hostile checkpoint, in place of torch's traceback.

    Also compares the checksums that torch.save stores and torch.load ignores, so that a flipped
    bit is found and not trained on.
    Remove when fairseq's ``load_checkpoint_to_cpu`` does the like.
    """
    load = checkpoint_utils.load_checkpoint_to_cpu

    @functools.wraps(load)
    def load_checkpoint_to_cpu(path, *args, **kwargs):
        try:
            with explained(path):
                return load(path, *args, **kwargs)
        except InputError:
            raise
        except (LookupError, AttributeError, TypeError, ValueError, struct.error) as error:
            raise InputError(
                f"{path} is not a checkpoint of fairseq-train ({type(error).__name__}: {error}); "
                f"name a checkpoint*.pt that fairseq-train saved"
            ) from error

    checkpoint_utils.load_checkpoint_to_cpu = load_checkpoint_to_cpu


@contextlib.contextmanager
def explained(path):
    """What torch's safe loader says of the file ``path`` in one line, an InputError."""
    reject_damaged_checkpoint(path)
    try:
        with warnings.catch_warnings():  # torch's of another protocol of pickle; the line says what is to be done
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            yield
    except (InputError, OSError, MemoryError):
        raise
    except pickle.UnpicklingError as error:
        raise InputError(_why_not_unpickled(path, error)) from error
    except (RuntimeError, EOFError, struct.error, zipfile.BadZipFile) as error:
        reason = str(error).split("\n")[0]
        if "weights_only" in reason:  # torch's advice to do without the safe loader, of which nothing is passed on
            reason = "the safe loader can't read its format"
        raise InputError(_damaged(path, reason)) from error


def reject_damaged_checkpoint(path):
    """Raise InputError unless each record of the zip file ``path`` has its stored checksum.

    Files that are not zip files (empty ones apart) are left to torch: it still reads the format
    it wrote before 1.6. Reads the file once: about a second per gigabyte.
    """
    if not os.path.isfile(path):
        return  # a missing or a remote file: fairseq's own business
    if os.path.getsize(path) == 0:
        raise InputError(_damaged(path, "it is empty"))
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise InputError(_damaged(path, str(error))) from error
    if bad is not None:
        raise InputError(_damaged(path, f"wrong checksum of its part {bad!a}"))


def _why_not_unpickled(path, error):
    """The line for torch's refusal of ``path``: hostile or unknown content, or a broken pickle."""
    refused = re.search(r"GLOBAL (\S+)", str(error))
    if refused is None:
        return _damaged(path, "its pickle is broken, or not one of torch.save's")
    return (
        f"{path} is refused: it holds {refused.group(1)!a}, which is neither numbers nor settings "
        f"and could run a command; nothing of it was run; get a checkpoint of weights and settings "
        f"alone from its author"
    )


def _damaged(path, reason):
    """The line for a damaged ``path``, with what to go on from."""
    others = [p for p in whole_checkpoints(Path(path).parent) if p.name != Path(path).name]
    if Path(path).name != "checkpoint_last.pt":
        mend = f"use another one, for instance {others[0]}" if others else "copy or make it again"
    elif others:
        copy = f"cp {shlex.quote(str(others[0]))} {shlex.quote(str(path))}"
        mend = f"resume from the newest whole one: {copy}"
    else:
        mend = "delete it and start again"
    return f"{path} is cut off or damaged ({reason}); {mend}"


def whole_checkpoints(folder):
    """The checkpoints in ``folder`` that are not cut off, the newest first."""
    found = [p for p in Path(folder).glob("checkpoint*.pt") if zipfile.is_zipfile(p)]
    return sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)


# --- writing a checkpoint ------------------------------------------------------------------------


def save_whole_checkpoints_or_none(checkpoint_utils):
    """A save that fails ends in one line, leaves no .tmp and the earlier checkpoint as it was.

    Why: fairseq tries three times into the same half-written file, sleeps between, prints each
    traceback and leaves the .tmp. What it saves on its way out of an error is told in a warning where it
    fails (--no-save makes no folder for it), and the error stays what the user sees.
    Remove when fairseq's ``torch_persistent_save`` cleans up behind itself.
    """
    save = checkpoint_utils.torch_persistent_save

    @functools.wraps(save)
    def torch_persistent_save(obj, filename, async_write=False):
        if async_write or not checkpoint_utils.PathManager.supports_rename(filename):
            return save(obj, filename, async_write)
        try:
            return write_whole_file_or_none(filename, functools.partial(torch.save, obj))
        except InputError as error:
            if Path(filename).name != CRASH_FILE:
                raise
            logger.warning("%s, the state at the error, is not saved: %s", filename, _system_reason(error))

    checkpoint_utils.torch_persistent_save = torch_persistent_save


def copy_whole_checkpoints_or_none(path_manager):
    """checkpoint_last.pt and checkpoint_best.pt are replaced at once, never written in place.

    Why: fairseq saves one file atomically, then copies it over the others; a kill or a full disk
    in the middle of a copy leaves a checkpoint_last.pt that nothing can be resumed from.
    Remove when fairseq's ``PathManager.copy`` renames.
    """
    copy = path_manager.copy

    @functools.wraps(copy)
    def copy_whole(src_path, dst_path, overwrite=False):
        if not (path_manager.supports_rename(src_path) and path_manager.supports_rename(dst_path)):
            return copy(src_path, dst_path, overwrite)
        with open(src_path, "rb") as source:
            write_whole_file_or_none(dst_path, lambda file: shutil.copyfileobj(source, file, 1 << 24))
        return dst_path

    path_manager.copy = staticmethod(copy_whole)


def write_whole_file_or_none(filename, write):
    """Call ``write(file)`` on ``filename``.tmp, then rename it; InputError if it can't be written."""
    temporary = f"{filename}.tmp"
    try:
        with open(temporary, "wb") as file:
            write(file)
        os.replace(temporary, filename)
    except (OSError, RuntimeError) as error:  # RuntimeError: how torch's zip writer reports it
        _remove_if_there(temporary)
        raise InputError(
            f"cannot save {filename}: {_system_reason(error)}; the checkpoints saved before are "
            f"whole: make room and run the same command again to resume from the last one"
        ) from error
    except BaseException:  # Ctrl-C
        _remove_if_there(temporary)
        raise


def _remove_if_there(path):
    if os.path.exists(path):
        os.remove(path)


def _system_reason(error):
    """The operating system's words for ``error``, or for the one that it arose from."""
    cause = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error).split("\n")[0]
