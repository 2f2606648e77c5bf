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
from fairseq.data import Dictionary, data_utils

from mass_plugins.data.text import TextCodec
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


@pytest.fixture
def prepare(tmp_path):
    """Runs prepare.py in the test's folder."""

    def command(*arguments) -> Finished:
        flags = [word for argument in arguments for word in str(argument).split()]
        return run([sys.executable, ROOT / "preprocess" / "prepare.py", *flags, "--workers", 1], cwd=tmp_path)

    return command


def test_raw_pairs_with_a_reserved_tag_are_prepared_with_real_ones(tmp_path, prepare, run_fairseq):
    """As README has it: a tag is reserved, a model trained, back-translates, its pairs are prepared and trained on."""
    for name, lines in (("real", 80), ("dev", 10)):
        for language, text in tiny.sentences(lines, ("de", "en"), name).items():
            (tmp_path / f"{name}.{language}").write_text("".join(f"{line}\n" for line in text))
    news = tiny.sentences(50, ["en"], "more")["en"]
    (tmp_path / "news.en").write_text("".join(f"{line}\n" for line in news))
    prepare("--parallel de-en=real --valid-parallel de-en=dev --vocab-size 160 --reserve <BT> --destdir first")
    assert (tmp_path / "first" / "dict.de.txt").read_text().startswith("[MASK] 1\n<BT> 1\n")
    training = (*tiny.FINETUNE, "--disable-validation", "--lr", 0.01, "--log-format", "none", "--save-dir")
    run_fairseq("train", tmp_path / "first", *training, tmp_path / "model", "--max-update", 150)
    made = run(
        [sys.executable, "-m", "mass_plugins", "back-translate", tmp_path / "model" / "checkpoint_last.pt", *DIRECTION,
         "--input", tmp_path / "news.en", "--destdir", tmp_path, "--raw", "--tag", "<BT>"], cwd=ROOT,
    )  # fmt: skip
    sources = (tmp_path / "bt.de").read_text().splitlines()
    assert len(sources) > 25 and all(line.startswith("<BT> ") for line in sources), made.stdout
    prepare("--like first --parallel de-en=real bt --valid-parallel de-en=dev --destdir second")

    def rows(language: str) -> list[str]:
        dictionary = Dictionary.load(str(tmp_path / "second" / f"dict.{language}.txt"))
        prefix = str(tmp_path / "second" / f"train.de-en.{language}")
        return [dictionary.string(row) for row in data_utils.load_indexed_dataset(prefix, dictionary)]

    codec = TextCodec.load(tmp_path / "second")
    pairs = [(de, en) for de, en in zip(rows("de"), rows("en")) if "<BT>" in de]
    assert 25 < len(pairs) <= len(sources) and not any("<BT>" in en for _, en in pairs)
    assert {codec.decode(de, "de") for de, _ in pairs} <= set(sources)
    assert {codec.decode(en, "en") for _, en in pairs} <= set(news)
    done = run_fairseq("train", tmp_path / "second", *training, tmp_path / "again", "--max-update", 2)
    assert "done training" in done.stdout
