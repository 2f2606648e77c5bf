"""Dialogues in the forms in which they are published -> pairs of context and answer, and text to pre-train on.

python dialogue_text.py cornell PLACE OUT --split random        Cornell's movie dialogues: archive, or its folder
python dialogue_text.py daily TRAIN VALID OUT --valid 300       DailyDialog: a dialogue a line, turns end in __eou__
python dialogue_text.py self PLACE > turns                      self-dialogues: archive of the repository, or JSON lines

OUT gets train.source and train.target, the same of valid and test, train.text with turns to pre-train on, and
dialogue.json, which says how contexts are written. --turns, --separator, --max-words: as of dialogue_pairs.py.
"""

import argparse
import ast
import csv
import io
import json
import random
import re
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401  starts without torch

from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.data.text_files import open_text
from mass_plugins.errors import InputError

_FIELDS = " +++$+++ "
_END_OF_TURN = "__eou__"
_ANSWER = "Answer.sentence"
SEED = 1
TEXT_TURNS = 4  # of a line to pre-train on
Pair = tuple[str, str]


class Dialogue(NamedTuple):
    turns: list[str]
    movie: str = ""


# --- the sets -----------------------------------------------------------------------------------


def cornell(place: Path) -> Iterator[Dialogue]:
    """Conversations in the order of their file, turns in the order in which they were said.

    Raises:
        InputError: a file or a line that the conversations name isn't there, or a record isn't Cornell's.
    """
    lines = {}
    for number, record in enumerate(_records(place, "movie_lines.txt"), start=1):
        fields = record.split(_FIELDS, 4)  # a line's text may be missing, with the separator's last blank
        if len(fields) < 4 or not re.fullmatch(r"L\d+", fields[0]):
            raise InputError(f"movie_lines.txt, line {number} is no record of Cornell's; fetch the archive again")
        lines[fields[0]] = fields[4] if len(fields) == 5 else ""
    for number, record in enumerate(_records(place, "movie_conversations.txt"), start=1):
        fields = record.split(_FIELDS)
        try:
            names = ast.literal_eval(fields[3])
            yield Dialogue([lines[name] for name in names], fields[2])
        except (IndexError, KeyError, ValueError, SyntaxError):
            raise InputError(
                f"movie_conversations.txt, line {number} is no record of Cornell's, or names a line that isn't in "
                "movie_lines.txt; fetch the archive again"
            ) from None


def _records(place: Path, name: str) -> Iterator[str]:
    """Records of one of Cornell's files, which are in Windows' Latin: its quotes and dashes are 0x80 to 0x9f."""
    if place.is_dir():
        found = next(iter(sorted(place.rglob(name))), None)
        if found is None:
            raise InputError(f"{place} has no {name}; give the folder or the archive of Cornell's movie dialogues")
        content = found.read_bytes()
    else:
        with zipfile.ZipFile(place) as archive:
            members = [m for m in archive.namelist() if Path(m).name == name and "__MACOSX" not in m]
            if not members:
                raise InputError(f"{place} has no {name}; give the archive of Cornell's movie dialogues")
            content = archive.read(members[0])
    for record in windows_text(content).split("\n"):
        if record.strip():
            yield record.rstrip("\r")


def windows_text(content: bytes) -> str:
    """cp1252; the five bytes that it leaves undefined as in ISO 8859-1."""
    table = {byte: bytes([byte]).decode("cp1252", errors="ignore") or chr(byte) for byte in range(0x80, 0xA0)}
    return content.decode("iso-8859-1").translate(table)


def daily(path: Path) -> list[Dialogue]:
    with open_text(path) as file:
        rows = [line.decode("utf-8").split(_END_OF_TURN) for line in file]
    return [Dialogue([turn.strip() for turn in row if turn.strip()]) for row in rows]


def self_dialogues(place: Path) -> Iterator[list[str]]:
    """Turns that one person wrote for both speakers; without the workers that the authors blocked."""
    if not place.name.endswith(".tar.gz"):
        with open_text(place) as file:
            yield from (json.loads(line)["turns"] for line in file)
        return
    with tarfile.open(place) as archive:
        files = {member.name.split("/", 1)[-1]: member for member in archive if member.isfile()}
        blocked = set(archive.extractfile(files["blocked_workers.txt"]).read().decode().split())
        for name in sorted(name for name in files if re.fullmatch(r"corpus/[^/]+/[^/]+\.csv", name)):
            text = io.TextIOWrapper(archive.extractfile(files[name]), encoding="utf-8", errors="ignore", newline="")
            for row in csv.DictReader(text):
                numbered = {int(name[len(_ANSWER) :]): row[name] for name in row if name and name.startswith(_ANSWER)}
                turns = [turn for _, turn in sorted(numbered.items()) if turn and turn.strip()]
                if row.get("WorkerId") not in blocked and turns:
                    yield turns


# --- splits -------------------------------------------------------------------------------------


def split_at_random(pairs: list[Pair], valid: int, test: int, total: int | None) -> dict[str, list[Pair]]:
    """Pairs of one conversation may be in two splits, as in the paper, and a turn in the contexts of both."""
    pairs = pairs[:]
    random.Random(SEED).shuffle(pairs)
    pairs = pairs[:total]
    if len(pairs) <= valid + test:
        raise InputError(f"{len(pairs)} pairs are too few for {valid} of validation and {test} of test")
    return {"test": pairs[:test], "valid": pairs[test : test + valid], "train": pairs[test + valid :]}


