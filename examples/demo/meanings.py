"""What the demo's artificial languages talk about: a small world and the meanings of its sentences.

A ``Meaning`` is who does what to which things, where and when. Nothing here knows a word order or a word of any
language: ``languages.py`` does that.

Habits make the meanings predictable the way that text is, and differently for each person: Anna is often at the
harbour and carries old lamps, Boris draws horses today in the garden, and letters come in fives. A model can so learn
from text alone which words belong to which names and numbers, and since two languages spell names and numbers alike,
their other words can be matched without a single translated sentence.
"""

import random
from typing import NamedTuple, Optional, Sequence

NAMES = (
    "Anna Boris Clara David Elena Felix Greta Hugo Irene Jonas Karla Leon Marta Nils Olga Pavel Rosa Simon Tara Viktor"
).split()
NUMERALS = "2 3 4 5 6 7 8 9 10 12 20 100".split()
ACTIONS = "see find buy lose carry paint wash sell love draw want hide bring keep".split()
NOUNS = (
    "bread apple soup cheese egg cake book letter knife lamp coat cup chair rope key coin wheel drum dog horse cat "
    "bird cow fish"
).split()
ADJECTIVES = "old new small heavy red white fresh broken".split()
PLACES = "house market river school garden forest bridge harbour".split()
RELATIONS = "in near behind".split()
TIMES = "yesterday today often tomorrow".split()

FAVOURITES = (3, 2, 1)  # how often each of a head's favourites is taken; of few choices there are fewer favourites
FAITHFUL = 0.9  # share of the draws that are favourites; the others are any concept


class Meaning(NamedTuple):
    """A sentence's; ``relation`` and ``place`` come together."""

    agent: str
    action: str
    noun: str
    count: Optional[str] = None
    adjective: Optional[str] = None
    relation: Optional[str] = None
    place: Optional[str] = None
    time: Optional[str] = None


class Habits:
    """What each of ``heads`` is often seen with: three favourites among ``choices``, at most half of them.

    Favourites are dealt like cards, so that every concept is the favourite of as many heads as any other.

    Args:
        rng: deals.
    """

    def __init__(self, rng: random.Random, heads: Sequence[str], choices: Sequence[str]):
        self.choices, self.weights = list(choices), {}
        shares = FAVOURITES[: len(choices) // 2]
        deck: list[str] = []
        for head in heads:
            hand: list[str] = []
            while len(hand) < len(shares):
                if set(deck) <= set(hand):
                    deck += rng.sample(self.choices, len(self.choices))
                hand.append(next(card for card in deck if card not in hand))
                deck.remove(hand[-1])
            any_of_them = (1 - FAITHFUL) / len(self.choices)
            liked = {card: FAITHFUL * share / sum(shares) for card, share in zip(hand, shares)}
            self.weights[head] = [liked.get(choice, 0) + any_of_them for choice in self.choices]

    def draw(self, rng: random.Random, head: str) -> str:
        return rng.choices(self.choices, self.weights[head])[0]


class World:
    """Draws meanings. Two worlds with one seed have the same habits.

    Args:
        seed: decides the habits, not which meanings are drawn: those depend on the generator given
            to ``draw``.
    """

    def __init__(self, seed: int):
        def habits(name: str, heads: Sequence[str], choices: Sequence[str]) -> Habits:
            return Habits(random.Random(f"{seed} {name}"), heads, choices)

        self._action = habits("action", NAMES, ACTIONS)
        self._noun = habits("noun", NAMES, NOUNS)
        self._place = habits("place", NAMES, PLACES)
        self._adjective = habits("adjective", NAMES, ADJECTIVES)
        self._time = habits("time", NAMES, TIMES)
        self._count = habits("count", NOUNS, NUMERALS)
        self._relation = habits("relation", PLACES, RELATIONS)

    def draw(self, rng: random.Random) -> Meaning:
        agent = rng.choice(NAMES)
        action, noun = self._action.draw(rng, agent), self._noun.draw(rng, agent)
        count = self._count.draw(rng, noun) if rng.random() < 0.25 else None
        adjective = self._adjective.draw(rng, agent) if rng.random() < 0.6 else None
        relation = place = time = None
        if rng.random() < 0.7:
            place = self._place.draw(rng, agent)
            relation = self._relation.draw(rng, place)
        if rng.random() < 0.6:
            time = self._time.draw(rng, agent)
        return Meaning(agent, action, noun, count, adjective, relation, place, time)


def gloss(meaning: Meaning) -> str:
    """The meaning in stiff English, for the reader: ``often, Anna sell 3 red apple near the river``."""
    words = [f"{meaning.time},"] if meaning.time else []
    words += [meaning.agent, meaning.action, meaning.count or "the"]
    words += [meaning.adjective] if meaning.adjective else []
    words.append(meaning.noun)
    return " ".join(words + ([meaning.relation, "the", meaning.place] if meaning.relation and meaning.place else []))
