"""Strings of the benchmark: as many as asked for, no two equal in tokens."""

import re

import pytest

from benchmarks import mirror
from mass_plugins.errors import InputError


def tokenizer(lines, truncation, max_length):
    """Like BERT's without case: words and signs, [CLS] and [SEP] around them, cut."""
    assert truncation
    ids = [[sum(map(ord, word)) for word in re.findall(r"\w+|[^\w\s\u200b]", line.lower())] for line in lines]
    return {"input_ids": [[1, *row[: max_length - 2], 2] for row in ids]}


def test_strings_differ_in_tokens(tmp_path):
    """Equal but for case or spaces, or beyond the cut: one of them; what has no token: none."""
    long = "word " * mirror.MAX_TOKENS
    lines = ["A cat.", "a cat .", "", "A  CAT.", "\u200b", "A dog.", f"{long} one", f"{long} two", "A bird."]
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    assert mirror.strings_of(path, 4, tokenizer, 1) == ["A cat.", "A dog.", f"{long} one", "A bird."]
    assert mirror.strings_of(path, 2, tokenizer, 1) == ["A cat.", "A dog."]
    with pytest.raises(InputError, match="has 4 lines of different tokens; set --number 4 or less"):
        mirror.strings_of(path, 5, tokenizer, 1)
    with pytest.raises(InputError, match="--strings: .*nope doesn't exist"):
        mirror.strings_of(tmp_path / "nope", 2, tokenizer, 1)