def split_by_movie(by_movie: dict[str, list[Pair]], valid: int, test: int, total: int | None) -> dict[str, list[Pair]]:
    """No movie is in two splits, whose sizes are those asked for, or less than a movie above; the order is random."""
    movies = sorted(by_movie)
    random.Random(SEED).shuffle(movies)
    splits: dict[str, list[Pair]] = {"test": [], "valid": [], "train": []}
    for movie in movies:
        name = "test" if len(splits["test"]) < test else "valid" if len(splits["valid"]) < valid else "train"
        splits[name] += by_movie[movie]
    if not splits["train"]:
        raise InputError(f"{len(movies)} movies are too few for {valid} pairs of validation and {test} of test")
    for pairs in splits.values():
        random.Random(SEED).shuffle(pairs)
    if total is not None:
        splits["train"] = splits["train"][: max(1, total - valid - test)]
    return splits


def text_lines(dialogues: Iterable[list[str]], settings: DialogueSettings) -> Iterator[str]:
    """Some turns a line, with the separator between, as in contexts: pre-training sees how turns follow each other."""
    for turns in dialogues:
        words = [cleaned for turn in turns if (cleaned := settings.clean(turn))]
        for start in range(0, len(words), TEXT_TURNS):
            yield f" {settings.separator} ".join(words[start : start + TEXT_TURNS])


def write(out: Path, splits: dict[str, list[Pair]], settings: DialogueSettings) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for split, pairs in splits.items():
        with ExitStack() as stack:
            sides = [
                stack.enter_context(open(out / f"{split}.{s}", "w", encoding="utf-8")) for s in ("source", "target")
            ]
            for pair in pairs:
                for file, line in zip(sides, pair):
                    file.write(line + "\n")
    settings.save(out)
    print(", ".join(f"{split}: {len(pairs)} pairs" for split, pairs in sorted(splits.items())), file=sys.stderr)


def letters(text: str) -> str:
    """By which two texts are the same: spaces between words and signs come and go in this set."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def letters_of(dialogue: Dialogue) -> str:
    return letters("".join(dialogue.turns))


def exchanges(dialogue: Dialogue) -> set[Pair]:
    """Its turns and the answers to them, by their letters."""
    turns = [letters(turn) for turn in dialogue.turns]
    return set(zip(turns, turns[1:]))


def write_cornell(options, settings: DialogueSettings) -> None:
    by_movie: dict[str, list[Pair]] = {}
    for dialogue in cornell(options.place):
        by_movie.setdefault(dialogue.movie, []).extend(settings.pairs(dialogue.turns))
    if options.split == "movie":
        splits = split_by_movie(by_movie, options.valid, options.test, options.total)
    else:
        pairs = [pair for pairs in by_movie.values() for pair in pairs]
        splits = split_at_random(pairs, options.valid, options.test, options.total)
    write(options.out, splits, settings)


def write_daily(options, settings: DialogueSettings) -> None:
    """The first ``valid`` validation dialogues choose checkpoints, the others are the test; nobody trains on either.

    The set has dialogues that are copies but for some turns: whatever shares a turn and its answer with a held-out
    dialogue is left out, too.
    """
    known = set(map(letters_of, daily(options.leave_out))) if options.leave_out else set()
    held_out = [dialogue for dialogue in daily(options.dev) if letters_of(dialogue) not in known]
    known.update(map(letters_of, held_out))
    asked = set().union(*map(exchanges, held_out))
    training = [
        dialogue
        for dialogue in daily(options.place)
        if letters_of(dialogue) not in known and asked.isdisjoint(exchanges(dialogue))
    ]
    random.Random(SEED).shuffle(training)
    pairs = [pair for dialogue in training for pair in settings.pairs(dialogue.turns)]
    random.Random(SEED).shuffle(pairs)
    splits = {"train": pairs}
    for name, part in (("valid", held_out[: options.valid]), ("test", held_out[options.valid :])):
        splits[name] = [pair for dialogue in part for pair in settings.pairs(dialogue.turns)]
    write(options.out, splits, settings)
    for name, dialogues in (("train", training), ("valid", held_out[: options.valid])):
        lines = text_lines((dialogue.turns for dialogue in dialogues), settings)
        (options.out / f"{name}.text").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("cornell", "daily", "self"):
        command = commands.add_parser(name)
        command.add_argument("place", type=Path)
        if name == "daily":
            command.add_argument("dev", type=Path)
            command.add_argument("--leave-out", type=Path, metavar="FILE", help="dialogues of a test set kept apart")
        if name != "self":
            command.add_argument("out", type=Path)
            command.add_argument("--valid", type=int, required=True)
        if name == "cornell":
            command.add_argument("--test", type=int, required=True)
            command.add_argument("--total", type=int, help="pairs in all (default: every one)")
            command.add_argument("--split", choices=("random", "movie"), required=True)
        command.add_argument("--turns", type=int, default=1)
        command.add_argument("--separator", default="|")
        command.add_argument("--max-words", type=int, default=100)
    options = parser.parse_args()
    settings = DialogueSettings(options.turns, options.separator, options.max_words)
    if options.command == "cornell":
        write_cornell(options, settings)
    elif options.command == "daily":
        write_daily(options, settings)
    else:
        lines = text_lines(self_dialogues(options.place), settings)
        sys.stdout.buffer.writelines(line.encode("utf-8") + b"\n" for line in lines)


if __name__ == "__main__":
    try:
        main()
    except (InputError, OSError, zipfile.BadZipFile, tarfile.ReadError) as error:
        sys.exit(f"error: {error}")
    except (EOFError, zlib.error) as error:
        sys.exit(f"error: a file is cut off or damaged ({error}); fetch it again")
    except (KeyError, ValueError, csv.Error) as error:  # ValueError: no JSON, no UTF-8, no number
        sys.exit(f"error: the text isn't in the form in which it is published ({error!r}); fetch it again")
