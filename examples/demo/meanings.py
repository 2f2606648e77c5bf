"""What the demo's artificial languages talk about: a small world and the meanings of its sentences.

A ``Meaning`` is one clause or two linked ones; a ``Clause`` says who does what to whom, where and when.
Nothing here knows a word order or a word of any language: ``languages.py`` does that.

Habits make the meanings predictable the way that text is. Within its class each concept is Zipf-frequent,
and each head has its own favourites among its dependents: the baker makes bread rather than ropes, Anna
is often at the harbour, wolves come in sevens. A model can so learn from text alone which words belong
together, and two languages that talk of one world can be matched without a single translated sentence.
"""

import random
from itertools import accumulate
from typing import NamedTuple, Optional, Sequence, Union

NOUNS = {
    "person": "child woman man baker teacher farmer king doctor sailor neighbour soldier thief".split(),
    "animal": "dog horse cat bird cow wolf goat fish".split(),
    "food": "bread apple soup cheese egg cake honey nut".split(),
    "thing": "book letter knife lamp coat cup chair rope key coin wheel drum".split(),
    "place": "house market river school garden forest bridge harbour tower church mill island".split(),
}
CLASS_OF = {noun: kind for kind, nouns in NOUNS.items() for noun in nouns}

NAMES = (
    "Anna Boris Clara David Elena Felix Greta Hugo Irene Jonas Karla Leon Marta Nils Olga Pavel Rosa Simon Tara Viktor"
).split()
NUMERALS = "2 3 4 5 6 7 8 9 10 12 20 100".split()

ADJECTIVES = {
    "person": "old young tall happy tired rich".split(),
    "animal": "old small wild grey hungry fast".split(),
    "food": "fresh sweet warm small white".split(),
    "thing": "old new heavy red blue broken".split(),
}

_TENSE_OF_TIME = {
    "yesterday": "past",
    "long-ago": "past",
    "last-night": "past",
    "today": "present",
    "often": "present",
    "always": "present",
    "tomorrow": "future",
    "soon": "future",
    "next-year": "future",
}
TIMES = list(_TENSE_OF_TIME)
TENSES = ["past", "present", "future"]
RELATIONS = ["in", "near", "behind", "before"]
LINKS = ["and", "but", "because", "when"]  # join two clauses; "that" puts the second into the first
COMPLEMENT = "that"


class Frame(NamedTuple):
    """Who can do something, to what, for whom (classes of nouns)."""

    agent: tuple[str, ...]
    object: tuple[str, ...] = ()
    recipient: bool = False


_ALIVE, _OWNED = ("person", "animal"), ("thing", "food")
ACTIONS = {
    "sleep": Frame(_ALIVE),
    "run": Frame(_ALIVE),
    "sing": Frame(("person",)),
    "work": Frame(("person",)),
    "wait": Frame(_ALIVE),
    "swim": Frame(_ALIVE),
    "see": Frame(_ALIVE, ("person", "animal", "thing", "food")),
    "eat": Frame(_ALIVE, ("food",)),
    "love": Frame(("person",), ("person", "animal", "food")),
    "hear": Frame(_ALIVE, _ALIVE),
    "follow": Frame(_ALIVE, _ALIVE),
    "find": Frame(_ALIVE, _OWNED),
    "buy": Frame(("person",), ("thing", "food", "animal")),
    "lose": Frame(("person",), ("thing",)),
    "make": Frame(("person",), _OWNED),
    "carry": Frame(_ALIVE, _OWNED),
    "paint": Frame(("person",), ("thing", "animal")),
    "wash": Frame(("person",), ("thing", "animal")),
    "give": Frame(("person",), _OWNED, recipient=True),
    "sell": Frame(("person",), ("thing", "food", "animal"), recipient=True),
    "show": Frame(("person",), ("thing", "animal"), recipient=True),
    "send": Frame(("person",), ("thing",), recipient=True),
}
SPEECH = "say think know believe hope".split()


class Person(NamedTuple):
    """A person called by name."""

    name: str


class Things(NamedTuple):
    """Something with a noun; ``count`` is ``one``, ``many`` or a numeral."""

    noun: str
    count: str = "one"
    adjective: Optional[str] = None


Participant = Union[Person, Things]


class Clause(NamedTuple):
    agent: Participant
    action: str
    tense: str
    negated: bool = False
    object: Optional[Participant] = None
    recipient: Optional[Participant] = None
    relation: Optional[str] = None  # with place, or both None
    place: Optional[str] = None
    time: Optional[str] = None


