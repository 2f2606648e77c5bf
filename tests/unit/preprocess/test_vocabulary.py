"""Vocabularies made elsewhere: taken as they are, or refused in one line."""

import dataclasses
from collections import Counter

import pytest

from mass_plugins.data.text import MODEL_FILES, TextSettings
from mass_plugins.errors import InputError
from preprocess.subwords import write_dictionary
from preprocess.vocabulary import Vocabulary, vocabulary_from_files, vocabulary_like


@pytest.fixture
def data_bin(learned, tmp_path):
    """What of a data-bin belongs to its vocabulary."""
    codec, symbols = learned
    folder = tmp_path / "data-bin"
    folder.mkdir()
    codec.save(folder)
    for language in ("de", "en"):
        write_dictionary(folder / f"dict.{language}.txt", symbols, Counter(symbols[:9]))
    return folder


def test_like_another_data_bin(data_bin, learned, tmp_path):
    vocabulary = vocabulary_like(data_bin)
    assert vocabulary.languages == ("de", "en")
    assert set(vocabulary.symbols) >= {"[MASK]", *learned[1]}
    assert vocabulary.codec.settings == learned[0].settings and vocabulary.codec.model == learned[0].model
    assert vocabulary.write_dictionary(tmp_path / "dict.txt", Counter(a=1)) == len(vocabulary.symbols) + 4
    assert (tmp_path / "dict.txt").read_bytes() == (data_bin / "dict.de.txt").read_bytes()


def test_like_the_first_shard(data_bin, tmp_path):
    (tmp_path / "shards").mkdir()
    data_bin.rename(tmp_path / "shards" / "0")
    assert vocabulary_like(tmp_path / "shards").languages == ("de", "en")


def test_like_what_is_no_data_bin(data_bin, tmp_path):
    with pytest.raises(InputError, match="^--like .*/no is not a folder"):
        vocabulary_like(tmp_path / "no")
    with pytest.raises(InputError, match="^--like: .*text.json doesn't exist"):
        vocabulary_like(tmp_path)
    with (data_bin / "dict.en.txt").open("a") as stream:
        stream.write("more 1\n")
    with pytest.raises(InputError, match="dict.en.txt differs from .*dict.de.txt; a joint dictionary is needed"):
        vocabulary_like(data_bin)
    for path in data_bin.glob("dict.*"):
        path.unlink()
    with pytest.raises(InputError, match=r"has no dict.<language>.txt"):
        vocabulary_like(data_bin)


def test_files(data_bin, learned):
    codec, _ = learned
    codes = data_bin / MODEL_FILES[codec.settings.subwords]
    vocabulary = vocabulary_from_files(data_bin / "dict.de.txt", codes, codec.settings)
    assert vocabulary.digest() == vocabulary_like(data_bin).digest()
    with pytest.raises(InputError, match="--codes .*/no doesn't exist"):
        vocabulary_from_files(data_bin / "dict.de.txt", data_bin / "no", codec.settings)
    no_codes = data_bin / "no.codes"
    no_codes.write_text("one symbol\nor three of them\n")
    with pytest.raises(
        InputError, match=rf"^--codes {no_codes}: not a .* \(--subwords is {codec.settings.subwords}\)$"
    ):
        vocabulary_from_files(data_bin / "dict.de.txt", no_codes, codec.settings)


def test_a_dictionary_of_other_codes(data_bin, learned, tmp_path):
    codec, symbols = learned
    other = tmp_path / "other.txt"
    write_dictionary(other, [f"other{i}" for i in range(100)], Counter())
    codes = data_bin / MODEL_FILES[codec.settings.subwords]
    with pytest.raises(
        InputError, match="other.txt does not fit .*: it lacks 100% of the sub-words that the codes make"
    ):
        vocabulary_from_files(other, codes, codec.settings)


def test_reserved_tokens(data_bin, learned, tmp_path):
    """They must be in the dictionary; one made by prepare.py has them, and then --like does, too."""
    codec, symbols = learned
    settings = dataclasses.replace(codec.settings, reserve=("<BT>",))
    codes = data_bin / MODEL_FILES[codec.settings.subwords]
    with pytest.raises(InputError, match="dict.de.txt lacks <BT>, which is reserved; add the line '<BT> 1' at its end"):
        vocabulary_from_files(data_bin / "dict.de.txt", codes, settings)
    for language in ("de", "en"):
        with (data_bin / f"dict.{language}.txt").open("a") as stream:
            stream.write("<BT> 1\n")
    vocabulary = vocabulary_from_files(data_bin / "dict.de.txt", codes, settings)
    vocabulary.codec.save(data_bin)
    assert vocabulary_like(data_bin).codec.settings.reserve == ("<BT>",)
    made = Vocabulary(vocabulary.codec, ["<BT>", *symbols])
    made.write_dictionary(tmp_path / "dict.txt", Counter({"<BT>": 5}))
    assert (tmp_path / "dict.txt").read_text().startswith("[MASK] 1\n<BT> 1\n")


def test_the_digest_changes_with_the_vocabulary(learned):
    codec, symbols = learned
    digest = Vocabulary(codec, symbols).digest()
    assert Vocabulary(codec, symbols).digest() == digest
    assert Vocabulary(codec, symbols[1:]).digest() != digest
    lower = type(codec)(TextSettings(subwords=codec.settings.subwords, tokenizer="none", lowercase=True), codec.model)
    assert Vocabulary(lower, symbols).digest() != digest
