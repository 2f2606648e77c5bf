"""``python preprocess/prepare.py`` as its user runs it: raw text files in, a data-bin or one clear line out."""

import fcntl
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fairseq.data import Dictionary, data_utils

from mass_plugins.data.text import TextCodec
from preprocess.report import files_of, read_report
from tests import tiny
from tests.conftest import ROOT, Finished, environment, run

PREPARE = (sys.executable, ROOT / "preprocess" / "prepare.py")
FLAGS = (
    "--mono de=mono.de en=mono.en.gz --parallel de-en=pairs --valid-parallel de-en=dev --test-parallel de-en=test "
    "--vocab-size 160 --max-words 30"
).split()
CORPORA = [("de-None", "de"), ("en-None", "en"), ("de-en", "de"), ("de-en", "en")]


def write(path: Path, lines: list[str]) -> None:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def make_texts(folder: Path) -> None:
    """Good text, with a few lines of each kind that cleaning drops, and files that are wrong."""
    mono = {lang: tiny.sentences(60, [lang], f"mono {lang}")[lang] for lang in ("de", "en", "fr")}
    noise = [mono["de"][7], f"  {mono['de'][8]}\u200b", "", "ein [MA\u200bSK] darin", "lang " * 31]
    write(folder / "mono.de", mono["de"] + noise)
    write(folder / "mono.en.gz", mono["en"])
    write(folder / os.fsdecode(b"caf\xe9.fr"), mono["fr"])  # a name that is no UTF-8
    for name, lines in (("pairs", 40), ("dev", 8), ("test", 6)):
        sides = tiny.sentences(lines, ("de", "en"), name)
        if name != "test":  # an empty side and a pair that was there before
            sides["de"] += ["", sides["de"][3]]
            sides["en"] += ["none", sides["en"][3]]
        if name == "pairs":
            sides["de"].append("stau.")
            sides["en"].append("sing " * 20)
        for language, text in sides.items():
            write(folder / f"{name}.{language}", text)
    make_wrong_texts(folder, mono["de"])


def make_wrong_texts(folder: Path, lines: list[str]) -> None:
    write(folder / "mask.de", [*lines[:5], "ein [MASK] darin", *lines])
    write(folder / "blank.de", ["", " \t", "\u00a0"])
    write(folder / "few.de", lines[:9])
    (folder / "latin.de").write_bytes("".join(f"{line}\n" for line in lines).encode() + b"sch\xf6n\n")
    (folder / "empty.de").touch()
    (folder / "cut.en.gz").write_bytes((folder / "mono.en.gz").read_bytes()[:-30])
    (folder / "flipped.en.gz").write_bytes((folder / "mono.en.gz").read_bytes().replace(b"\x00", b"\xff"))
    (folder / "folder").mkdir()
    write(folder / "codes", ["#version: 0.2", "s t", "st au</w>"])
    write(folder / "no-mask.txt", ["st@@ 2", "stau 2", "x 1"])
    write(folder / "mask.txt", ["[MASK] 1", "x 1"])
    write(folder / "no-dictionary.txt", ["[MASK] 1", "stau"])


@pytest.fixture(scope="session")
def texts(once) -> Path:
    return once("texts", make_texts)


@pytest.fixture(scope="session")
def prepare(texts):
    """Runs prepare.py among the texts, with at most two processes."""

    def command(destdir: Path, *arguments, workers=1, **options) -> Finished:
        return run([*PREPARE, *arguments, "--destdir", destdir, "--workers", workers], cwd=texts, **options)

    return command


@pytest.fixture(scope="session")
def prepared(once, prepare) -> Path:
    """``data-bin`` of the texts, and ``stdout``."""

    def make(folder: Path):
        (folder / "stdout").write_text(prepare(folder / "data-bin", *FLAGS).stdout)

    return once("prepared", make)


@pytest.fixture(scope="session")
def shards(once, prepare) -> Path:
    """The same text in two shards, with BPE, in the place of another data-bin."""

    def make(folder: Path):
        (folder / "data-bin").mkdir()
        (folder / "data-bin" / "prepare.json").write_text('{"fingerprint": "", "flags": {}, "text": {}}')
        flags = ("--shards", 2, "--subwords", "subword-nmt", "--overwrite")
        (folder / "stdout").write_text(prepare(folder / "data-bin", *FLAGS, *flags).stdout)

    return once("prepared-shards", make)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def binarized_names(split: str, *corpora: tuple[str, str]) -> set[str]:
    return {f"{split}.{pair}.{language}.{end}" for pair, language in corpora for end in ("bin", "idx")}


