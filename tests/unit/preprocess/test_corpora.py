"""The command line's files: what they mean, and everything that can be wrong with them."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from mass_plugins.data.text_files import open_text
from mass_plugins.errors import InputError
from preprocess.corpora import inspect_corpora, inspect_file, parse_mono, parse_parallel

OPENERS = {"": open, ".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


def test_languages_and_their_files():
    en, fr = parse_mono(["en=a.txt", "b.txt", "fr=c.txt", "en=d=e.txt"], "train", "--mono")
    assert (en.languages, fr.languages) == (("en",), ("fr",))
    assert en.parts == ((Path("a.txt"),), (Path("b.txt"),), (Path("d=e.txt"),))
    assert (en.kind, en.name, en.split) == ("mono", "en", "train")


def test_patterns(write, tmp_path):
    write("news.2.en", ["b"]), write("news.1.en", ["a"])
    (corpus,) = parse_mono([f"en={tmp_path}/news.*.en"], "train", "--mono")
    assert [part[0].name for part in corpus.parts] == ["news.1.en", "news.2.en"]


def test_prefixes_and_pairs_of_files(write, tmp_path):
    write("a.de", ["x"]), write("a.en.gz", ["x"])
    (corpus,) = parse_parallel([f"de-en={tmp_path}/a", "b.txt,c.txt"], "train", "--parallel")
    assert corpus.parts == ((tmp_path / "a.de", tmp_path / "a.en.gz"), (Path("b.txt"), Path("c.txt")))
    assert (corpus.kind, corpus.name) == ("parallel", "de-en")


def test_pairs_of_one_language_are_a_source_and_a_target(write, tmp_path):
    write("a.source", ["x"]), write("a.target.gz", ["x"])
    (corpus,) = parse_parallel([f"en-en={tmp_path}/a", "b.txt,c.txt"], "train", "--parallel")
    assert corpus.parts == ((tmp_path / "a.source", tmp_path / "a.target.gz"), (Path("b.txt"), Path("c.txt")))
    assert (corpus.kind, corpus.name, corpus.sides, corpus.of_one_language) == (
        "parallel", "en-en", ("source", "target"), True,
    )  # fmt: skip
    (other,) = parse_parallel(["en-fr=a"], "train", "--parallel")
    assert other.sides == other.languages and not other.of_one_language


@pytest.mark.parametrize(
    ("parse", "tokens", "message"),
    [
        (parse_mono, ["a.txt"], "--x 'a.txt' names no language and file; write it like --x en=a.txt"),
        (parse_mono, ["en="], "--x 'en' names no language and file"),
        (parse_mono, ["zh-CN=a.txt"], "--x 'zh-CN' names no language and file"),
        (parse_parallel, ["en=a.txt"], "--x 'en' names no language and file; write it like --x en-fr=corpus/train"),
        (parse_parallel, ["en-fr=a", "fr-en=b"], "--x has fr-en and its reverse"),
    ],
)
def test_what_cannot_be_understood(parse, tokens, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        parse(tokens, "train", "--x")


@pytest.mark.parametrize("suffix", OPENERS)
def test_the_content_tells_the_compression(suffix, tmp_path):
    path = tmp_path / "text"
    with OPENERS[suffix](path, "wb") as stream:
        stream.write("schön\nx".encode())
    with open_text(path) as stream:
        assert stream.read().decode() == "schön\nx"
    plain = tmp_path / "plain"
    plain.write_text("schön\nx")
    assert inspect_file(path, "--mono").lines == 2
    assert inspect_file(path, "--mono").digest == inspect_file(plain, "--mono").digest  # of the text, not of the file


@pytest.mark.parametrize("suffix", OPENERS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n" * 2000 + "schön\n".encode("latin-1"), "line 2001 is not UTF-8; convert the file"),
        ("schön\n".encode("utf-16"), r"line 1 is not UTF-8; convert the file \(iconv -f UTF-16"),
        (b"a\nb\nan [MASK] is here\n", r"line 3 holds \[MASK\], which pre-training reserves"),
        (b"", "is empty; give a file with text"),
    ],
)
def test_files_that_do_not_fit(suffix, content, message, tmp_path):
    path = tmp_path / f"text{suffix}"
    with OPENERS[suffix](path, "wb") as stream:
        stream.write(content)
    with pytest.raises(InputError, match=f"^--mono: {path}.*{message}"):
        inspect_file(path, "--mono")


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2"])
def test_a_file_that_was_cut_off(suffix, tmp_path):
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    with OPENERS[suffix](whole, "wb") as stream:
        stream.write(b"".join(b"line %d\n" % i for i in range(1000)))
    cut.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(InputError, match="cut.* is damaged or cut off .*; fetch it again"):
        inspect_file(cut, "--mono")


def test_a_file_that_is_garbage_after_its_first_bytes(tmp_path):
    for magic in (b"\x1f\x8b\x08\x00", b"\xfd7zXZ\x00", b"BZh9"):
        (tmp_path / "text").write_bytes(magic + b"garbage" * 50)
        with pytest.raises(InputError, match="text is damaged or cut off .*; fetch it again"):
            inspect_file(tmp_path / "text", "--mono")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputError, match="^--mono: .*/no doesn't exist; check the path"):
        inspect_file(tmp_path / "no", "--mono")
    with pytest.raises(InputError, match="^--mono: .* is a folder or a pipe"):
        inspect_file(tmp_path, "--mono")


@pytest.mark.parametrize("workers", [1, 2])
def test_sides_of_different_length(workers, write, tmp_path):
    write("a.de", ["x"] * 5), write("a.en", ["x"] * 5), write("b.de", ["x"] * 7), write("b.en", ["x"] * 6)
    good = parse_parallel([f"de-en={tmp_path}/a"], "train", "--parallel")
    counted = []
    found = inspect_corpora(good, workers, counted.append)
    assert [found[path].lines for path in good[0].parts[0]] == [5, 5] == counted
    bad = parse_parallel([f"de-en={tmp_path}/a", f"{tmp_path}/b"], "valid", "--valid-parallel")
    with pytest.raises(InputError, match="^--valid-parallel de-en: .*b.de has 7 lines and .*b.en has 6; line n of one"):
        inspect_corpora(bad, workers, counted.append)
