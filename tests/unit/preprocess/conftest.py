"""A small corpus of two languages, and sub-words of both kinds learned from it."""

import random
from pathlib import Path

import pytest

from mass_plugins.data.text import TextSettings
from preprocess.subwords import Sample, SampleFlags, learn

SYLLABLES = {"de": "ba schö te mu rei gro ßen wa".split(), "en": "co the ing st ow ly tea er".split()}
FLAGS = SampleFlags(lines=10_000, alpha=0.5, coverage=None)


def make_lines(language: str, count: int, seed: int = 1) -> list[str]:
    """Different lines of generated words, with capitals and punctuation."""
    draw = random.Random(f"{language} {seed}")
    words = ["".join(draw.choices(SYLLABLES[language], k=draw.randint(1, 3))) for _ in range(80)]
    return [f"{' '.join(draw.choices(words, k=draw.randint(3, 9))).capitalize()}, {i}." for i in range(count)]


@pytest.fixture
def write(tmp_path):
    """Writes lines into a file of tmp_path; returns its path."""

    def write_file(name: str, lines: list[str]) -> Path:
        path = tmp_path / name
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def sample(write):
    """Lines to learn from: 200 of de, 100 of en."""
    files = {"de": [write("words.de", make_lines("de", 200))], "en": [write("words.en", make_lines("en", 100))]}
    return Sample(files, {"de": 200, "en": 100}, FLAGS)


@pytest.fixture(params=["sentencepiece", "subword-nmt"])
def learned(request, sample):
    """(codec, symbols) for a dictionary of 240 entries."""
    return learn(TextSettings(subwords=request.param, tokenizer="none"), sample, 240, FLAGS)
