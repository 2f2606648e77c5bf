"""Text of the Mirror-BERT recipes: files of all kinds to sentences, strings, words."""

import gzip
import hashlib
import io
import lzma
import subprocess
import sys
import urllib.error
import zipfile
from pathlib import Path

import pytest

from examples import mirror_bert_text as tool

ROOT = Path(__file__).resolve().parents[3]


def call(*words, expect=0):
    assert tool.main([str(word) for word in words]) == expect


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_files_from_a_folder_whatever_packs_them(tmp_path, out, monkeypatch):
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    deep = tmp_path / "data" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "plain.txt").write_text("one\n")
    (deep / "packed.txt.gz").write_bytes(gzip.compress(b"two\n"))
    (deep / "other.txt.xz").write_bytes(lzma.compress(b"three\n"))
    call("get", out, "plain.txt=x", "packed.txt=x", "other.txt=x")
    assert [(out / f"{n}.txt").read_text() for n in ("plain", "packed", "other")] == ["one\n", "two\n", "three\n"]


def test_a_missing_file_is_told(tmp_path, out, monkeypatch, capsys):
    monkeypatch.setenv("DATA", str(tmp_path))
    call("get", out, "lost.txt=x", expect=1)
    assert "has no lost.txt" in capsys.readouterr().err and not list(out.iterdir())


def test_files_from_their_addresses(tmp_path, out, monkeypatch):
    monkeypatch.delenv("DATA", raising=False)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"one\n"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("folder/b.txt", "two\n")
    call("get", out, f"a.txt=file://{tmp_path}/a.gz", f"b.txt=file://{tmp_path}/b.zip#folder/b.txt")
    assert (out / "a.txt").read_text() == "one\n" and (out / "b.txt").read_text() == "two\n"


