"""Processes and threads: how torchrun's become one training, and how a run ends."""

import atexit
import contextlib
import functools
import gc
import itertools
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import weakref
from pathlib import Path

import torch

from mass_plugins.errors import InputError

TORCHRUN = {"WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"}  # variables that torchrun sets


def join_processes_of_torchrun(distributed_utils):
    """Make one training of the processes that torchrun starts, whatever they run on.

    Why: fairseq looks at torchrun's variables only where a machine has two GPUs or more. On CPUs, and on
    machines with a GPU each, every process trains alone, and all write the same checkpoints. This helps
    fairseq-train; fairseq-hydra-train asks before it imports plugins, and is refused under torchrun
    (``TrainingTask.build_criterion``). On CPUs fairseq's defaults can't work (nccl; pytorch_ddp names a
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


def keep_a_dummy_batch_of_each_kind(trainer_class):
    """A process without a batch of its own takes part with one of the same kind as the others': of training in a
    training step, of validation in a validation step.

    Why: fairseq keeps one such batch, the last iterator's first. After a validation within an epoch a process whose
    epoch is a batch shorter trains on a batch of validation, which may hold other things.
    Remove when fairseq's ``Trainer`` keeps two.
    """

    def keep(kind):
        iterate, step = f"get_{kind}_iterator", f"{kind}_step"
        get_iterator, take_step = getattr(trainer_class, iterate), getattr(trainer_class, step)

        @functools.wraps(get_iterator)
        def get_and_note(self, *args, **kwargs):
            iterator = get_iterator(self, *args, **kwargs)
            self.__dict__.setdefault("dummy_batches", {})[kind] = self._dummy_batch
            return iterator

        @functools.wraps(take_step)
        def step_with_its_own(self, *args, **kwargs):
            batches = self.__dict__.setdefault("dummy_batches", {})
            self._dummy_batch = batches.get(kind, self._dummy_batch)
            try:
                return take_step(self, *args, **kwargs)
            finally:
                batches[kind] = self._dummy_batch  # fairseq may have put the first real batch in its place

        setattr(trainer_class, iterate, get_and_note)
        setattr(trainer_class, step, step_with_its_own)

    keep("train")
    keep("valid")


def tell_which_batch_is_a_dummy(trainer_class):
    """A task with ``mark_dummy`` marks a batch that only keeps a process in step: no negatives are taken of it.

    Why: fairseq tells the task in training alone (``ignore_grad``), and its criterion not at all. In validation what
    such a batch logs is left out, but what it gives the other processes is not.
    Remove when fairseq's ``Trainer.valid_step`` tells its task.
    """
    prepare = trainer_class._prepare_sample

    @functools.wraps(prepare)
    def prepare_sample(self, sample, is_dummy=False):
        sample, is_dummy = prepare(self, sample, is_dummy)
        if is_dummy and hasattr(self.task, "mark_dummy"):
            sample = self.task.mark_dummy(sample)
        return sample, is_dummy

    trainer_class._prepare_sample = prepare_sample


def explain_a_missing_tpu(utils):
    """``--bf16`` without a TPU ends in one line.

    Why: fairseq takes the flag for a TPU's, and ends in ``'NoneType' object has no attribute 'xla_device'``.
    Remove when fairseq's ``--bf16`` doesn't set ``--tpu``.
    """
    find = utils.get_tpu_device

    @functools.wraps(find)
    def get_tpu_device():
        if utils.xm is None:
            raise InputError(
                "--bf16 and --tpu mean a TPU to fairseq, and torch_xla isn't installed; --autocast-bfloat16 computes "
                "in bfloat16 on CPUs and GPUs"
            )
        return find()

    utils.get_tpu_device = get_tpu_device


# --- how a run ends ------------------------------------------------------------------------------


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


def leave_what_is_inherited_to_the_parent():
    """Keep a forked process from collecting garbage that it inherited.

    Why: a data worker inherits the reading ends of batches whose epoch is over. Where its collector comes to one
    of them, torch wants to end that one's workers, finds that they aren't its own children, and prints a traceback
    ("can only test a child process").
    Remove when torch's ``_MultiProcessingDataLoaderIter.__del__`` looks at the process it runs in.
    """
    os.register_at_fork(after_in_child=gc.freeze)


def print_input_errors_in_one_line():
    """Print an uncaught InputError, or a Ctrl-C in a command of fairseq's, as one line.

    Why: fairseq's commands let every exception through as a traceback. All others still are. The line goes to the
    process's own stderr: torch's hook of a process of torchrun has another in its place, which it would copy after us.
    Remove when fairseq's commands catch errors of the user's.
    """
    before = sys.excepthook

    def say(line):
        print(f"mass_plugins: {line}", file=sys.stderr if "LOCAL_WORLD_SIZE" not in os.environ else sys.__stderr__)

    def one_line(kind, error, traceback):
        command = _fairseq_command(traceback)
        if issubclass(kind, KeyboardInterrupt) and command:
            again = "; run the same command again to resume from the last checkpoint"
            say(f"interrupted{again if 'train' in command else ''}")
            return _end_at_once(signal.SIGINT)
        line = _input_error_line(kind, error)
        if line is None:
            return before(kind, error, traceback)
        say(f"error: {line}")
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
    for stream in (sys.stdout, sys.stderr, sys.__stderr__):
        stream.flush()
    for child in multiprocessing.active_children():  # data workers
        child.terminate()
    if signal_number is not None:
        signal.signal(signal_number, signal.SIG_DFL)
        os.kill(os.getpid(), signal_number)
    os._exit(1)
