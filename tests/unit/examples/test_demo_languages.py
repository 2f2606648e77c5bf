"""The demo's artificial languages: deterministic, faithful, and without leaks between the files."""

import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[3] / "examples" / "demo"


@pytest.fixture(scope="module")
def languages():
    sys.path.insert(0, str(DEMO))
    try:
        import languages as module
    finally:
        sys.path.remove(str(DEMO))
    return module


@pytest.fixture(scope="module")
def speakers(languages):
    return languages.Languages(seed=1)


@pytest.fixture(scope="module")
def meanings(speakers):
    return list(islice(speakers.meanings(), 3000))


def read(folder, name):
    return (folder / name).read_text(encoding="utf-8").splitlines()


def test_another_meaning_is_another_sentence(speakers, meanings):
    assert len(set(meanings)) == len(meanings)
    for speaker in (speakers.sola, speakers.druk):
        assert len({speaker.sentence(meaning) for meaning in meanings}) == len(meanings)


def test_the_share_of_shared_words_is_what_was_asked_for(languages, meanings):
    for share in (0, 0.1):
        speakers = languages.Languages(seed=1, shared=share)
        words = [word for meaning in meanings[:1000] for word in speakers.sola.sentence(meaning).split()]
        words += [word for meaning in meanings[:1000] for word in speakers.druk.sentence(meaning).split()]
        both = sum(word in speakers.shared for word in words) / len(words)
        assert both == pytest.approx(share, abs=0.03)


def test_the_languages_differ_in_words_and_in_order(speakers, languages):
    from meanings import Clause, Meaning, Person, Things

    meaning = Meaning(Clause(Person("Anna"), "eat", "past", object=Things("apple", "3", "red")))
    sola, druk = speakers.sola.sentence(meaning).split(), speakers.druk.sentence(meaning).split()
    verb = {side: speaker.words["eat"] for side, speaker in (("sola", speakers.sola), ("druk", speakers.druk))}
    assert sola[1] == verb["sola"] + "va" and druk[-1] == verb["druk"] + "ok"
    noun = speakers.druk.words["apple"]
    assert noun + "u" in druk  # the object's case, and no plural after a numeral
    assert sola[-1] == speakers.sola.words["apple"] + "si"


def test_text_follows_habits(speakers, meanings):
    """Words go together: the object that follows an action is far from evenly spread."""
    objects = Counter()
    for meaning in meanings:
        clause = meaning.first
        if clause.action == "eat" and clause.object:
            objects[clause.object.noun] += 1
    total = sum(objects.values())
    assert total > 30 and objects.most_common(1)[0][1] > 2 * total / 8  # 8 kinds of food


def test_no_sentence_is_in_two_files(languages, speakers, tmp_path):
    sizes = languages.Sizes(train=300, valid=50, pairs=100, pairs_valid=30, pairs_test=40)
    files = languages.write_corpus(tmp_path, speakers, sizes)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    for language in ("sola", "druk"):
        names = [path.name for path in files if path.suffix == f".{language}"]
        lines = [line for name in names for line in read(tmp_path, name)]
        assert len(lines) == 300 + 50 + 100 + 30 + 40 == len(set(lines))


def test_files_depend_on_the_seed_alone(languages, tmp_path):
    sizes = languages.Sizes(train=50, valid=5, pairs=20, pairs_valid=5, pairs_test=5)
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        languages.write_corpus(tmp_path / folder, languages.Languages(seed), sizes)
    a, b, c = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc")
    assert a == b
    assert all(a[name] != c[name] for name in a)
    # More monolingual text leaves the pairs as they are.
    languages.write_corpus(tmp_path / "d", languages.Languages(1), sizes._replace(train=60))
    assert all((tmp_path / "d" / name).read_bytes() == a[name] for name in a if name.startswith("pairs"))


def test_the_control_says_nothing(languages, speakers, tmp_path):
    sizes = languages.Sizes(train=50, valid=5, pairs=100, pairs_valid=5, pairs_test=5)
    languages.write_corpus(tmp_path, speakers, sizes, second="babble")
    ours = {word for line in read(tmp_path, "pairs.train.sola-babble.sola") for word in line.split()}
    babble = {word for line in read(tmp_path, "pairs.train.sola-babble.babble") for word in line.split()}
    assert ours & babble <= speakers.shared


@pytest.mark.parametrize(
    ("flags", "message"), [(["--pairs", "0"], "a size below 1"), (["--shared", "0.9"], "shared 0.9 is not in 0 .. ")]
)
def test_wrong_flags(flags, message, tmp_path):
    output = tmp_path / "text"
    command = [sys.executable, DEMO / "languages.py", "--output", output, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and message in done.stderr.splitlines()[-1]
    assert not output.exists()
