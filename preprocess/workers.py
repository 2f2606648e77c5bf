"""``ordered_map``: a function over a stream of chunks in several processes, results in order.

Every worker has a pipe of its own and gets every n-th chunk. So the order needs no bookkeeping, and
nothing is shared: there is no lock that a killed worker could keep (the pool of concurrent.futures
hangs then before Python 3.11.7), and the end of a pipe tells either side at once that the other is gone.
"""

import itertools
import multiprocessing
import os
import queue
import signal
import threading
import traceback
from collections import deque
from multiprocessing.connection import Connection
from typing import Callable, Iterable, Iterator, Sequence

from mass_plugins.errors import InputError

CHUNKS_A_WORKER = 3  # in flight: enough to keep a worker busy, few enough for constant memory


def ordered_map(make_function: Callable[..., Callable], arguments: tuple, chunks: Iterable, workers: int) -> Iterator:
    """``map(make_function(*arguments), chunks)`` on several processes, in order.

    ``make_function`` is called once a process, so that slow objects (a tokenizer, a sub-word model)
    are built once. At most ``CHUNKS_A_WORKER`` chunks a process are in flight: memory stays constant
    however fast the input and slow the output.

    Raises:
        InputError: a worker was killed. Whatever the function raises, is raised here.
    """
    chunks = iter(chunks)
    ahead = list(itertools.islice(chunks, 2))
    chunks = itertools.chain(ahead, chunks)
    if workers <= 1 or len(ahead) < 2:
        yield from map(make_function(*arguments), chunks)
        return
    team: list[_Worker] = []
    try:
        for _ in range(workers):
            team.append(_Worker(make_function, arguments, [worker.pipe for worker in team]))
        waiting: deque[_Worker] = deque()
        for chunk, worker in zip(chunks, itertools.cycle(team)):
            worker.send(chunk)
            waiting.append(worker)
            while waiting and (len(waiting) >= workers * CHUNKS_A_WORKER or waiting[0].is_ready()):
                yield waiting.popleft().receive()
        while waiting:
            yield waiting.popleft().receive()
    finally:
        for worker in team:
            worker.stop()


def in_process(function: Callable, *arguments):
    """``function(*arguments)`` in a process of its own: Ctrl-C ends it even in the middle of C code."""
    worker = _Worker(lambda: lambda chunk: function(*arguments), (), [])
    try:
        worker.send(None)
        return worker.receive()
    finally:
        worker.stop()


class _Worker:
    """A process and this side's end of the pipe to it."""

    def __init__(self, make_function: Callable[..., Callable], arguments: tuple, others: Sequence[Connection]):
        # The pipe is made just before the fork, and the fork closes our ends of the older ones: each end
        # is open in one process only, or the other side would never see it end.
        self.pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(theirs, [*others, self.pipe], make_function, arguments), daemon=True
        )
        # A Ctrl-C now waits until this is done and until the worker turns a deaf ear to it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def send(self, chunk) -> None:
        try:
            self.pipe.send(chunk)
        except ConnectionError:
            raise _killed() from None

    def is_ready(self) -> bool:
        return self.pipe.poll()

    def receive(self):
        try:
            result, error = self.pipe.recv()
        except (EOFError, ConnectionError):
            raise _killed() from None
        if error:
            raise error
        return result

    def stop(self) -> None:
        self.pipe.close()
        self._process.kill()  # it holds nothing that would need an orderly end
        self._process.join()


def _killed() -> InputError:
    return InputError("a worker process was killed (out of memory?); use fewer --workers")


def _serve(pipe: Connection, ends: list[Connection], make_function: Callable[..., Callable], arguments: tuple) -> None:
    """What a worker process does."""
    for end in ends:
        end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    chunks: queue.SimpleQueue = queue.SimpleQueue()
    receiver = threading.Thread(target=_receive, args=(pipe, chunks))
    receiver.start()
    try:
        function = make_function(*arguments)
        while True:
            pipe.send((function(chunks.get()), None))
    except ConnectionError:
        pass  # the parent is gone
    except Exception as error:
        error.add_note(traceback.format_exc())
        pipe.send((None, error))
    receiver.join()


def _receive(pipe: Connection, chunks: queue.SimpleQueue) -> None:
    """Takes chunks as they come, so that the parent's ``send`` never waits for a worker whose own
    ``send`` waits for the parent. Ends the process with the pipe, that is with the parent."""
    try:
        while True:
            chunks.put(pipe.recv())
    except (EOFError, ConnectionError):
        os._exit(1)