class Meaning(NamedTuple):
    """One clause, or two: joined by one of ``LINKS``, or by ``COMPLEMENT`` after an action of ``SPEECH``."""

    first: Clause
    link: Optional[str] = None
    second: Optional[Clause] = None


class World:
    """Draws meanings. Two worlds with one seed have the same habits.

    Args:
        seed: decides the habits, not which meanings are drawn: those depend on the generator given
            to ``draw``.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self._habits: dict[tuple[str, str], tuple[list[str], list[float]]] = {}

    def draw(self, rng: random.Random) -> Meaning:
        kind = rng.random()
        if kind < 0.15:
            agent = self._participant(rng, ("person",), "speaker")
            speech = self._pick(rng, "speech", _head(agent), SPEECH)
            tense = self._pick(rng, "tense", speech, TENSES)
            first = Clause(agent, speech, tense, negated=rng.random() < 0.15)
            return Meaning(first, COMPLEMENT, self._clause(rng))
        if kind < 0.35:
            first = self._clause(rng)
            return Meaning(first, self._pick(rng, "link", first.action, LINKS), self._clause(rng))
        return Meaning(self._clause(rng))

    def _clause(self, rng: random.Random) -> Clause:
        agent = self._participant(rng, ("person", "animal"), "agent")
        kind = "person" if isinstance(agent, Person) else CLASS_OF[agent.noun]
        able = [action for action, frame in ACTIONS.items() if kind in frame.agent]
        action = self._pick(rng, f"{kind} action", _head(agent), able)
        frame = ACTIONS[action]
        thing = self._participant(rng, frame.object, action) if frame.object else None
        recipient = self._participant(rng, ("person",), f"recipient of {action}") if frame.recipient else None
        relation = place = time = None
        if rng.random() < 0.4:
            place = self._pick(rng, "place", _head(agent), NOUNS["place"])
            relation = self._pick(rng, "relation", place, RELATIONS)
        if rng.random() < 0.35:
            time = self._pick(rng, "time", action, TIMES)
        tense = _TENSE_OF_TIME[time] if time else self._pick(rng, "tense", action, TENSES)
        return Clause(agent, action, tense, rng.random() < 0.12, thing, recipient, relation, place, time)

    def _participant(self, rng: random.Random, kinds: Sequence[str], role: str) -> Participant:
        if "person" in kinds and rng.random() < 0.5:
            return Person(self._pick(rng, "name", role, NAMES))
        return self._things(rng, kinds, role)

    def _things(self, rng: random.Random, kinds: Sequence[str], head: str) -> Things:
        noun = self._pick(rng, "noun", head, [noun for kind in kinds for noun in NOUNS[kind]])
        adjective, count, number = None, "one", rng.random()
        if rng.random() < 0.4:
            adjective = self._pick(rng, "adjective", noun, ADJECTIVES[CLASS_OF[noun]])
        if number < 0.3:
            count = self._pick(rng, "numeral", noun, NUMERALS)
        elif number < 0.5:
            count = "many"
        return Things(noun, count, adjective)

    def _pick(self, rng: random.Random, slot: str, head: str, choices: list[str]) -> str:
        """One of ``choices``: Zipf in their own order, times Zipf in the order that ``head`` likes them."""
        if (slot, head) not in self._habits:
            liked = random.Random(f"{self.seed} {slot} {head}").sample(choices, len(choices))
            weights = [(n + 2) ** -0.5 / (liked.index(choice) + 1) for n, choice in enumerate(choices)]
            self._habits[slot, head] = choices, list(accumulate(weights))
        choices, cumulative = self._habits[slot, head]
        return rng.choices(choices, cum_weights=cumulative)[0]


def _head(participant: Participant) -> str:
    return participant.name if isinstance(participant, Person) else participant.noun


def gloss(meaning: Meaning) -> str:
    """The meaning in stiff English, for the reader: ``Anna give.past 3 red apple to old baker``."""

    def participant(one: Participant) -> list[str]:
        if isinstance(one, Person):
            return [one.name]
        count = {"one": ["the"], "many": ["some"]}.get(one.count, [one.count])
        return count + [one.adjective] * bool(one.adjective) + [one.noun]

    def clause(one: Clause) -> list[str]:
        words = [f"{one.time},"] if one.time else []
        words += participant(one.agent) + ["not"] * one.negated + [f"{one.action}.{one.tense}"]
        words += participant(one.object) if one.object else []
        words += ["to", *participant(one.recipient)] if one.recipient else []
        return words + ([one.relation, "the", one.place] if one.place else [])

    words = clause(meaning.first)
    if meaning.second:
        words += [meaning.link] + clause(meaning.second)
    return " ".join(words)
