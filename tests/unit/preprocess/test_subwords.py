"""Drawing text to learn from, learning, and the one dictionary."""

from collections import Counter

import pytest
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st

from mass_plugins.data.text import TextSettings
from mass_plugins.errors import InputError
from preprocess.subwords import (
    Sample,
    SampleFlags,
    covered_characters,
    learn,
    picked,
    quotas,
    read_dictionary,
    write_dictionary,
)
from tests.unit.preprocess.conftest import FLAGS, make_lines


@given(st.integers(0, 300), st.integers(1, 100))
def test_lines_are_drawn_at_even_distances(count, total):
    draws = [picked(i, count, total) for i in range(total)]
    assert sum(draws) == count
    assert max(draws) - min(draws) <= 1


def test_small_languages_get_more_than_their_share():
    assert quotas([900, 100], SampleFlags(lines=1000, alpha=0.5, coverage=None)) == [750, 250]
    assert quotas([900, 100], SampleFlags(lines=1000, alpha=1, coverage=None)) == [900, 100]
    assert quotas([900, 100], SampleFlags(lines=100, alpha=0, coverage=None)) == [50, 50]


def test_a_small_language_is_drawn_more_than_once(write):
    files = {"de": [write("a", ["a"] * 60), write("b", ["b"] * 30)], "en": [write("c", list("1234567890"))]}
    sample = Sample(files, {"de": 90, "en": 10}, SampleFlags(lines=100, alpha=0.5, coverage=None))
    drawn = Counter(sample)
    assert [drawn[line] for line in "ab"] == [50, 25]
    assert sorted(drawn[line] for line in "1234567890") == [2] * 5 + [3] * 5
    assert Counter(sample) == drawn  # can be read again


def test_covered_characters():
    counts = Counter(a=50, b=30, c=15, d=4, e=1)
    assert covered_characters(counts, 100, None) == list("abcde")
    assert covered_characters(counts, 6, None) == list("abc")  # half of the room
    assert covered_characters(counts, 6, 0.95) == list("abc")
    assert covered_characters(counts, 6, 0.96) == list("abcd")
    assert covered_characters(counts, 6, 1.0) == list("abcde")
    with pytest.raises(InputError, match="--vocab-size has room for 5 characters but the text has 5"):
        covered_characters(counts, 5, 1.0)


def test_every_character_has_a_symbol_and_nothing_is_unknown(learned, sample):
    codec, symbols = learned
    assert 200 < len(symbols) == len(set(symbols)) <= 240 - 5
    pieces = {piece for line in sample for piece in codec.segment(line).split()}
    assert pieces <= set(symbols)
    text = "".join(sample).replace(" ", "")
    assert {piece for character in text for piece in codec.segment(character).split()} <= set(symbols)


def test_the_same_text_makes_the_same_codec(learned, sample):
    codec, symbols = learned
    again, same = learn(codec.settings, sample, 240, SampleFlags(10_000, 0.5, None))
    assert (again.model, same) == (codec.model, symbols)


@pytest.mark.parametrize("subwords", ["sentencepiece", "subword-nmt"])
def test_rare_characters_leave_room_for_words(subwords, write):
    """A thousand characters that are there once take half of the vocabulary at most."""
    words = [line.split(",")[0].lower() for line in make_lines("de", 1000)]
    lines = [f"{line} {chr(0x4E00 + i)}" for i, line in enumerate(words)]
    flags = SampleFlags(10_000, 0.5, None)
    sample = Sample({"de": [write("a", lines)]}, {"de": 1000}, flags)
    codec, symbols = learn(TextSettings(subwords=subwords, tokenizer="none"), sample, 200, flags)
    assert len(symbols) <= 195
    letters = sum(len(line.replace(" ", "")) for line in words)
    assert sum(len(codec.segment(line).split()) for line in words) < 0.6 * letters


