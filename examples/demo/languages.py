"""Two small artificial languages that say the same things, and a third that says nothing.

    python examples/demo/languages.py --output corpus --seed 1 --sentences 20000

Both realize the meanings of ``meanings.py``; words are invented from the seed, the grammars are fixed:

              sola                                      druk
    clause    [time] agent verb things                  agent [time] verb things
              [preposition place]                       [place postposition]
    things    article (two genders) or numeral,         noun, adjective, numeral; no articles
              adjective, noun
    sounds    open syllables, vowels a e i o            closed syllables, vowels a u y

A sentence is a function of its meaning and a meaning of its sentence, so a perfect system translates
without a fault (BLEU 100). Names and numerals spelled alike in both are ``shared`` of all running words;
the others have a spelling of each language.

``babble`` is a control: its words and grammar are random and its sentences mean nothing, though they are
as long as the others and hold as many shared words. Nothing can be learned from it about a translation.
"""

import argparse
import os
import random
import sys
from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Callable, Iterable, NamedTuple, Optional

from meanings import ACTIONS, ADJECTIVES, NAMES, NOUNS, NUMERALS, PLACES, RELATIONS, TIMES, Meaning, World, gloss

FIRST, SECOND, CONTROL = "sola", "druk", "babble"
ARTICLES = ("la", "lo")  # sola, by gender

_SHARED_SAMPLE = 2000  # sentences that the share of shared words is measured on


class Sounds(NamedTuple):
    """Syllables are onset + vowel; the last one of a word also takes a coda."""

    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]

    def word(self, rng: random.Random, syllables: int) -> str:
        return "".join(rng.choice(self.onsets) + rng.choice(self.vowels) for _ in range(syllables)) + rng.choice(
            self.codas
        )


SOUNDS = {
    FIRST: Sounds(tuple("p t k m n l r s f v ch".split()), tuple("aeio"), ("",)),
    SECOND: Sounds(tuple("b d g z h j br dr gr kr sk".split()), tuple("auy"), tuple("n k m rd lt sh ng b".split())),
    CONTROL: Sounds(tuple("w q x c th ph y".split()), tuple("eiou"), tuple("x s th l".split())),
}


class Lexicon(dict[str, str]):
    """Concept -> word in one language; no two words of any language are spelled alike.

    Args:
        language: ``FIRST`` or ``SECOND``.
        shared: names and numerals that are spelled as they are.
        rng: draws the words.
        taken: words that exist already; the new ones join them.
    """

    def __init__(self, language: str, shared: frozenset[str], rng: random.Random, taken: set[str]):
        super().__init__()
        for concept in (*RELATIONS, *TIMES, *ADJECTIVES, *ACTIONS, *NOUNS, *PLACES, *NAMES, *NUMERALS):
            word = concept if concept in shared else ""
            while not word or (word in taken and concept not in shared):
                word = SOUNDS[language].word(rng, 1 if concept in RELATIONS else 2)
                word = word.title() if concept in NAMES else word
            taken.add(word)
            self[concept] = word


class Sola:
    """Articles and prepositions; the adjective before its noun. See the module's table.

    Args:
        words: concept -> word.
        genders: noun or place -> 0 or 1, which its article agrees with.
    """

    def __init__(self, words: dict[str, str], genders: dict[str, int]):
        self.words, self.genders = words, genders

    def sentence(self, meaning: Meaning) -> str:
        words = [self.words[meaning.time]] if meaning.time else []
        words += [self.words[meaning.agent], self.words[meaning.action]]
        words.append(self.words[meaning.count] if meaning.count else ARTICLES[self.genders[meaning.noun]])
        words += [self.words[meaning.adjective]] if meaning.adjective else []
        words.append(self.words[meaning.noun])
        if meaning.relation and meaning.place:
            words += [self.words[meaning.relation], ARTICLES[self.genders[meaning.place]], self.words[meaning.place]]
        return " ".join(words)


