"""``mass-plugins back-translate`` as its user runs it: killed and run again, in shards, to a training on the pairs."""

import gzip
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import tiny
from tests.conftest import ROOT, Finished, environment, run, script

DIRECTION = ("--source", "en", "--target", "de")
LINES = 1200
HOW = ("--sampling", "--buffer", 20)  # draws would differ if a chunk were translated twice or left out


@pytest.fixture(scope="module")
def news(tmp_path_factory) -> list[Path]:
    """Two files of English, with lines that come twice, are empty or too long."""
    folder = tmp_path_factory.mktemp("news")
    lines = tiny.sentences(LINES, ["en"], "news")["en"]
    lines[100], lines[700], lines[750:760] = "", "sing " * 90, lines[:10]
    (folder / "a.en").write_text("".join(f"{line}\n" for line in lines[:600]))
    with gzip.open(folder / "b.en.gz", "wt") as file:
        file.writelines(f"{line}\n" for line in lines[600:])
    return [folder / "a.en", folder / "b.en.gz"]


@pytest.fixture
def command(translating, news):
    """The command's words."""

    def words(destdir: Path, *flags) -> list[str]:
        model = translating / "checkpoint_last.pt"
        start = [sys.executable, "-m", "mass_plugins", "back-translate", model, *DIRECTION]
        return list(map(str, [*start, "--input", *news, "--destdir", destdir, *flags]))

    return words


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def position(folder: Path) -> int:
    try:
        return json.loads((folder / "bt.json").read_text())["position"]
    except FileNotFoundError:
        return 0


def kill_at(arguments, folder: Path, line: int) -> None:
    """Run a command and kill it as soon as it has gone beyond ``line``."""
    with subprocess.Popen(arguments, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and position(folder) <= line:
            time.sleep(0.002)
        process.kill()
        assert process.stdout.read() == ""
    assert process.returncode == -signal.SIGKILL
    assert line < position(folder) < LINES
    assert set(contents(folder)) <= {"bt.de.part", "bt.en.part", "bt.seen.part", "bt.json", "bt.json.tmp"}


def test_killed_and_run_again_it_ends_with_the_files_of_an_undisturbed_run(command, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    report = run(command(whole, *HOW), cwd=ROOT).stdout
    told = rf"\n{LINES} lines read, \d+ left out: \d\d+ duplicates, 1 empty, 1 over 63 sub-words"
    assert re.search(told, report), report
    for line in (0, 400):
        kill_at(command(broken, *HOW), broken, line)
    at = position(broken)
    done = run(command(broken, *HOW), cwd=ROOT)
    assert done.stderr == "" and f"({LINES - at} lines in this run)" in done.stdout
    assert contents(broken) == contents(whole)
    assert set(contents(whole)) == {"bt.de", "bt.en", "bt.json"}


def preprocess(prefix: Path, data_bin: Path, destdir: Path) -> Finished:
    dictionaries = ("--srcdict", data_bin / "dict.de.txt", "--tgtdict", data_bin / "dict.en.txt")
    languages = ("--source-lang", "de", "--target-lang", "en", "--trainpref", prefix)
    return run([script("fairseq-preprocess"), *languages, *dictionaries, "--destdir", destdir])


def test_shards_are_trained_on_with_real_pairs(command, tmp_path, tiny_data_bin, run_fairseq):
    """Sub-words, as README has it: shards, one file of them, fairseq-preprocess, an epoch of each kind in turn."""
    for shard in ("0/2", "1/2"):
        run(command(tmp_path / "bt", "--shard", shard, "--tag", "madeupword0000"), cwd=ROOT)
    made = contents(tmp_path / "bt")
    for language in ("de", "en"):
        parts = [made[f"bt.{index}-of-2.{language}"] for index in (0, 1)]
        (tmp_path / "bt" / f"bt.{language}").write_bytes(b"".join(parts))
    preprocess(tmp_path / "bt" / "bt", tiny_data_bin, tmp_path / "bt-bin")
    log = (tmp_path / "bt-bin" / "preprocess.log").read_text()
    assert log.count("0.0% replaced") == 2, log
    done = run_fairseq(
        "train", f"{tiny_data_bin}:{tmp_path / 'bt-bin'}", *tiny.FINETUNE, "--directions", "de-en", "--max-epoch", 2,
        "--save-dir", tmp_path / "checkpoints",
    )  # fmt: skip
    assert "done training" in done.stdout
