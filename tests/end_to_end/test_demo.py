"""`make demo` with little text and few updates, and what a reader may do to it."""

import json
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, run, run_until

DEMO = [sys.executable, ROOT / "examples" / "demo" / "demo.py"]
SMALL = ["--sentences", "300", "--updates", "4", "--bt-updates", "4"]
DIRECTIONS = (("sola", "druk"), ("druk", "sola"))


def read(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.fixture(scope="module")
def finished(once) -> Path:
    """The work folder of a demo that was cut off in pre-training and then ran to its end."""

    def make(folder: Path):
        work = folder / "work"
        stopped = run_until([*DEMO, *SMALL, "--work", work], "3 of 5", signal.SIGINT)
        (folder / "stopped").write_text(json.dumps([stopped.status, stopped.stderr]))
        (folder / "stdout").write_text(run([*DEMO, *SMALL, "--work", work]).stdout)

    return once("demo", make)


def test_it_goes_on_after_ctrl_c(finished):
    status, stderr = json.loads((finished / "stopped").read_text())
    assert (status, stderr) == (130, "\ndemo.py: interrupted; the same command goes on from here\n")
    assert "1 of 5: text: done before" in (finished / "stdout").read_text()


def test_what_the_reader_sees(finished):
    text = (finished / "stdout").read_text()
    for source, target in DIRECTIONS:
        lines = {end: read(finished / "work" / "text" / f"pairs.test.sola-druk.{end}") for end in (source, target)}
        translations = read(finished / "work" / f"test.{source}-{target}.{target}")
        assert len(translations) == len(lines[target]) == 500
        for line, reference, translation in list(zip(lines[source], lines[target], translations))[:5]:
            assert f"\n  {source:<12} {line}\n" in text and f"\n  reference    {reference}\n" in text
            assert f"\n  {target}, ours   {translation}" in text
    assert "signature: nrefs:1|case:mixed|" in text
    assert (finished / "work" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_no_pair_is_trained_on(finished):
    """Pairs are for validation and test alone."""
    names = {path.name for path in (finished / "work" / "data-bin").iterdir()}
    assert {"valid.sola-druk.sola.idx", "train.sola-None.sola.idx", "train.druk-None.druk.idx"} <= names
    assert not [name for name in names if name.startswith("train.sola-druk")]


def test_the_result_is_a_record_like_those_of_the_recipes(finished):
    result = json.loads((finished / "work" / "result.json").read_text())
    assert (result["example"], result["status"]) == ("demo", "scaled down")
    assert result["command"] == f"python examples/demo/demo.py {' '.join(SMALL)}"
    assert {"commit", "dirty", "config_hash", "versions", "hardware", "claim"} <= result.keys()
    printed = re.findall(r"^  (sola-druk|druk-sola)  \S.*? {2,}([\d.]+)   ", (finished / "stdout").read_text(), re.M)
    expected = [(f"{s}-{t}", system) for s, t in DIRECTIONS for system in ("copy", "mass+bt")]
    for score, (setting, system), shown in zip(result["scores"], expected, printed, strict=True):
        assert (score["system"], score["setting"], score["metric"], score["seeds"]) == (system, setting, "BLEU", [1])
        assert score["signature"].startswith("nrefs:1|case:mixed|")
        assert shown[0] == setting and float(shown[1]) == pytest.approx(score["mean"], abs=0.06)
    compared = [(one["setting"], one["system"], one["baseline"]) for one in result["comparisons"]]
    assert compared == [(f"{s}-{t}", "mass+bt", "copy") for s, t in DIRECTIONS]
    stamps = [json.loads(path.read_text()) for path in (finished / "work" / "stamps").iterdir()]
    assert len(stamps) == 6 and min(stamp["seconds"] for stamp in stamps) > 0
    assert result["seconds"] == round(sum(stamp["seconds"] for stamp in stamps))


def test_all_is_done_already(finished):
    before = (finished / "work" / "result.json").read_bytes()
    done = run([*DEMO, *SMALL, "--work", finished / "work"])
    assert done.stdout.startswith("All is done already")
    assert (finished / "work" / "result.json").read_bytes() == before
    assert done.stdout.split("\n\n", 1)[1].rsplit("\n", 2)[0] in (finished / "stdout").read_text()


def test_commands_that_it_prints_can_be_copied(finished):
    text = (finished / "stdout").read_text()
    command = next(line for line in text.splitlines() if line.startswith("  echo '"))
    done = run(["bash", "-c", command], cwd=ROOT)
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--updates", "0"], "argument --updates: '0' is not 1 or more"),
        (["--work", "/proc/demo"], "--work /proc/demo"),
        (["--work", str(ROOT / "tests")], "holds other files than the demo's"),
    ],
)
def test_wrong_flags(flags, words):
    done = run([*DEMO, *flags], expect=None)
    assert words in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""
