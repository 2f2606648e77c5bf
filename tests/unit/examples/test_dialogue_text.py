"""Dialogues from their published forms: the order of turns, and splits that share nothing, or a conversation."""

import io
import json
import random
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from examples import dialogue_text
from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.errors import InputError
from tests import dialogue_mirror

ROOT = Path(dialogue_text.__file__).parents[1]


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "cornell.zip"
    path.write_bytes(dialogue_mirror.archive())
    return path


def test_turns_of_a_conversation_are_in_the_order_in_which_they_were_said(place, tmp_path):
    lines, conversations = dialogue_mirror.records()
    said = {line.split(" +++$+++ ")[0]: line.split(" +++$+++ ")[4] for line in lines}
    found = list(dialogue_text.cornell(place))
    assert len(found) == len(conversations) and {dialogue.movie for dialogue in found} == {f"m{n}" for n in range(6)}
    first = [f"L{n}" for n in range(len(found[0].turns))]
    assert found[0].turns == [said[name] for name in first] and found[0].turns[1] == ""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    for name, rows in zip(("movie_lines.txt", "movie_conversations.txt"), dialogue_mirror.records()):
        (folder / name).write_bytes("".join(f"{row}\n" for row in rows).encode("cp1252"))
    assert list(dialogue_text.cornell(folder)) == found


def test_bytes_are_windows_latin():
    """It's late, isn't it: an apostrophe, not a control character; nothing is lost, nor refused."""
    assert dialogue_text.windows_text(b"It\x92s late\x85") == "It\u2019s late\u2026"
    everything = dialogue_text.windows_text(bytes(range(256)))
    assert len(set(everything)) == 256
    assert [ord(sign) for sign in everything if 0x80 <= ord(sign) < 0xA0] == [0x81, 0x8D, 0x8F, 0x90, 0x9D]


@pytest.mark.parametrize("damage, message", [
    (lambda lines, talks: lines.append("nothing"), "movie_lines.txt, line"),
    (lambda lines, talks: talks.append("u0 +++$+++ u1 +++$+++ m0 +++$+++ ['L9999']"), "names a line that isn't"),
    (lambda lines, talks: talks.append("u0 +++$+++ u1"), "movie_conversations.txt, line"),
])  # fmt: skip
def test_damaged_files_are_told(tmp_path, damage, message):
    lines, talks = dialogue_mirror.records()
    damage(lines, talks)
    (tmp_path / "movie_lines.txt").write_bytes("\n".join(lines).encode("cp1252"))
    (tmp_path / "movie_conversations.txt").write_bytes("\n".join(talks).encode("cp1252"))
    with pytest.raises(InputError, match=message):
        list(dialogue_text.cornell(tmp_path))


def test_a_folder_without_the_files_is_told(tmp_path):
    with pytest.raises(InputError, match="has no movie_lines.txt"):
        list(dialogue_text.cornell(tmp_path))


def test_splits_at_random_hold_every_pair_once():
    pairs = [(f"s{n}", f"t{n}") for n in range(100)]
    splits = dialogue_text.split_at_random(pairs, 10, 20, None)
    assert {name: len(part) for name, part in splits.items()} == {"test": 20, "valid": 10, "train": 70}
    assert sorted(sum(splits.values(), [])) == sorted(pairs) and splits["test"] != pairs[:20]
    assert splits == dialogue_text.split_at_random(pairs, 10, 20, None)
    few = dialogue_text.split_at_random(pairs, 10, 20, 50)
    assert len(few["train"]) == 20 and few["test"] == splits["test"]
    with pytest.raises(InputError, match="too few"):
        dialogue_text.split_at_random(pairs, 60, 40, None)


def test_by_movie_no_movie_is_in_two_splits():
    by_movie = {f"m{n}": [(f"m{n}", str(k)) for k in range(10)] for n in range(30)}
    splits = dialogue_text.split_by_movie(by_movie, 25, 45, None)
    movies = {name: {source for source, _ in part} for name, part in splits.items()}
    assert not movies["test"] & movies["valid"] and not movies["train"] & (movies["test"] | movies["valid"])
    assert {name: len(part) for name, part in splits.items()} == {"test": 50, "valid": 30, "train": 220}
    assert len(dialogue_text.split_by_movie(by_movie, 25, 45, 100)["train"]) == 30
    with pytest.raises(InputError, match="too few"):
        dialogue_text.split_by_movie(by_movie, 200, 200, None)