def test_a_download_is_tried_again_and_its_failure_is_a_line(out, monkeypatch, capsys):
    """An address that answers at the third try; one that never does."""
    monkeypatch.delenv("DATA", raising=False)
    monkeypatch.setattr(tool, "PAUSE", 0)
    asked = []

    def opened(address, timeout):
        asked.append((address, timeout))
        if address == "https://slow" and len(asked) == 3:
            return io.BytesIO(b"text\n")
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(tool.urllib.request, "urlopen", opened)
    call("get", out, "a.txt=https://slow")
    assert (out / "a.txt").read_text() == "text\n" and all(timeout > 0 for _, timeout in asked)
    call("get", out, "b.txt=https://dead", expect=1)
    assert capsys.readouterr().err == (
        "mass_plugins: error: https://dead can't be fetched (no route); try again later, or name a folder with the "
        "file by DATA=folder\n"
    )
    assert [path.name for path in out.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("data", [False, True])
def test_another_content_is_refused(tmp_path, out, monkeypatch, capsys, data):
    """A DATA folder may have either copy, an address its own only."""
    table = tmp_path / "table.tsv"
    lines = [("whole\n", "address"), ("less\n", "DATA")]
    rows = [f"a.txt\t1\t{hashlib.sha256(text.encode()).hexdigest()}\t{copy}\n" for text, copy in lines]
    table.write_text("# head\n" + "".join(rows))
    folder = tmp_path / "data"
    for content, good in (("whole\n", True), ("less\n", data), ("other\n", False)):
        (folder / "x").mkdir(parents=True, exist_ok=True)
        (folder / "x" / "a.txt").write_text(content)
        monkeypatch.setenv("DATA", str(folder) if data else "")
        call("get", out, f"a.txt=file://{folder}/x/a.txt", "--sums", table, expect=int(not good))
        assert (out / "a.txt").exists() == good
        (out / "a.txt").unlink(missing_ok=True)
    assert "another checksum than the a.txt of this recipe" in capsys.readouterr().err
    if data:  # of two files of this name the right one
        (folder / "a.txt").write_text("less\n")
        call("get", out, "a.txt=x", "--sums", table)
        assert (out / "a.txt").read_text() == "less\n"


def test_sentences_of_all_kinds_without_those_to_be_scored(tmp_path, out):
    (tmp_path / "lines").write_text("A cat sat here. A dog ran off!\nToo short\nA cat sat here.\nA scored line here.\n")
    (tmp_path / "tsv").write_text("One two three\tx\nfour five six\ty\n")
    (tmp_path / "json").write_text('{"turns": ["Hello there friend.", "Bye"]}\n')
    (tmp_path / "turns").write_text("How are you ? __eou__ Fine , thank you . __eou__\n")
    (tmp_path / "2012.A.test.tsv").write_text("1\ta scored line here.\tb\n2\tc\td\n")
    files = [f"{tmp_path}/{name}" for name in ("lines=lines", "tsv=tsv:0", "json=json:turns", "turns=turns")]
    call("sentences", out, *files, "--without", tmp_path / "2012.A.test.tsv")
    found = [line for split in ("train", "valid") for line in (out / f"{split}.txt").read_text().splitlines()]
    assert sorted(found) == sorted(
        ["A cat sat here.", "A dog ran off!", "One two three", "four five six", "Hello there friend.", "How are you ?",
         "Fine , thank you ."]
    )  # fmt: skip


def test_what_made_the_files_is_not_in_the_text(tmp_path, out):
    lines = [" = = A heading here = = ", "It &apos;s 7 @,@ 781 feet &amp; a well @-@ known one .", "a = b + c here",
             "R&D; costs AT&T dearly"]  # fmt: skip
    (tmp_path / "text").write_text("".join(f"{line}\n" for line in lines))
    call("sentences", out, f"{tmp_path / 'text'}=lines")
    assert sorted((out / "train.txt").read_text().splitlines()) == [
        "It 's 7,781 feet & a well-known one .", "R&D; costs AT&T dearly", "a = b + c here"
    ]  # fmt: skip


def test_bad_input_is_a_line(tmp_path, out, capsys):
    (tmp_path / "text.txt").write_text("one two two\n")
    text, nofile = tmp_path / "text.txt", tmp_path / "nofile"
    for words, told in (
        (("words", tmp_path / "lost", text), "lost is no folder; make it first"),
        (("strings", out, nofile), "nofile doesn't exist; give a file of scored pairs"),
        (("sentences", out, f"{text}=lines", "--without", nofile), "nofile doesn't exist"),
        (("words", out, nofile), "nofile doesn't exist"),
    ):
        call(*words, expect=1)
        error = capsys.readouterr().err
        assert told in error and "--folders" not in error and error.count("\n") == 1


def test_strings_are_different_texts_drawn_by_the_seed(tmp_path, out):
    table = tmp_path / "stsb-en-train.csv"
    table.write_text("".join(f"text {n},text {n + 1},{n % 5}.0\n" for n in range(20)))
    call("strings", out, table, "--number", 15)
    first = (out / "strings.txt").read_text()
    assert len(set(first.splitlines())) == 15
    call("strings", out, table, "--number", 15)
    assert (out / "strings.txt").read_text() == first
    call("strings", out, table, "--number", 15, "--seed", 2)
    assert (out / "strings.txt").read_text() != first
    call("strings", out, table, "--number", 99, expect=1)


def test_words_by_frequency(tmp_path, out):
    (tmp_path / "text.txt").write_text("The cat, the 2 dogs; the cat's toy. Well-known über! DOGS\n")
    call("words", out, tmp_path / "text.txt", "--number", 3)
    assert (out / "strings.txt").read_text().splitlines() == ["the", "dogs", "cat"]


def test_it_runs_as_a_script(tmp_path, out):
    (tmp_path / "text.txt").write_text("one two two\n")
    command = [sys.executable, str(ROOT / "examples" / "mirror_bert_text.py"), "words", str(out)]
    subprocess.run([*command, str(tmp_path / "text.txt")], check=True, capture_output=True)
    assert (out / "strings.txt").read_text() == "two\none\n"