def read_back(folder: Path, split: str, pair: str, language: str) -> list[str]:
    """Binarized text as fairseq's loader reads it, as raw text."""
    dictionary = Dictionary.load(str(folder / f"dict.{language}.txt"))
    codec = TextCodec.load(folder)
    rows = data_utils.load_indexed_dataset(str(folder / f"{split}.{pair}.{language}"), dictionary)
    assert all(row[-1] == dictionary.eos() for row in rows)
    return [codec.decode(dictionary.string(row), language) for row in rows]


def clean_lines(texts: Path, pair: str, language: str) -> list[str]:
    """The training text that cleaning leaves."""
    if pair == "de-en":
        return (texts / f"pairs.{language}").read_text().splitlines()[:40]
    if language == "de":
        return (texts / "mono.de").read_text().splitlines()[:60]
    return gzip.open(texts / "mono.en.gz", "rt").read().splitlines()


class TestWhatItMakes:
    def test_files_have_fairseqs_names(self, prepared):
        expected = {"dict.de.txt", "dict.en.txt", "prepare.json", "sentencepiece.model", "text.json"}
        expected |= binarized_names("train", *CORPORA) | binarized_names("valid", *CORPORA)
        expected |= binarized_names("test", *CORPORA[2:])
        assert set(contents(prepared / "data-bin")) == expected
        assert sorted(path.name for path in prepared.iterdir()) == [".made", "data-bin", "stdout"]

    def test_the_report_tells_every_file(self, prepared, shards):
        for folder in (prepared / "data-bin", shards / "data-bin"):
            assert files_of(read_report(folder)) == set(contents(folder))

    @pytest.mark.parametrize(("pair", "language"), CORPORA)
    def test_training_text_is_what_cleaning_leaves(self, pair, language, prepared, texts):
        lines = clean_lines(texts, pair, language)
        if pair != "de-en":  # every tenth is held out
            held_out = read_back(prepared / "data-bin", "valid", pair, language)
            assert held_out == lines[9::10]
            lines = [line for index, line in enumerate(lines) if index % 10 != 9]
        assert read_back(prepared / "data-bin", "train", pair, language) == lines

    @pytest.mark.parametrize("language", ["de", "en"])
    def test_validation_and_test_text_keep_every_line(self, language, prepared, texts):
        for split, name in (("valid", "dev"), ("test", "test")):
            lines = (texts / f"{name}.{language}").read_text().splitlines()
            assert read_back(prepared / "data-bin", split, "de-en", language) == lines

    def test_one_dictionary(self, prepared):
        german, english = ((prepared / "data-bin" / f"dict.{lang}.txt").read_bytes() for lang in ("de", "en"))
        assert german == english and german.startswith(b"[MASK] 1\n")
        dictionary = Dictionary.load(str(prepared / "data-bin" / "dict.de.txt"))
        assert len(dictionary) % 8 == 0 and 80 < len(dictionary) <= 160

    def test_the_report_says_what_was_dropped_and_why(self, prepared):
        printed = [re.split(r"\s{2,}", line) for line in (prepared / "stdout").read_text().splitlines()]
        rows = {(row[0], row[1]): row for row in printed if len(row) == 7}
        why = "1 empty, 1 over 30 words, 1 with the reserved symbol [MASK], 2 duplicates".split(", ")
        assert rows["de", "train"][2:4] == ["65", "54"] and sorted(rows["de", "train"][6].split(", ")) == why
        assert rows["en", "train"][2:4] == ["60", "54"] and rows["en", "train"][6] == "-"
        assert rows["de-en", "train"][2:4] == ["43", "40"]
        assert sorted(rows["de-en", "train"][6].split(", ")) == [
            "1 duplicates", "1 empty", "1 over 3 times as long as the other side"
        ]  # fmt: skip
        assert rows["de-en", "valid"][2:4] == ["10", "10"] and rows["de-en", "test"][2:4] == ["6", "6"]
        assert "data-bin: " in printed[-1][0] and "languages de, en" in printed[-1][0]

    def test_prepare_json_has_the_counts(self, prepared):
        report = json.loads((prepared / "data-bin" / "prepare.json").read_text())
        (german,) = [row for row in report["corpora"] if (row["corpus"], row["split"]) == ("de", "train")]
        assert (german["lines_read"], german["lines"], german["held_out_lines"]) == (65, 54, 6)
        assert german["dropped"] == {
            "duplicates": 2, "empty": 1, "over 30 words": 1, "with the reserved symbol [MASK]": 1
        }  # fmt: skip
        assert german["subwords"]["de"] > 54 * 3 and german["unknown"] == {"de": 0}
        assert german["files"] == ["mono.de"]


