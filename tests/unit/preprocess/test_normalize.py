"""Lines stay lines; columns are normalized each by the rules of its language."""

from mass_plugins.data.text import TextSettings
from preprocess.normalize import make_normalizer
from preprocess.streaming import Chunk


def normalize(text, languages, **settings):
    return make_normalizer(TextSettings(**settings), languages)(Chunk("a.txt", 0, text.encode()))


def test_no_line_is_dropped():
    result = normalize(" a  b \n\n\u200b\nc\r\n", ["en"])
    assert result.lines == ["a b", "", "", "c"]
    assert result.read == 4 and not result.dropped


def test_each_column_by_its_language():
    result = normalize("„Ja“, 1.000\t“Yes”, 1,000\n", ["de", "en"])
    assert result.lines == ['"Ja", 1.000\t"Yes," 1,000']  # English puts the comma inside


def test_a_pair_with_a_tab_too_many_is_counted():
    result = normalize("a\tb\na\tb\tc\n", ["de", "en"])
    assert result.lines == ["a\tb"]
    assert result.dropped == {"without 2 tab-separated columns": 1}


def test_settings_reach_the_text():
    assert normalize("ＡＢ “x”\n", ["en"], unicode="NFKC", lowercase=True).lines == ['ab "x"']
    assert normalize("a\u2581b\n", ["en"], unicode="none", normalize=False).lines == ["a b"]
    assert normalize("“x”\n", ["en"], normalize=False).lines == ["“x”"]