@pytest.mark.parametrize("subwords", ["sentencepiece", "subword-nmt"])
def test_too_little_text(subwords, write):
    sample = Sample({"de": [write("a", ["a"])]}, {"de": 1}, SampleFlags(10, 0.5, None))
    settings = TextSettings(subwords=subwords, tokenizer="none")
    try:
        codec, symbols = learn(settings, sample, 64, SampleFlags(10, 0.5, None))
    except InputError as error:
        assert str(error).startswith("--vocab-size 64: no sub-words can be learned from this text")
    else:
        assert set(codec.segment("a").split()) <= set(symbols)


def test_dictionary(tmp_path):
    path = tmp_path / "dict.txt"
    size = write_dictionary(path, ["b", "a", "c", "<unk>", "[MASK]"], Counter(a=2, b=2, c=7))
    assert path.read_text() == "[MASK] 1\nc 7\na 2\nb 2\n"
    dictionary = Dictionary.load(str(path))
    assert len(dictionary) == size == 8
    assert dictionary.index("[MASK]") == 4


def test_reserved_tokens_follow_the_mask(tmp_path):
    path = tmp_path / "dict.txt"
    size = write_dictionary(path, ["<BT>", "b", "a"], Counter({"<BT>": 9, "a": 2}), reserved=("<BT>", "<A>"))
    assert path.read_text() == "[MASK] 1\n<BT> 1\n<A> 1\na 2\nb 0\n" + "".join(
        f"madeupword{n:04d} 0\n" for n in range(7)
    )
    assert len(Dictionary.load(str(path))) == size == 16


@pytest.mark.parametrize("subwords", ["sentencepiece", "subword-nmt"])
def test_reserved_tokens_take_room_and_are_not_learned_from(subwords, write):
    lines, files = make_lines("de", 200), {}
    for name, text in (("plain", lines), ("tagged", [f"<BT> {line}" for line in lines])):
        files[name] = Sample({"de": [write(name, text)]}, {"de": 200}, FLAGS, ("<BT>", "<N>"))
    assert list(files["tagged"]) == list(files["plain"])
    settings = TextSettings(subwords=subwords, tokenizer="none", reserve=("<BT>", "<N>"))
    _, symbols = learn(settings, files["tagged"], 122, FLAGS)
    without = learn(TextSettings(subwords=subwords, tokenizer="none"), files["plain"], 120, FLAGS)[1]
    assert symbols == without and len(symbols) == 115


@pytest.mark.parametrize("count", range(9))
def test_the_size_is_a_multiple_of_8_as_fairseq_counts(count, tmp_path):
    path = tmp_path / "dict.txt"
    size = write_dictionary(path, [f"s{i}" for i in range(count)], Counter())
    dictionary = Dictionary.load(str(path))
    assert len(dictionary) == size and size % 8 == 0
    before = dictionary.symbols[:]
    dictionary.pad_to_multiple_(8)
    assert dictionary.symbols == before
    assert set(read_dictionary(path)) >= {"[MASK]", *(f"s{i}" for i in range(count))}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1\nb 2\n", r"lacks \[MASK\]; add the line '\[MASK\] 1' at its end"),
        ("[MASK] 1\na 1\na 2\n", "line 3 has 'a' a second time"),
        ("[MASK] 1\n<pad> 2\n", "line 2 has '<pad>' a second time"),
        ("[MASK] 1\na b\n", "line 2 is not '<symbol> <count>': 'a b'"),
        ("[MASK] 1\n\na 1\n", "line 2 is not '<symbol> <count>'"),
        ("", "line 1 is not '<symbol> <count>'"),
    ],
)
def test_dictionaries_that_do_not_fit(text, message, tmp_path):
    path = tmp_path / "dict.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^--dictionary {path}.*{message}"):
        read_dictionary(path)


def test_dictionary_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="doesn't exist; check the path"):
        read_dictionary(tmp_path / "no")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not UTF-8"):
        read_dictionary(tmp_path / "binary")