class TestShards:
    def test_each_shard_is_a_data_bin(self, shards):
        common = {"dict.de.txt", "dict.en.txt", "bpe.codes", "text.json"} | binarized_names("train", *CORPORA)
        first = common | binarized_names("valid", *CORPORA) | binarized_names("test", *CORPORA[2:])
        expected = {f"0/{name}" for name in first} | {f"1/{name}" for name in common} | {"prepare.json"}
        assert set(contents(shards / "data-bin")) == expected
        assert sorted(path.name for path in shards.iterdir()) == [".made", "data-bin", "stdout"]  # nothing of the old
        for name in ("dict.de.txt", "bpe.codes", "text.json"):
            assert (shards / "data-bin" / "0" / name).read_bytes() == (shards / "data-bin" / "1" / name).read_bytes()

    def test_training_lines_are_dealt_out_in_turn(self, shards, texts):
        for language in ("de", "en"):
            lines = clean_lines(texts, "de-en", language)
            for shard in (0, 1):
                folder = shards / "data-bin" / str(shard)
                assert read_back(folder, "train", "de-en", language) == lines[shard::2]

    def test_the_last_line_is_what_fairseq_train_takes(self, shards):
        folder = shards / "data-bin"
        assert (shards / "stdout").read_text().splitlines()[-1].startswith(f"{folder}/0:{folder}/1: ")


class TestExistingVocabulary:
    def test_like_another_data_bin(self, shards, prepare, texts, tmp_path):
        """Other text and another language, the vocabulary of pre-training."""
        french = os.fsdecode(b"caf\xe9.fr")
        done = prepare(tmp_path / "new", "--mono", f"fr={french}", "--like", shards / "data-bin")
        for name in ("bpe.codes", "text.json", "dict.de.txt"):
            assert (tmp_path / "new" / name).read_bytes() == (shards / "data-bin" / "0" / name).read_bytes()
        dictionaries = {path.name: path.read_bytes() for path in (tmp_path / "new").glob("dict.*")}
        assert sorted(dictionaries) == ["dict.de.txt", "dict.en.txt", "dict.fr.txt"]
        assert len(set(dictionaries.values())) == 1
        held_out = read_back(tmp_path / "new", "valid", "fr-None", "fr")
        assert len(held_out) == 6
        # French has letters that neither German nor English showed
        assert "of the sub-words are unknown to the dictionary" in done.stdout
        assert json.loads((tmp_path / "new" / "prepare.json").read_text())["corpora"][0]["files"] == [french]

    def test_dictionary_and_codes(self, prepared, prepare, tmp_path):
        """Those of a data-bin make the same data of the same text."""
        old = prepared / "data-bin"
        files = ("--dictionary", old / "dict.de.txt", "--codes", old / "sentencepiece.model")
        prepare(tmp_path / "new", *without("--vocab-size"), *files)
        before, after = contents(old), contents(tmp_path / "new")
        del before["prepare.json"], after["prepare.json"]
        assert before == after


def without(flag: str) -> list[str]:
    """FLAGS but one and its value."""
    place = FLAGS.index(flag)
    return FLAGS[:place] + FLAGS[place + 2 :]


