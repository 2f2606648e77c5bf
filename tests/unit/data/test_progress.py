"""The bar goes together with processes that fork, and leaves tqdm as it is for others."""

import threading

from tqdm import tqdm

from mass_plugins.data.progress import Progress


def test_no_thread_beside_the_bar_and_tqdm_unchanged(capsys):
    before = tqdm.monitor_interval
    with Progress("lines", show=True, total=3) as bar:
        bar.add(3)
        assert not [thread for thread in threading.enumerate() if type(thread).__name__ == "TMonitor"]
    assert tqdm.monitor_interval == before > 0
    assert "lines: 100%" in capsys.readouterr().err
