"""The recipes on WMT's news, on a tiny local mirror of its files; the other two pairs: tests/learning."""

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wmt_mirror import PAIRS, make_mirror

ROOT = Path(__file__).resolve().parents[2]
DOWNLOAD = """\
source "$ROOT/examples/common.sh"
source "$ROOT/examples/wmt.sh"
source "$CONFIG"
main() { for address in $ADDRESSES; do get "https://$address"; done; }
main
exit
"""


def environment(folder, **more):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "JOBS": "2", "THREADS": "1", "WORK": str(folder / "work"),
            "CONFIG": str(folder / "config.sh"), "MIRROR": f"file://{folder}/mirror", **more}  # fmt: skip


def run_recipe(pair, folder, *words, **more):
    """Status, stdout and stderr of the recipe of a pair."""
    command = ["bash", ROOT / "examples" / f"unsupervised_wmt_{pair}" / "run.sh", *words]
    return subprocess.run(
        command, env=environment(folder, **more), capture_output=True, text=True, timeout=1200, check=False
    )


def check_result(pair, folder):
    """Every system in every setting has both metrics, each with its signature."""
    result = json.loads((folder / "work" / "result.json").read_text())
    other = pair.removeprefix("en")
    settings = {f"en-{other}": other, f"{other}-en": "en"}
    found = {(score["setting"].removesuffix(" (no diacritics)"), score["system"], score["metric"]): score
             for score in result["scores"]}  # fmt: skip
    assert len(found) == len(result["scores"]) == 2 * (2 + 4)
    for direction, target in settings.items():
        systems = {(direction, "mass + back-translation")}
        systems |= {(f"{direction}, 40 pairs", system) for system in ("mass", "scratch")}
        for setting, system in systems:
            plain, tokenized = (found[setting, system, metric] for metric in ("BLEU", "tokenized BLEU"))
            assert "tok:13a" in plain["signature"] and "tok:none|smooth:none|version:" in tokenized["signature"]
            assert f"|moses:{target}|" in tokenized["signature"]
            assert plain["setting"].endswith("(no diacritics)") == (target == "ro")
            assert not plain["paper"] and bool(tokenized["paper"]) == (system == "mass + back-translation")
    assert result["example"] == f"unsupervised_wmt_{pair}" and result["status"] == "scaled down"
    assert {test["system"] for test in result["comparisons"]} == {"mass"}


def test_romanian_recipe_from_the_mirror_to_the_scores(tmp_path):
    """Cut off in pre-training, then run to its end; the third time there is nothing left to do."""
    make_mirror(tmp_path, "enro")
    first = subprocess.Popen(
        ["bash", ROOT / "examples" / "unsupervised_wmt_enro" / "run.sh", "unsupervised"],
        env=environment(tmp_path), stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    for line in first.stdout:
        if b"pretraining" in line:
            os.kill(first.pid, signal.SIGINT)
            break
    first.communicate(timeout=120)
    assert first.returncode == 130
    done = run_recipe("enro", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    check_result("enro", tmp_path)
    again = run_recipe("enro", tmp_path)
    assert again.returncode == 0 and "starts" not in again.stdout
    text = b"".join(gzip.decompress(file.read_bytes()) for file in tmp_path.glob("work/news.ro-*/news.ro.gz")).decode()
    files = [*tmp_path.glob("work/tests-*/*.ro"), *tmp_path.glob("work/pairs.40-*/train.ro")]
    text += "".join(file.read_text() for file in files)
    assert len(files) == 4 and "stula" in text and not set("șşțţăâîȘŢ") & set(text)
    for side in tmp_path.glob("work/pairs-*/all.*.gz"):
        assert gzip.decompress(side.read_bytes()).count(b"\n") == 2 * PAIRS
    unknown = run_recipe("enro", tmp_path, "everything")
    assert unknown.returncode == 1 and "there is no everything" in unknown.stderr
    wrong = run_recipe("enro", tmp_path, PROCESSES="3")
    assert wrong.returncode == 1 and "can't be shared by 3 processes" in wrong.stderr


@pytest.fixture
def download(tmp_path):
    """download(content, known) → (the process, what it downloaded), of one file of a mirror."""
    name = "data.statmt.org/news-crawl/fr/news.2007.fr.shuffled.deduped.gz"
    recipe = tmp_path / "recipes" / "some" / "run.sh"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(DOWNLOAD.replace("$ROOT", str(ROOT)))

    def run(content, known="", address=name):
        path = tmp_path / "mirror" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        (tmp_path / "config.sh").write_text(f'KNOWN=([https://{name}]="{known}")\n')
        done = subprocess.run(
            ["bash", recipe], env=environment(tmp_path, ADDRESSES=address), capture_output=True, text=True, check=False
        )
        return done, [file.read_bytes() for file in tmp_path.glob("work/download.*/*.gz")]

    return run


def test_a_file_is_checked_and_got_once(download, tmp_path):
    packed = gzip.compress(b"un\n" * 1000)
    good = f"{len(packed)} {hashlib.sha256(packed).hexdigest()}"
    for content, known, message in (
        (packed, f"{len(packed) + 1} {hashlib.sha256(packed).hexdigest()}", f"has {len(packed)} bytes, not"),
        (packed, f"{len(packed)} {'0' * 64}", "has another checksum"),
        (packed[:-9], "", "unexpected end of file"),
    ):
        done, files = download(content, known)
        assert done.returncode == 1 and message in done.stderr and not files
    # what an interruption has left is gone on from, whole or not
    (part,) = (folder / "news.2007.fr.shuffled.deduped.gz.part" for folder in tmp_path.glob("work/download.*"))
    part.write_bytes(packed[:20])
    done, files = download(packed, good)
    assert done.returncode == 0 and files == [packed] and not part.exists()
    (part.parent / ".done").unlink()
    part.with_suffix("").rename(part)
    done, files = download(packed, good)
    assert done.returncode == 0 and files == [packed]
    done, files = download(b"another", good)  # done, so nothing is read
    assert done.returncode == 0 and files == [packed]


def test_a_missing_file_is_named(download):
    done, files = download(b"", address="data.statmt.org/none.gz")
    assert done.returncode == 1 and "none.gz" in done.stderr and not files
