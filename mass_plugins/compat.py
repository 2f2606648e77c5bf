"""Every workaround for fairseq, torch or NumPy: what it does, why, and when it can be removed.

``apply()`` runs them all, once, when the package is imported. Nothing else in the package patches
another library.
"""

import argparse
import atexit
import contextlib
import functools
import itertools
import logging
import multiprocessing
import os
import pickle
import queue
import re
import shlex
import shutil
import signal
import sys
import threading
import time
import types
import warnings
import weakref
import zipfile
from pathlib import Path

import numpy as np
import torch

from mass_plugins.errors import InputError

# (message, category, module) of warnings that a user of this package can do nothing about.
# The message is a regular expression matched at its start, the module likewise; both are narrow.
HARMLESS_WARNINGS = (
    # fairseq composes its defaults with Hydra's old names at every start.
    (r"hydra\.experimental\.(initialize|compose)\(\) is no longer experimental", UserWarning, ""),
    (r"\s*The version_base parameter is not specified", UserWarning, ""),
    (r"In '.*': Usage of deprecated keyword in package header", UserWarning, ""),
    (r"\s*'config' is validated against ConfigStore schema", UserWarning, ""),
    (r"\s*The strict flag in the compose API is deprecated", UserWarning, ""),
    # fairseq asks for pinned memory whether there is a GPU or not.
    (r"'pin_memory' argument is set as true but no accelerator is found", UserWarning, "torch"),
    (r"`torch\.cuda\.amp\..* is deprecated", FutureWarning, "fairseq"),
)
# Loggers with lines of no use here: a package for text to speech that is asked for at each start,
# Hydra's debugging.
CHATTY_LOGGERS = {"fairseq.tasks.text_to_speech": logging.WARNING, "hydra": logging.INFO}

TORCHRUN = {"WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"}  # variables that torchrun sets

_applied = False


def apply():
    """Put every workaround in place; a second call does nothing."""
    global _applied
    if _applied:
        return
    _applied = True
    silence_harmless_warnings()
    print_input_errors_in_one_line()
    restore_numpy_compat_long()
    import_fairseq_without_its_logging()
    from fairseq import checkpoint_utils
    from fairseq.data import iterators
    from fairseq.distributed import utils as distributed_utils
    from fairseq.file_io import PathManager
    from fairseq.trainer import Trainer

    trust_what_checkpoints_hold()
    explain_bad_checkpoints(checkpoint_utils)
    save_whole_checkpoints_or_none(checkpoint_utils)
    copy_whole_checkpoints_or_none(PathManager)
    join_processes_of_torchrun(distributed_utils)
    check_what_a_training_goes_on_from(Trainer, checkpoint_utils)
    broadcast_plain_configs(distributed_utils)
    end_threads_that_read_ahead(iterators)


def silence_harmless_warnings():
    """Hide the warnings listed in ``HARMLESS_WARNINGS``, and only those.

    Why: each start of fairseq-train prints a screenful about fairseq's own use of Hydra, torch.
    Remove an entry when the versions of fairseq and torch in setup.py no longer give it.
    """
    for message, category, module in HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message=message, category=category, module=module)
    for name, level in CHATTY_LOGGERS.items():
        logging.getLogger(name).setLevel(level)


