"""The bar goes together with processes that fork, and leaves tqdm as it is for others."""

import threading

from tqdm import tqdm

from mass_plugins.data.progress import Progress


def test_no_thread_beside_the_bar_and_tqdm_unchanged(capsys):
    before, threads = tqdm.monitor_interval, set(threading.enumerate())  # another library's bar may have a thread
    with Progress("lines", show=True, total=3) as bar:
        bar.add(3)
        assert set(threading.enumerate()) <= threads
    assert tqdm.monitor_interval == before > 0
    assert "lines: 100%" in capsys.readouterr().err
