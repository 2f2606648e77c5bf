"""Lines of files, plain and compressed, and the parts that several processes share them in."""

import bz2
import gzip
import io
import lzma
import sys
from collections import Counter

import pytest

from mass_plugins.data.text_files import Shard, count_lines, read_lines, stdin_lines, whole_file
from mass_plugins.errors import InputError

OPENERS = {"": open, ".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
LINES = [f"line {number % 70} schön" for number in range(200)]


@pytest.fixture
def files(tmp_path):
    """The same 200 lines in files of each kind, in four parts."""
    paths = []
    for number, (suffix, opener) in enumerate(OPENERS.items()):
        paths.append(tmp_path / f"text{number}{suffix}")
        with opener(paths[-1], "wb") as file:
            file.write("".join(line + "\n" for line in LINES[50 * number : 50 * number + 50]).encode())
    return paths


def texts(*arguments, **options):
    return [line for _, line in read_lines(*arguments, **options)]


def test_one_file_after_the_other(files):
    assert list(read_lines(files, "--input")) == list(enumerate(LINES, start=1))
    assert count_lines(files, "--input") == 200


@pytest.mark.parametrize("skip", [0, 1, 49, 50, 51, 120, 199, 200, 300])
def test_skipped_lines_are_counted_as_if_they_were_read(files, skip):
    assert list(read_lines(files, "--input", skip=skip)) == list(enumerate(LINES, start=1))[skip:]
    shard = Shard(1, 3)
    after = [item for item in read_lines(files, "--input", shard) if item[0] > skip]
    assert list(read_lines(files, "--input", shard, skip)) == after


@pytest.mark.parametrize("count", [1, 2, 7])
def test_shards_are_disjoint_and_all_together_the_whole(files, count):
    parts = [texts(files, "--input", Shard(index, count)) for index in range(count)]
    assert sum(map(Counter, parts), Counter()) == Counter(LINES)
    assert [count_lines(files, "--input", Shard(index, count)) for index in range(count)] == list(map(len, parts))
    for number, part in enumerate(parts):  # equal lines are in one part, and lie in the order of the file
        assert not any(set(part) & set(other) for other in parts[:number])
        assert part == [line for line in LINES if line in set(part)]


def test_shards_are_of_about_one_size():
    lines = [f"A sentence of its own, number {number}.\n".encode() for number in range(10_000)]
    for count in (2, 3, 8, 64):
        sizes = Counter(index for line in lines for index in range(count) if Shard(index, count).holds(line))
        assert min(sizes.values()) > 0.6 * len(lines) / count and sum(sizes.values()) == len(lines)


def test_line_ends_and_white_space_do_not_choose_the_shard():
    lines = [b"a b c", b"a b c\n", b"a b c\r\n", b" a b c \n", b"a  b\tc\n"]
    assert len({index for line in lines for index in range(50) if Shard(index, 50).holds(line)}) == 1


@pytest.mark.parametrize("text", ["", "1", "4/4", "-1/4", "1/0", "a/b", "1/4/", "0/0", "1.0/4"])
def test_what_is_no_shard(text):
    with pytest.raises(InputError, match=f"^--shard {text} is not I/N with I from 0 to N-1; .*0/4, 1/4"):
        Shard.parse(text)


def test_shards_as_text():
    assert Shard.parse("3/16") == Shard(3, 16) and str(Shard(3, 16)) == "3/16"


def test_only_a_line_feed_ends_a_line(tmp_path, monkeypatch):
    """In files and in stdin; a carriage return before it is of the end, too, but one only."""
    (tmp_path / "a").write_bytes("a\rb\x0b\x85\u2028 \r\n\r\r\n\nlast".encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "a").read_bytes())))
    assert texts([tmp_path / "a"], "--input") == [*stdin_lines()] == ["a\rb\x0b\x85\u2028 ", "\r", "", "last"]
    assert count_lines([tmp_path / "a"], "--input") == 4


@pytest.mark.parametrize("suffix", OPENERS)
def test_files_that_do_not_fit(suffix, tmp_path):
    bad, good = tmp_path / f"bad{suffix}", tmp_path / "good"
    good.write_text("a\nb\n")
    with OPENERS[suffix](bad, "wb") as file:
        file.write(b"a\n" * 20 + "schön\n".encode("latin-1"))
    for read in (count_lines, texts):
        with pytest.raises(InputError, match=rf"^--input: {bad}, line 21 is not UTF-8; .*iconv -f ISO-8859-1"):
            read([good, bad], "--input")
    with OPENERS[suffix](bad, "wb"):
        pass
    with pytest.raises(InputError, match=f"^--input: {bad} is empty; give a file with text"):
        count_lines([good, bad], "--input")
    if suffix:
        with OPENERS[suffix](bad, "wb") as file:
            file.write("".join(line + "\n" for line in LINES).encode())
        bad.write_bytes(bad.read_bytes()[:-12])
        for read in (count_lines, texts):
            with pytest.raises(InputError, match=f"^--input: {bad} is damaged or cut off .*; fetch it again"):
                read([good, bad], "--input")


def test_what_is_no_file(tmp_path):
    for read in (count_lines, texts):
        with pytest.raises(InputError, match="^--input: .*/none doesn't exist; check the path"):
            read([tmp_path / "none"], "--input")
        with pytest.raises(InputError, match="^--input: .* is a folder or a pipe"):
            read([tmp_path], "--input")


def test_lines_come_while_the_file_is_read(tmp_path):
    """No more is read than is asked for: what is wrong at the end shows at the end."""
    path = tmp_path / "text"
    path.write_bytes(b"a\n" * 1000 + b"\xff\n")
    lines = read_lines([path], "--input")
    assert [next(lines)[1] for _ in range(1000)] == ["a"] * 1000
    with pytest.raises(InputError):
        next(lines)


def test_a_file_that_fails_stays_as_it_was(tmp_path):
    path = tmp_path / "x"
    with whole_file(path) as temporary:
        temporary.write_text("first")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("x", "first")]
