"""Words and back, column by column."""

import pytest

from mass_plugins.errors import InputError
from preprocess.moses_tokenize import make_tokenizer, refuse_without_spaces
from preprocess.streaming import Chunk

TEXT = ["Mr. Smith doesn't pay 3.50 (yet).", "“Rock & roll”, <b>he</b> said.", "", "well-known"]
WORDS = ["Mr. Smith doesn 't pay 3.50 ( yet ) .", "“ Rock & roll ” , < b > he < / b > said .", "", "well-known"]


def convert(lines, languages, back):
    return make_tokenizer(languages, back)(Chunk("a", 0, "".join(line + "\n" for line in lines).encode()))


def test_words():
    """Nothing is escaped, hyphens stay; no line is dropped."""
    result = convert(TEXT, ["en"], back=False)
    assert result.lines == WORDS
    assert result.read == len(TEXT) and not result.dropped


def test_back_again():
    assert convert(WORDS[:1] + WORDS[2:], ["en"], back=True).lines == TEXT[:1] + TEXT[2:]


def test_each_column_by_its_language():
    assert convert(["L'eau, oui.\tIt's so."], ["fr", "en"], back=False).lines == ["L' eau , oui .\tIt 's so ."]


def test_languages_without_spaces_are_refused():
    refuse_without_spaces(["de", "en"])
    with pytest.raises(InputError, match="doesn't segment 'zh_CN'; use --subwords sentencepiece"):
        refuse_without_spaces(["de", "zh_CN"])