def import_fairseq_without_its_logging():
    """Import fairseq and leave the root logger as it was.

    Why: fairseq's wav2vec2_classification.py calls ``logging.basicConfig(level=DEBUG)`` when it is
    imported, so after ``import mass_plugins`` every library would print its debugging lines.
    fairseq's own commands set up their logging and import fairseq before us: nothing changes there.
    Remove when ``import fairseq`` leaves ``logging.getLogger().handlers`` empty.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    import fairseq  # noqa: F401

    root.handlers[:] = handlers
    root.setLevel(level)


def restore_numpy_compat_long():
    """``np.compat.long``: fairseq reads it at two places, NumPy 2 no longer has it.

    Remove when fairseq's language_pair_dataset.py and token_block_dataset.py don't read it.
    """
    if not hasattr(np, "compat"):
        np.compat = types.SimpleNamespace(long=int)  # noqa: NPY201


# --- what a checkpoint may hold ---------------------------------------------------------------


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


def end_threads_that_read_ahead(iterators):
    """Let fairseq's thread that reads batches ahead end before the interpreter does.

    Why: a training that stops within an epoch leaves it running, and if it is in torch's C++ code when Python
    ends, the process aborts ("terminate called without an active exception") after a whole training.
    Remove when fairseq's ``BufferedIterator`` stops its ``BackgroundConsumer`` and waits for it.
    """
    run = iterators.BackgroundConsumer.run
    stop, threads = threading.Event(), weakref.WeakSet()

    @functools.wraps(run)
    def run_until_stopped(self):
        threads.add(self)
        self._source = itertools.takewhile(lambda _: not stop.is_set(), self._source)
        run(self)

    def end():
        stop.set()
        for thread in list(threads):
            until = time.monotonic() + 10
            while thread.is_alive() and time.monotonic() < until:
                with contextlib.suppress(queue.Empty):
                    thread._queue.get_nowait()  # it may wait for room there
                thread.join(0.01)

    iterators.BackgroundConsumer.run = run_until_stopped
    atexit.register(end)


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


def join_processes_of_torchrun(distributed_utils):
    """Make one training of the processes that torchrun starts, whatever they run on.

    Why: fairseq looks at torchrun's variables only where a machine has two GPUs or more. On CPUs, and on
    machines with a GPU each, every process trains alone, and all write the same checkpoints. This helps
    fairseq-train; fairseq-hydra-train asks before it imports plugins, and is refused under torchrun
    (``MultilingualTask.build_criterion``). On CPUs fairseq's defaults can't work (nccl; pytorch_ddp names a
    GPU): others take their place, and a flag that asks for one of these is refused.
    Remove when fairseq's ``infer_init_method`` asks torchrun before it counts GPUs.
    """
    infer = distributed_utils.infer_init_method

    @functools.wraps(infer)
    def infer_init_method(cfg, force_distributed=False):
        given = os.environ
        if cfg.distributed_init_method is not None or not TORCHRUN.issubset(given):
            return infer(cfg, force_distributed)  # torchrun didn't start us
        if int(given["WORLD_SIZE"]) > 1:
            cfg.distributed_init_method = "env://"
            cfg.distributed_world_size, cfg.distributed_rank = int(given["WORLD_SIZE"]), int(given["RANK"])
            cfg.distributed_no_spawn, cfg.device_id = True, int(given["LOCAL_RANK"])
            if torch.cuda.is_available():
                torch.cuda.set_device(cfg.device_id)
            else:
                if cfg.distributed_backend == "nccl":
                    _replace_default(cfg, "distributed_backend", "gloo")
                if cfg.ddp_backend not in ("legacy_ddp", "no_c10d"):  # two names of one; others name a GPU
                    _replace_default(cfg, "ddp_backend", "legacy_ddp")

    distributed_utils.infer_init_method = infer_init_method


def _replace_default(cfg, name, value):
    """Set what CPUs can work with; InputError if the command line asks for something else."""
    flag = f"--{name.replace('_', '-')}"
    if any(word.split("=")[0] == flag for word in sys.argv):
        raise InputError(f"{flag} {getattr(cfg, name)} needs GPUs and torch sees none; leave it out, or give {value}")
    setattr(cfg, name, value)


# --- reading a checkpoint -----------------------------------------------------------------------


def explain_bad_checkpoints(checkpoint_utils):
    """One line for a cut-off, damaged or hostile checkpoint, in place of torch's traceback.

    Also compares the checksums that torch.save stores and torch.load ignores, so that a flipped
    bit is found and not trained on.
    Remove when fairseq's ``load_checkpoint_to_cpu`` does the like.
    """
    load = checkpoint_utils.load_checkpoint_to_cpu

    @functools.wraps(load)
    def load_checkpoint_to_cpu(path, *args, **kwargs):
        reject_damaged_checkpoint(path)
        try:
            return load(path, *args, **kwargs)
        except (InputError, OSError, MemoryError):
            raise
        except pickle.UnpicklingError as error:
            raise InputError(_why_not_unpickled(path, error)) from error
        except (RuntimeError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(_damaged(path, str(error).split("\n")[0])) from error
        except (KeyError, AttributeError, TypeError) as error:
            raise InputError(
                f"{path} is no checkpoint of fairseq-train ({type(error).__name__}: {error}); "
                f"name a checkpoint*.pt that fairseq-train saved"
            ) from error

    checkpoint_utils.load_checkpoint_to_cpu = load_checkpoint_to_cpu


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
        return _damaged(path, "its pickle is broken")
    return (
        f"{path} is refused: it holds {refused.group(1)!a}, which is neither numbers nor settings "
        f"and could run a command; nothing of it was run; get a checkpoint of weights and settings "
        f"alone from its author"
    )


def _damaged(path, reason):
    """The line for a damaged ``path``, with what to go on from."""
    others = [p for p in whole_checkpoints(Path(path).parent) if p.name != Path(path).name]
    if Path(path).name != "checkpoint_last.pt":
        mend = f"use another one, for instance {others[0]}" if others else "copy or make it anew"
    elif others:
        copy = f"cp {shlex.quote(str(others[0]))} {shlex.quote(str(path))}"
        mend = f"go on from the newest whole one: {copy}"
    else:
        mend = "delete it and start again"
    return f"{path} is cut off or damaged ({reason}); {mend}"


def whole_checkpoints(folder):
    """The checkpoints in ``folder`` that are not cut off, the newest first."""
    found = [p for p in Path(folder).glob("checkpoint*.pt") if zipfile.is_zipfile(p)]
    return sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)


# --- writing a checkpoint -----------------------------------------------------------------------


def check_what_a_training_goes_on_from(trainer_class, checkpoint_utils):
    """Ask the task whether a checkpoint fits, before a training goes on from it.

    Why: fairseq reads a checkpoint's ``task_state`` at generation only. With another order of languages or
    of the dictionary a training went on with the wrong embeddings, and said nothing.
    Remove when fairseq's ``Trainer.load_checkpoint`` calls ``task.load_state_dict``.
    """
    load = trainer_class.load_checkpoint

    @functools.wraps(load)
    def load_checkpoint(self, filename, *args, **kwargs):
        if hasattr(self.task, "check_resumed") and self.data_parallel_rank == 0 and os.path.isfile(filename):
            state = checkpoint_utils.load_checkpoint_to_cpu(filename)
            self.task.check_resumed(state, filename, self.cfg.model)
        return load(self, filename, *args, **kwargs)

    trainer_class.load_checkpoint = load_checkpoint


def save_whole_checkpoints_or_none(checkpoint_utils):
    """A save that fails ends in one line, leaves no .tmp and the earlier checkpoint as it was.

    Why: fairseq tries three times into the same half-written file, sleeps between, prints each
    traceback and leaves the .tmp.
    Remove when fairseq's ``torch_persistent_save`` cleans up behind itself.
    """
    save = checkpoint_utils.torch_persistent_save

    @functools.wraps(save)
    def torch_persistent_save(obj, filename, async_write=False):
        if async_write or not checkpoint_utils.PathManager.supports_rename(filename):
            return save(obj, filename, async_write)
        return write_whole_file_or_none(filename, functools.partial(torch.save, obj))

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
            f"whole: make room and run the same command again to go on from the last one"
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


# --- how a run ends -----------------------------------------------------------------------------


def print_input_errors_in_one_line():
    """Print an uncaught InputError, or a Ctrl-C in a command of fairseq's, as one line.

    Why: fairseq's commands let every exception through as a traceback. All others still are.
    Remove when fairseq's commands catch errors of the user's.
    """
    before = sys.excepthook

    def one_line(kind, error, traceback):
        command = _fairseq_command(traceback)
        if issubclass(kind, KeyboardInterrupt) and command:
            again = "; run the same command again to go on from the last checkpoint"
            print(f"mass_plugins: interrupted{again if 'train' in command else ''}", file=sys.stderr)
            return _end_at_once(signal.SIGINT)
        line = _input_error_line(kind, error)
        if line is None:
            return before(kind, error, traceback)
        print(f"mass_plugins: error: {line}", file=sys.stderr)
        if command:
            _end_at_once()

    sys.excepthook = one_line


def _input_error_line(kind, error):
    """The line of an InputError, also of one that a data worker or spawned process passed on."""
    name = f"{InputError.__module__}.{InputError.__name__}: "
    if not issubclass(kind, InputError) and name not in str(error):
        return None
    # From another process the message is a whole traceback: its last line is the one.
    last = (str(error).strip().splitlines() or [""])[-1]
    return last.rpartition(name)[2]


def _fairseq_command(traceback):
    """The name of the fairseq command that ``traceback`` went through ("train"), or ""."""
    while traceback is not None:
        path = Path(traceback.tb_frame.f_code.co_filename)
        if path.parent.name == "fairseq_cli":
            return path.stem
        traceback = traceback.tb_next
    return ""


def _end_at_once(signal_number=None):
    """End this process now, with status 1 or as if killed by ``signal_number``.

    Why: fairseq's buffering thread still runs while the interpreter takes itself down, and about
    every fourth time that ends in "terminate called without an active exception" and a core dump.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for child in multiprocessing.active_children():  # data workers
        child.terminate()
    if signal_number is not None:
        signal.signal(signal_number, signal.SIG_DFL)
        os.kill(os.getpid(), signal_number)
    os._exit(1)