class Druk:
    """Postpositions; what belongs to a noun follows it. See the module's table."""

    def __init__(self, words: dict[str, str]):
        self.words = words

    def sentence(self, meaning: Meaning) -> str:
        order = (meaning.agent, meaning.time, meaning.action, meaning.noun, meaning.adjective, meaning.count)
        return " ".join(self.words[concept] for concept in (*order, meaning.place, meaning.relation) if concept)


class Babble:
    """Meaningless sentences: a random chain of word classes, each with Zipf-frequent words.

    Args:
        rng: draws words and grammar.
        taken: forms that exist already.
        shared: words spelled as in the other languages, one class of the grammar.
        share: that class's share of the running words.
    """

    CLASSES, WORDS = 10, 60

    def __init__(self, rng: random.Random, taken: set[str], shared: frozenset[str], share: float):
        self.classes: list[list[str]] = []
        for number in range(self.CLASSES):
            words: list[str] = []
            while len(words) < (self.WORDS if number % 2 else self.WORDS // 10):  # content and function words
                word = SOUNDS[CONTROL].word(rng, 2 if number % 2 else 1)
                if word not in taken:
                    taken.add(word)
                    words.append(word)
            self.classes.append(words)
        self.followers = [rng.sample(range(self.CLASSES), 3) for _ in range(self.CLASSES)]
        self.shared, self.share = sorted(shared), share

    def sentence(self, length: int, rng: random.Random) -> str:
        """``length`` words."""
        words, state = [], rng.randrange(3)
        for _ in range(length):
            if self.shared and rng.random() < self.share:
                words.append(_zipf(rng, self.shared))
            else:
                words.append(_zipf(rng, self.classes[state]))
                state = self.followers[state][rng.choices(range(3), weights=(4, 2, 1))[0]]
        return " ".join(words)


def _zipf(rng: random.Random, words: list[str]) -> str:
    return rng.choices(words, cum_weights=list(accumulate(1 / (n + 1) for n in range(len(words)))))[0]


class Languages:
    """The world, and the languages that speak of it.

    Args:
        seed: decides words, habits of the world and genders, and which names are shared.
        shared: share of running words (both languages together) that are spelled alike; default: all names and
            numerals, about 0.19.

    Raises:
        ValueError: more sharing than there are names and numerals.
    """

    def __init__(self, seed: int, shared: Optional[float] = None):
        self.seed, self.world = seed, World(seed)
        self.shared, share = self._choose_shared(shared)
        taken = {*self.shared, *ARTICLES}
        genders = random.Random(f"genders {seed}")
        words = self._lexicon(FIRST, self.shared, taken)
        self.sola = Sola(words, {noun: genders.randrange(2) for noun in (*NOUNS, *PLACES)})
        self.druk = Druk(self._lexicon(SECOND, self.shared, taken))
        self.babble = Babble(random.Random(f"{CONTROL} {seed}"), taken, self.shared, share)

    def _lexicon(self, language: str, shared: frozenset[str], taken: set[str]) -> Lexicon:
        return Lexicon(language, shared, random.Random(f"{language} {self.seed}"), taken)

    def _choose_shared(self, share: Optional[float]) -> tuple[frozenset[str], float]:
        """Names and numerals to share, in a random order, as long as they fit into ``share``; and their share."""
        concepts = (*RELATIONS, *TIMES, *ADJECTIVES, *ACTIONS, *NOUNS, *PLACES, *NAMES, *NUMERALS)
        itself = {concept: concept for concept in concepts}
        mouths = Sola(itself, dict.fromkeys((*NOUNS, *PLACES), 0)), Druk(itself)
        rng = random.Random(f"shared {self.seed}")
        counts: Counter[str] = Counter()
        for _ in range(_SHARED_SAMPLE):
            meaning = self.world.draw(rng)
            counts.update(word for mouth in mouths for word in mouth.sentence(meaning).split())
        most = sum(counts[word] for word in (*NAMES, *NUMERALS)) / counts.total()
        if share is None:
            return frozenset((*NAMES, *NUMERALS)), most
        if not 0 <= share <= most:
            raise ValueError(f"shared {share} is not in 0 .. {most:.2f}, the share of names and numerals; set --shared")
        chosen, left = set(), share * counts.total()
        for word in rng.sample([*NAMES, *NUMERALS], len(NAMES) + len(NUMERALS)):
            if counts[word] <= left:
                chosen.add(word)
                left -= counts[word]
        return frozenset(chosen), share

    def meanings(self) -> Iterable[Meaning]:
        """Meanings without end, no two alike, the same ones for every run with this seed."""
        rng, seen = random.Random(f"meanings {self.seed}"), set()
        while True:
            meaning = self.world.draw(rng)
            if meaning not in seen:
                seen.add(meaning)
                yield meaning


class Sizes(NamedTuple):
    """Sentences of each file; monolingual ones are of each language."""

    train: int = 20000
    valid: int = 500
    pairs_test: int = 500


DEFAULT_SIZES = Sizes()


def write_corpus(
    folder: str | os.PathLike,
    languages: Languages,
    sizes: Sizes = DEFAULT_SIZES,
    second: str = SECOND,
) -> list[Path]:
    """Write monolingual and parallel text; every sentence of all files has a meaning of its own.

    Files: ``train.LANGUAGE`` and ``valid.LANGUAGE``, monolingual (no sentence of one language is the
    translation of one of the other); ``pairs.test.FIRST-SECOND.LANGUAGE``, translations line by
    line; ``pairs.test.FIRST-SECOND.gloss``, what they mean.

    Args:
        second: ``SECOND``, or ``CONTROL`` whose "translations" are unrelated sentences.

    Returns:
        the files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    meanings = iter(languages.meanings())
    say = {FIRST: languages.sola.sentence, SECOND: languages.druk.sentence, CONTROL: _babbler(languages)}
    files = []
    # The smallest, most used files come first: another size of train leaves them as they are.
    drawn = [next(meanings) for _ in range(sizes.pairs_test)]
    stem = folder / f"pairs.test.{FIRST}-{second}"
    for language in (FIRST, second):
        files.append(_write(f"{stem}.{language}", map(say[language], drawn)))
    files.append(_write(f"{stem}.gloss", map(gloss, drawn)))
    for split, size in (("valid", sizes.valid), ("train", sizes.train)):
        for language in (FIRST, second):
            drawn = (next(meanings) for _ in range(size))
            files.append(_write(folder / f"{split}.{language}", map(say[language], drawn)))
    return files


def _babbler(languages: Languages) -> Callable[[Meaning], str]:
    """Says something as long as the meaning would be in ``FIRST``; nothing else of it gets through."""
    rng = random.Random(f"{CONTROL} sentences {languages.seed}")
    return lambda meaning: languages.babble.sentence(len(languages.sola.sentence(meaning).split()), rng)


def _write(path: str | os.PathLike, lines: Iterable[str]) -> Path:
    path = Path(path)
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    temporary.replace(path)
    return path


def main(argv: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    number = {"type": int, "metavar": "N"}
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--seed", default=1, help="decides everything (default 1)", **number)
    defaults = DEFAULT_SIZES
    parser.add_argument("--sentences", default=defaults.train, help="monolingual, each language (20000)", **number)
    parser.add_argument("--valid", default=defaults.valid, help="monolingual, for validation (500)", **number)
    parser.add_argument("--pairs-test", default=defaults.pairs_test, help="parallel, for the test (500)", **number)
    parser.add_argument("--shared", type=float, help="share of shared words (default: names and numerals, 0.19)")
    parser.add_argument(
        "--second", default=SECOND, choices=(SECOND, CONTROL), help=f"second language (default {SECOND})"
    )
    args = parser.parse_args(argv)
    sizes = Sizes(args.sentences, args.valid, args.pairs_test)
    if min(sizes) < 1:
        parser.error(f"a size below 1 in {sizes}; every file needs a sentence")
    try:
        languages = Languages(args.seed, args.shared)
    except ValueError as error:
        parser.error(str(error))
    for path in write_corpus(args.output, languages, sizes, args.second):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
