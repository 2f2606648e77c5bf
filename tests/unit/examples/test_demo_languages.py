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


def test_all_names_and_numerals_are_shared_by_default(languages, speakers):
    from meanings import NAMES, NUMERALS

    assert speakers.shared == {*NAMES, *NUMERALS}
    own = ({*speaker.words.values()} - speakers.shared for speaker in (speakers.sola, speakers.druk))
    assert set.isdisjoint(*own)


def test_the_languages_differ_in_words_and_in_order(speakers, languages):
    from meanings import Meaning

    meaning = Meaning("Anna", "find", "apple", count="3", adjective="red", relation="near", place="river", time="often")
    sola, druk = (speaker.words for speaker in (speakers.sola, speakers.druk))
    order = ("often", "Anna", "find", "3", "red", "apple", "near")
    place = [languages.ARTICLES[speakers.sola.genders["river"]], sola["river"]]
    assert speakers.sola.sentence(meaning).split() == [sola[concept] for concept in order] + place
    order = ("Anna", "often", "find", "apple", "red", "3", "river", "near")
    assert speakers.druk.sentence(meaning).split() == [druk[concept] for concept in order]
    assert not {sola[concept] for concept in order[1:]} & {druk[concept] for concept in order[1:]} - {"3"}


def test_text_follows_habits(meanings):
    """Words go together: most of what a person does something to are three favourites, and persons differ."""
    favourites = set()
    for name in ("Anna", "Boris", "Clara"):
        nouns = Counter(meaning.noun for meaning in meanings if meaning.agent == name)
        three = nouns.most_common(3)
        assert sum(times for _, times in three) > 0.8 * nouns.total() and nouns.total() > 50
        favourites.add(frozenset(noun for noun, _ in three))
    assert len(favourites) == 3


def test_every_concept_is_somebodys_favourite(languages):
    """As often as any other, give or take the last round of the deal."""
    from meanings import NAMES, NOUNS, World

    habits = World(seed=3)._noun
    liked = Counter(noun for name in NAMES for noun, weight in zip(NOUNS, habits.weights[name]) if weight > 0.1)
    assert set(liked) == set(NOUNS) and max(liked.values()) - min(liked.values()) <= 1


def test_no_sentence_is_in_two_files(languages, speakers, tmp_path):
    sizes = languages.Sizes(train=300, valid=50, pairs_test=40)
    files = languages.write_corpus(tmp_path, speakers, sizes)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    for language in ("sola", "druk"):
        names = [path.name for path in files if path.suffix == f".{language}"]
        lines = [line for name in names for line in read(tmp_path, name)]
        assert len(lines) == 300 + 50 + 40 == len(set(lines))


def test_files_depend_on_the_seed_alone(languages, tmp_path):
    sizes = languages.Sizes(train=50, valid=5, pairs_test=5)
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        languages.write_corpus(tmp_path / folder, languages.Languages(seed), sizes)
    a, b, c = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc")
    assert a == b
    assert all(a[name] != c[name] for name in a)
    # More monolingual text leaves the pairs as they are.
    languages.write_corpus(tmp_path / "d", languages.Languages(1), sizes._replace(train=60))
    assert all((tmp_path / "d" / name).read_bytes() == a[name] for name in a if name.startswith("pairs"))


def test_the_control_says_nothing(languages, speakers, tmp_path):
    sizes = languages.Sizes(train=50, valid=5, pairs_test=100)
    languages.write_corpus(tmp_path, speakers, sizes, second="babble")
    ours = {word for line in read(tmp_path, "pairs.test.sola-babble.sola") for word in line.split()}
    babble = {word for line in read(tmp_path, "pairs.test.sola-babble.babble") for word in line.split()}
    assert ours & babble <= speakers.shared


@pytest.mark.parametrize(
    ("flags", "message"),
    [(["--pairs-test", "0"], "a size below 1"), (["--shared", "0.9"], "shared 0.9 is not in 0 .. ")],
)
def test_wrong_flags(flags, message, tmp_path):
    output = tmp_path / "text"
    command = [sys.executable, DEMO / "languages.py", "--output", output, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and message in done.stderr.splitlines()[-1]
    assert not output.exists()
