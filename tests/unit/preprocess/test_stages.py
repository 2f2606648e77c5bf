"""Which line of training text goes where."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from preprocess.corpora import Corpus
from preprocess.stages import Cleaned, encode

WORDS = SimpleNamespace(codec=SimpleNamespace(segment=lambda words: words), symbols=["end"])  # words are the sub-words


def dealt(folder: Path, lines: list[str], running_text: bool, shards: int, hold_out: int, max_pieces: int = 0):
    """Lines of each shard, and those that are held out."""
    corpus = Corpus("train", ("en",), ((folder / "raw",),), "--mono")
    cleaned = Cleaned(corpus, folder / "words", len(lines), len(lines), Counter())
    cleaned.file("en").write_text("".join(f"{line}\n" for line in lines))
    made = encode(cleaned, folder, WORDS, shards, hold_out, max_pieces, running_text, False, 1, False)
    files = [f"{prefix}.en" for prefix in (*made.shards, made.held_out)]
    parts = [Path(file).read_text().splitlines() for file in files]
    assert [*made.lines, made.held_out_lines] == [len(part) for part in parts]
    return parts


@pytest.mark.parametrize(("number", "shards", "hold_out"), [(40, 3, 4), (41, 1, 5), (9, 8, 1)])
def test_running_text_stays_together(number, shards, hold_out, tmp_path):
    """Shards are stretches of about the same length, one after the other, and what is held out is the end."""
    lines = [f"{n // 2} end" for n in range(number)]  # some twice
    *parts, valid = dealt(tmp_path, lines, True, shards, hold_out)
    assert [line for part in (*parts, valid) for line in part] == lines
    assert max(map(len, parts)) - min(map(len, parts)) <= 1 and len(valid) == hold_out


def test_long_lines_of_running_text_are_dropped_where_they_are(tmp_path):
    lines = ["end end end" if n % 5 == 2 else f"{n} end" for n in range(21)]
    *parts, valid = dealt(tmp_path, lines, True, 2, 2, max_pieces=2)
    assert [line for part in (*parts, valid) for line in part] == [line for line in lines if "end end" not in line]


@pytest.mark.parametrize(("keep_end", "kept"), [(False, "a b"), (True, "b end")])
def test_a_long_source_is_cut_at_its_end_or_its_beginning(keep_end, kept, tmp_path):
    corpus = Corpus("valid", ("en", "en"), ((tmp_path / "raw",),), "--valid-parallel")
    cleaned = Cleaned(corpus, tmp_path / "words", 1, 1, Counter())
    cleaned.file("source").write_text("a b end\n")
    cleaned.file("target").write_text("one two three\n")
    made = encode(cleaned, tmp_path, WORDS, 1, 0, 2, False, keep_end, 1, False)
    texts = [Path(f"{made.shards[0]}.{side}").read_text() for side in ("source", "target")]
    assert texts == [f"{kept}\n", "one two three\n"] and made.cut == 1


def test_lines_are_dealt_out_in_turn_by_default(tmp_path):
    first, second, valid = dealt(tmp_path, [str(n) for n in range(20)], False, 2, 2)
    rest = [str(n) for n in range(20) if str(n) not in valid]
    assert (first, second, len(valid)) == (rest[::2], rest[1::2], 2)
    assert int(valid[1]) - int(valid[0]) == 10
