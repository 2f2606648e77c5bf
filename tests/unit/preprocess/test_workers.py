"""The processes behind every tool: order, constant memory, and an end whatever happens."""

import os
import signal
import time

import pytest

from mass_plugins.errors import InputError
from preprocess.workers import CHUNKS_A_WORKER, in_process, ordered_map


@pytest.fixture(autouse=True)
def no_hang():
    """A test that hangs fails after 30 seconds instead."""

    def give_up(*_):
        raise TimeoutError("hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def make_slow_echo():
    """Chunks with a small number take longest, so that the order would change if it could."""

    def work(number):
        time.sleep(0.05 if number % 4 == 0 else 0)
        return number, os.getpid()

    return work


def make_echo():
    return lambda chunk: chunk


def make_failing(error):
    def work(number):
        if number == 5:
            raise error
        return number

    return work


def make_killed(victim):
    """The process that gets the chunk ``victim`` dies in it."""

    def work(chunk):
        number, _ = chunk
        if number == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return chunk

    return work


def alive(process: int) -> bool:
    """Whether a process still runs (a finished one that nobody waited for doesn't)."""
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_order_is_kept(workers):
    results = list(ordered_map(make_slow_echo, (), range(40), workers))
    assert [number for number, _ in results] == list(range(40))
    processes = {process for _, process in results}
    assert processes == {os.getpid()} if workers == 1 else len(processes) == workers and os.getpid() not in processes


def test_one_chunk_starts_no_process():
    assert list(ordered_map(make_slow_echo, (), [0], 4)) == [(0, os.getpid())]
    assert list(ordered_map(make_slow_echo, (), [], 4)) == []


def test_few_chunks_are_in_flight():
    read = 0

    def source():
        nonlocal read
        for number in range(60):
            read += 1
            yield number

    for done, _ in enumerate(ordered_map(make_slow_echo, (), source(), 2), start=1):
        assert read - done <= 2 * CHUNKS_A_WORKER + 2


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_chunks_and_results_larger_than_a_pipe(size):
    """Neither side waits for the other while both have much to send."""
    chunks = [bytes([number]) * size for number in range(12)]
    assert list(ordered_map(make_echo, (), chunks, 2)) == chunks


@pytest.mark.parametrize("victim", [0, 1, 2, 7])
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_killed_worker_is_said(victim, size):
    """Whichever process dies, and whether chunks wait in its pipe or not."""
    chunks = ((number, b"x" * size) for number in range(10_000))
    with pytest.raises(InputError, match="a worker process was killed .*; use fewer --workers"):
        for _ in ordered_map(make_killed, (victim,), chunks, 3):
            pass


@pytest.mark.parametrize("error", [InputError("line 3; mend it"), ZeroDivisionError("by zero")])
def test_an_error_comes_back_from_the_worker(error):
    """In its place in the order, with the worker's own traceback."""
    mapped = ordered_map(make_failing, (error,), range(100), 2)
    assert [next(mapped) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(type(error), match=str(error)) as caught:
        next(mapped)
    assert "in work" in caught.value.__notes__[0]


def test_an_error_in_the_making_comes_back():
    with pytest.raises(TypeError, match="make_echo"):
        list(ordered_map(make_echo, ("one argument too many",), range(100), 2))


def test_a_call_in_a_process_of_its_own():
    assert in_process(lambda x: (x, os.getpid()), 3)[0] == 3
    assert in_process(os.getpid) != os.getpid()
    with pytest.raises(ZeroDivisionError):
        in_process(lambda: 1 / 0)
    with pytest.raises(InputError, match="killed"):
        in_process(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_no_process_is_left_when_the_reader_stops():
    mapped = ordered_map(make_slow_echo, (), range(1000), 3)
    processes = {process for _, process in (next(mapped) for _ in range(9))}
    assert len(processes) == 3 and all(map(alive, processes))
    mapped.close()
    assert not any(map(alive, processes))


def test_no_process_is_left_when_the_parent_is_killed():
    """The workers notice the end of their pipes, also the older ones, whose pipes the younger took along."""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        for _, process in ordered_map(make_slow_echo, (), range(10**9), 3):
            os.write(writing, b"%d\n" % process)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        processes = {int(next(lines)) for _ in range(9)}
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
    assert len(processes) == 3
    deadline = time.monotonic() + 10
    while any(map(alive, processes)):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.02)