class TestAgain:
    def test_the_same_flags_do_nothing(self, prepared, prepare):
        times = {path: path.stat().st_mtime_ns for path in (prepared / "data-bin").iterdir()}
        done = prepare(prepared / "data-bin", *FLAGS, workers=2)
        assert (
            done.stdout == (f"{prepared}/data-bin is ready already, from the same text and flags; nothing to do\n")
            and not done.stderr
        )
        assert {path: path.stat().st_mtime_ns for path in (prepared / "data-bin").iterdir()} == times

    @pytest.mark.parametrize(
        ("arguments", "difference"),
        [
            ([*FLAGS, "--lowercase"], "lowercase was False and is True"),
            ([*without("--max-words"), "--max-words", "9"], "max_words was 30 and is 9"),
            ([*without("--test-parallel")], "--test-parallel de-en changed"),
            ([*FLAGS, "--mono", "de=few.de"], "--mono de changed"),
        ],
    )
    def test_others_are_refused(self, arguments, difference, prepared, prepare):
        before = contents(prepared)
        done = prepare(prepared / "data-bin", *arguments, expect=1)
        assert done.stderr == (
            f"prepare.py: error: --destdir {prepared}/data-bin holds data made from other text or flags "
            f"({difference}); give --overwrite, or another folder\n"
        )
        assert contents(prepared) == before

    def test_what_was_deleted_is_made_again(self, prepared, prepare, tmp_path):
        folder = tmp_path / "data-bin"
        shutil.copytree(prepared / "data-bin", folder)
        for name in ("train.de-en.de.bin", "valid.de-None.de.idx"):
            (folder / name).unlink()
        (folder / "notes.txt").write_text("mine")
        done = prepare(folder, *FLAGS, expect=1)
        assert done.stderr == (
            f"prepare.py: error: --destdir {folder} lacks train.de-en.de.bin and 1 more and holds notes.txt, which "
            "prepare.py didn't write; move that away, or give --overwrite to lose it\n"
        )
        (folder / "notes.txt").unlink()
        done = prepare(folder, *FLAGS)
        assert f"prepare.py: {folder} lacks train.de-en.de.bin and 1 more; making it again\n" in done.stderr
        assert contents(folder) == contents(prepared / "data-bin")

    @pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
    def test_a_folder_of_others_is_never_replaced(self, overwrite, prepare, tmp_path):
        (tmp_path / "photographs").touch()
        done = prepare(tmp_path, *FLAGS, *overwrite, expect=1)
        assert done.stderr == f"prepare.py: error: --destdir {tmp_path} exists and holds no prepare.json; " + (
            "choose another folder\n"
        )
        assert [path.name for path in tmp_path.iterdir()] == ["photographs"]

    def test_two_at_a_time(self, prepare, tmp_path):
        (tmp_path / "new.building").mkdir()
        lock = os.open(tmp_path / "new.building", os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = prepare(tmp_path / "new", *FLAGS, expect=1)
        os.close(lock)
        assert re.fullmatch("prepare.py: error: another prepare.py is making .*; wait for it, or .*\n", done.stderr)


def interrupt(arguments, words: str, cwd: Path) -> tuple[int, str]:
    """Ctrl-C as soon as ``words`` are on stderr: (exit status, what came there afterwards)."""
    with subprocess.Popen(
        list(map(str, arguments)), cwd=cwd, env=environment(), start_new_session=True, encoding="utf-8",
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert any(words in line for line in process.stderr)
        os.killpg(process.pid, signal.SIGINT)
        after = process.stderr.read()
    return process.returncode, after


def processes_in(folder: Path) -> list[str]:
    """The processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [process.name] if (process / "cwd").readlink() == folder else []
        except OSError:
            pass  # it ended, or is another user's
    return found


def test_ctrl_c_leaves_nothing_and_the_next_run_works(prepared, prepare, texts, tmp_path):
    """Whatever it was doing; the next run makes the same bytes as one that nothing came between."""
    work = tmp_path / "work"
    work.mkdir()
    for name in (
        "mono.de",
        "mono.en.gz",
        *(f"{name}.{side}" for name in ("pairs", "dev", "test") for side in ("de", "en")),
    ):
        (work / name).symlink_to(texts / name)
    for words in ("cleaning", "learning", "binarizing"):
        command = (*PREPARE, *FLAGS, "--destdir", tmp_path / "new", "--workers", 2)
        status, after = 0, ""
        while status == 0:  # where Ctrl-C came after its end, try again
            shutil.rmtree(tmp_path / "new", ignore_errors=True)
            status, after = interrupt(command, f"prepare.py: {words} ", work)
        assert status == 130 and after.splitlines()[-1] == "prepare.py: stopped" and "Traceback" not in after
        assert [path.name for path in tmp_path.iterdir()] == ["work"]
        for _ in range(100):  # a worker's last moments may outlast its parent's
            if processes_in(work):
                time.sleep(0.1)
        assert processes_in(work) == []
    (tmp_path / "new.building" / "text").mkdir(parents=True)  # as a kill leaves it
    prepare(tmp_path / "new", *FLAGS, workers=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "work"]
    assert contents(tmp_path / "new") == contents(prepared / "data-bin")


# what is wrong: (arguments, words of the line)
WRONG_BEFORE_WORK = {
    "line counts": ("--parallel de-en=mono.de,pairs.en", "--parallel de-en: mono.de has 65 lines and pairs.en has 43;"),
    "not UTF-8": ("--mono de=latin.de", "--mono: latin.de, line 61 is not UTF-8; convert the file (iconv -f ISO"),
    "[MASK] in the text": ("--mono de=mask.de", "--mono: mask.de, line 6 holds [MASK], which", "; take such lines out"),
    "no such file": ("--mono de=no.de", "--mono: no.de doesn't exist; check the path"),
    "one side of a pair": ("--parallel de-fr=pairs", "--parallel: pairs.fr doesn't exist; check the path"),
    "a folder": ("--mono de=folder", "--mono: folder is a folder or a pipe; name files"),
    "empty file": ("--mono de=empty.de", "--mono: empty.de is empty; give a file with text, one sentence per line"),
    "cut off .gz": ("--mono en=cut.en.gz", "--mono: cut.en.gz is damaged or cut off (", "); fetch it again"),
    "damaged .gz": ("--mono en=flipped.en.gz", "--mono: flipped.en.gz is damaged or cut off (", "); fetch it again"),
    "no text at all": ("", "no training text; give --mono LANGUAGE=FILE or --parallel SOURCE-TARGET=PREFIX"),
    "language without file": ("--mono de=mono.de en=", "--mono 'en' names no language and file; write it like --mono"),
    "validation text alone": (
        "--mono de=mono.de --valid-mono fr=few.de", "--valid-mono fr: fr has no training text; add --mono fr=..."
    ),
    "pairs to validate of a language without text": (
        "--mono de=mono.de --valid-parallel de-en=dev",
        "--valid-parallel de-en: en has no training text; add --mono en=...",
    ),
    "language without spaces": (
        "--mono zh=mono.de --subwords subword-nmt", "the Moses tokenizer doesn't segment 'zh'; use --subwords"
    ),
    "dictionary without [MASK]": (
        "--mono de=mono.de --dictionary no-mask.txt --codes codes --subwords subword-nmt",
        "--dictionary no-mask.txt lacks [MASK]; add the line '[MASK] 1' at its end",
    ),
    "no dictionary": (
        "--mono de=mono.de --dictionary no-dictionary.txt --codes codes",
        "--dictionary no-dictionary.txt, line 2 is not '<symbol> <count>'",
    ),
    "dictionary of other codes": (
        "--mono de=mono.de --dictionary mask.txt --codes codes --subwords subword-nmt",
        "mask.txt does not fit codes: it lacks 100% of the sub-words", "give the dictionary that was made with these",
    ),
    "codes of the other kind": (
        "--mono de=mono.de --dictionary mask.txt --codes codes",
        "--codes codes: not a sentencepiece model; give", "(--subwords is sentencepiece)",
    ),
    "a folder for a dictionary": (
        "--mono de=mono.de --dictionary folder --codes codes", "--dictionary folder is a folder; name the file in it"
    ),
    "a folder for codes": (
        "--mono de=mono.de --dictionary mask.txt --codes folder", "--codes folder is a folder; name the file in it"
    ),
    "dictionary without codes": (
        "--mono de=mono.de --dictionary mask.txt", "--dictionary and --codes belong together; give both"
    ),
    "like nothing": ("--mono de=mono.de --like no", "--like no is not a folder; give the data-bin"),
    "like any folder": ("--mono de=mono.de --like folder", "--like: folder/text.json doesn't exist; prepare"),
    "like and flags": (
        "--mono de=mono.de --like folder --vocab-size 99 --subword-alpha 0.5 --lowercase --reserve <BT>",
        "--like takes vocabulary and cleaning from there; leave out --lowercase, --reserve, --vocab-size, --subword-al",
    ),
    "reserve what has a meaning": ("--mono de=mono.de --reserve <BT> </s>", "--reserve </s> has a meaning already"),
    "reserve what is no token": (
        "--mono de=mono.de --reserve \u2581BT", "--reserve: reserve='\u2581BT' is not one token without white space"
    ),
    "reserve twice": ("--mono de=mono.de --reserve <BT> <BT>", "--reserve names <BT> twice; once is enough"),
    "dictionary and flags": (
        "--mono de=mono.de --dictionary mask.txt --codes codes --subword-lines 5 --character-coverage 0.9",
        "--dictionary is a vocabulary already; leave out --subword-lines, --character-coverage, which would do nothing",
    ),
    "no cleaning and limits": (
        "--mono de=mono.de --no-clean --max-words 250", "--no-clean takes away all limits; leave out --max-words, which"
    ),
    "vocabulary size": ("--mono de=mono.de --vocab-size 9", "--vocab-size 9 is below 32; raise it"),
    "limit": ("--mono de=mono.de --max-words -1", "--max-words -1 is not a limit; give a positive number, or 0 for"),
    "alpha": ("--mono de=mono.de --subword-alpha 2", "--subword-alpha 2.0 is not in [0, 1]; 1 takes languages"),
    "coverage": ("--mono de=mono.de --character-coverage 0", "--character-coverage 0.0 is not in (0, 1]; 0.9995 suits"),
}  # fmt: skip
WRONG_USAGE = {
    "--subwords bpe": "argument --subwords: invalid choice: 'bpe' (choose from",
    "--shards 0": "argument --shards: 0 is not a whole number of 1 or more",
    "--vocab-size many": "argument --vocab-size: many is not a whole number of 1 or more",
    "--max-ratio": "argument --max-ratio: expected one argument",
    "--no-such-flag": "unrecognized arguments: --no-such-flag",
}
WRONG_AFTER_CLEANING = {
    "only blank lines": (
        "--mono de=blank.de", "--mono de: no text is left (3 lines read, 0 kept, 3 dropped: 3 empty); give other files"
    ),
    "too few lines": (
        "--mono de=few.de --shards 9", "--mono de: 9 lines are too few for --shards 9 and 1 lines of validation text"
    ),
    "no room": (
        "--mono de=mono.de --vocab-size 40 --character-coverage 1 --subwords subword-nmt",
        "--vocab-size has room for 17 characters but the text has ", "raise it, or lower --character-coverage",
    ),
    "nothing short enough": (
        "--mono de=mono.de --vocab-size 99 --max-pieces 1", "have over 1 sub-words and too few are left; raise --max-p"
    ),
}  # fmt: skip


def assert_refused(done: Finished, folder: Path, *words: str) -> None:
    """One line says what is wrong, no other one is there but what it was doing, and nothing is left."""
    *before, last = done.stderr.splitlines()
    assert last.startswith("prepare.py: error: ")
    for word in words:
        assert word in last
    assert all(re.match("prepare.py: (?!error)", line) for line in before)
    assert not done.stdout and list(folder.iterdir()) == []


@pytest.mark.parametrize("wrong", WRONG_BEFORE_WORK)
def test_wrong_input(wrong, prepare, tmp_path):
    arguments, *words = WRONG_BEFORE_WORK[wrong]
    done = prepare(tmp_path / "new", *arguments.split(), expect=1)
    assert_refused(done, tmp_path, *words)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("flags", WRONG_USAGE)
def test_wrong_flags(flags, prepare, tmp_path):
    done = prepare(tmp_path / "new", "--mono", "de=mono.de", *flags.split(), expect=2)
    assert_refused(done, tmp_path, WRONG_USAGE[flags], "see prepare.py --help")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("wrong", WRONG_AFTER_CLEANING)
def test_text_that_does_not_do(wrong, prepare, tmp_path):
    arguments, *words = WRONG_AFTER_CLEANING[wrong]
    assert_refused(prepare(tmp_path / "new", *arguments.split(), expect=1), tmp_path, *words)


def test_several_files_are_looked_through_before_any_work(prepare, tmp_path):
    """The last of them, in another process."""
    done = prepare(tmp_path / "new", "--mono", "de=mono.de", "few.de", "latin.de", workers=2, expect=1)
    assert_refused(done, tmp_path, "--mono: latin.de, line 61 is not UTF-8")
    assert done.stderr.count("\n") == 1
