"""WMT's files as plain text: segments, sides of a translation memory, Romanian letters, samples."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[3] / "examples" / "wmt_text.py"
SGM = """<refset setid="newstest2014" srclang="any" trglang="fr">
<doc docid="a" origlang="en"><p>
<seg id="1">Un arbre &amp; deux  chats.</seg>
<seg id="2"> Deux
lignes. </seg>
</p></doc>
<DOC docid="b"><p><SEG id="1">Trois.</SEG></p></DOC>
</refset>
"""
TMX = """<?xml version="1.0" encoding="UTF-8"?>
<tmx version="1.4"><header/><body>
<tu><tuv xml:lang="en"><seg>One &amp; two.</seg></tuv><tuv xml:lang="ro"><seg>Unu și\n doi.</seg></tuv></tu>
<tu><tuv xml:lang="ro"><seg>Trei.</seg></tuv></tu>
<tu><tuv xml:lang="ro"><seg>Patru.</seg></tuv><tuv xml:lang="en"><seg>Four.</seg></tuv></tu>
</body></tmx>
"""


def tool(*words, stdin=b""):
    done = subprocess.run([sys.executable, TOOL, *map(str, words)], input=stdin, capture_output=True, check=True)
    return done.stdout.decode().removesuffix("\n").split("\n")


def test_segments_are_sacrebleus():
    """Entities stay as they are; a segment is one line."""
    assert tool("sgm", stdin=SGM.encode()) == ["Un arbre &amp; deux chats.", "Deux lignes.", "Trois."]


def test_sides_of_a_translation_memory_stay_aligned():
    assert tool("tmx", "en", stdin=TMX.encode()) == ["One & two.", "", "Four."]
    assert tool("tmx", "ro", stdin=TMX.encode()) == ["Unu și doi.", "Trei.", "Patru."]


def test_romanian_letters_with_cedilla_and_comma_are_one():
    text = "Şi știu: ţara, Țara, ştiinţă, în Împărat, mână, ÂNT, ĂST; déjà ç ü"
    expected = "Si stiu: tara, Tara, stiinta, in Imparat, mana, ANT, AST; déjà ç ü"
    assert tool("romanian", stdin=text.encode()) == [expected]


@pytest.fixture
def files(tmp_path):
    """Ten lines, in a plain and a packed file; one is not UTF-8, and the last one has no line end."""
    (tmp_path / "a").write_bytes(b"".join(b"a%d\n" % n for n in range(6)) + b"caf\xe9\n")
    (tmp_path / "b.gz").write_bytes(gzip.compress("b0\nb1\nlast\u2028é".encode()))
    return tmp_path / "a", tmp_path / "b.gz"


@pytest.mark.parametrize("count", [1, 3, 5, 9])
def test_a_sample_has_the_number_and_is_spread(files, count):
    everything = tool("sample", 100, *files)
    found = tool("sample", count, *files)
    assert len(found) == count
    places = [everything.index(line) for line in found]
    gaps = [after - before for before, after in zip([-1, *places], places)]
    assert max(gaps) - min(gaps) <= 1


def test_a_sample_of_more_than_all_is_all(files):
    assert tool("sample", 100, *files) == [*(f"a{n}" for n in range(6)), "caf", "b0", "b1", "last\u2028é"]