def test_self_dialogues_of_the_archive_without_blocked_workers(tmp_path):
    head = '"WorkerId","Answer.sentence1","Answer.sentence10","Answer.sentence2"'
    rows = f'{head}\n"A","one","three","two"\n"B","x","y","z"\n'
    path = tmp_path / "self.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in (("blocked_workers.txt", "B\n"), ("corpus/action/Batch_1.csv", rows), ("README.md", "")):
            info = tarfile.TarInfo(f"self-1/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    assert list(dialogue_text.self_dialogues(path)) == [["one", "two", "three"]]
    (tmp_path / "self.jsonl").write_text(json.dumps({"turns": ["a", "b"]}) + "\n")
    assert list(dialogue_text.self_dialogues(tmp_path / "self.jsonl")) == [["a", "b"]]


@pytest.mark.parametrize("script, words", [
    ("dialogue_text", ["self"]), ("summarization_text", ["aeslc"]),
])  # fmt: skip
def test_an_archive_that_is_cut_off_has_its_line(tmp_path, script, words):
    path = tmp_path / "cut.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("blocked_workers.txt", "corpus/action/Batch_1.csv"):
            info = tarfile.TarInfo(f"self-1/{name}")
            info.size = 40000
            archive.addfile(info, io.BytesIO(random.Random(name).randbytes(info.size)))
    path.write_bytes(path.read_bytes()[:60000])
    places = [str(path)] if script == "dialogue_text" else [str(path), str(tmp_path / "out"), "--valid", "1"]
    command = [sys.executable, ROOT / "examples" / f"{script}.py", *words, *places]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ") and "fetch it again" in done.stderr


def test_an_archive_without_its_folder(tmp_path):
    lines, talks = dialogue_mirror.records()
    with zipfile.ZipFile(tmp_path / "flat.zip", "w") as archive:
        for name, records in (("movie_lines.txt", lines), ("movie_conversations.txt", talks)):
            archive.writestr(name, "\n".join(records).encode("cp1252"))
    (tmp_path / "cornell.zip").write_bytes(dialogue_mirror.archive())
    assert [*dialogue_text.cornell(tmp_path / "flat.zip")] == [*dialogue_text.cornell(tmp_path / "cornell.zip")]


def test_lines_to_pretrain_on_hold_some_turns_each():
    lines = dialogue_text.text_lines([["a", "b |", "", "c", "d", "e"]], DialogueSettings())
    assert list(lines) == ["a | b | c | d", "e"]


def test_nothing_of_daily_that_is_trained_on_has_an_exchange_of_the_held_out_dialogues(tmp_path):
    held_out = ["Hi . __eou__ Hello ! __eou__", "How much ? __eou__ Ten . __eou__ Too dear . __eou__"]
    training = [
        "hi. __eou__ hello __eou__",  # a validation dialogue
        "Good day . __eou__ How much? __eou__ ten. __eou__ I take it . __eou__",  # two turns of the second
        "Ten . __eou__ How much ? __eou__",  # its turns, but not in a row
        "Hi . __eou__ Good night . __eou__",
    ]
    for name, rows in (("train", training), ("dev", held_out)):
        (tmp_path / name).write_text("".join(f"{row}\n" for row in rows))
    options = SimpleNamespace(place=tmp_path / "train", dev=tmp_path / "dev", out=tmp_path, valid=1, leave_out=None)
    dialogue_text.write_daily(options, DialogueSettings(1, "|", 100))
    lines = [(tmp_path / f"train.{side}").read_text().splitlines() for side in ("source", "target")]
    assert set(zip(*lines)) == {("Ten .", "How much ?"), ("Hi .", "Good night .")}
    assert (tmp_path / "test.target").read_text().splitlines() == ["Ten .", "Too dear ."]
