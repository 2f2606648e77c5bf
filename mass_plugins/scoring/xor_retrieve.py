"""XOR-Retrieve's measure (Asai et al. 2021): is an answer in the first 2000 or 5000 tokens of what was retrieved?

R@2kt and R@5kt of questions in seven languages over English passages. The passages' texts are put together in the
order of the ranking and cut after so many tokens; a question is a hit if one of its answers is in there, letter by
letter. Questions whose answers are yes and no alone don't count. The mean is over languages.

Tokens are those of the authors' program, NLTK's words of NLTK's sentences, except that the sentences are found without
its model of English abbreviations, which has to be downloaded: "St." may be two tokens instead of one.
"""

from pathlib import Path
from typing import Iterable, Iterator, Mapping, NamedTuple, Sequence

from mass_plugins.data.retrieval_files import Passage, Ranking, identifier, json_object, numbered_lines
from mass_plugins.doctor import version_of
from mass_plugins.errors import InputError

_IDS = ("id", "q_id", "_id", "query_id")
_NO_SPANS = ("yes", "no")


class Question(NamedTuple):
    id: str
    language: str
    answers: list[str]


def read_questions(path: Path, flag: str = "--questions") -> list[Question]:
    """The questions with an answer that is a span.

    Raises:
        InputError: a line without id, language or answers; no question left.
    """
    found, seen = [], set()
    for number, line in numbered_lines(path, flag):
        place = f"{flag}: {path}, line {number}"
        values = json_object(line, place)
        answers, language = values.get("answers"), values.get("lang")
        if not isinstance(language, str) or not isinstance(answers, list):
            raise InputError(f"{place} has no lang or no list of answers; give XOR-Retrieve's questions with answers")
        name = identifier(values, _IDS, place)
        if name in seen:
            raise InputError(f"{place}: the id {name} came before; ids must be unique")
        seen.add(name)
        spans = [str(answer) for answer in answers if str(answer) and answer not in _NO_SPANS]
        if spans:
            found.append(Question(name, language, spans))
    if not found:
        raise InputError(f"{flag}: {path} has no question with an answer that is a span of text")
    return found


def signature(budget: int) -> str:
    """What a number depends on besides the run."""
    return f"answer in the first {budget} tokens|percent|mean of languages|nltk:{version_of('nltk')}, no abbreviations"


class Tokenizer:
    """NLTK's words."""

    def __init__(self):
        from nltk.tokenize import NLTKWordTokenizer, PunktSentenceTokenizer

        self._sentences, self._words = PunktSentenceTokenizer(), NLTKWordTokenizer()

    def __call__(self, text: str) -> list[str]:
        return [word for sentence in self._sentences.tokenize(text) for word in self._words.tokenize(sentence)]


def texts_of(passages: Iterable[Passage], rankings: Mapping[str, Ranking]) -> dict[str, str]:
    """Id -> text of the passages that were retrieved, titles left out; the others aren't kept.

    Raises:
        InputError: one of them is not in the corpus.
    """
    wanted = {document for ranking in rankings.values() for document, _ in ranking}
    found = {passage.id: passage.text for passage in passages if passage.id in wanted}
    if len(found) < len(wanted):
        first = min(wanted - found.keys())
        raise InputError(f"--corpus has no passage {first}, which the run names; give the corpus that was searched")
    return found


def answer_hits(
    questions: Sequence[Question], rankings: Mapping[str, Ranking], texts: Mapping[str, str], budget: int
) -> dict[str, dict[str, float]]:
    """Language -> question's id -> 100 for a hit, else 0.

    Args:
        rankings: question's id -> passages, best first; a question without one is no hit.
        texts: of each passage.
        budget: tokens that are looked at.
    """
    tokenizer = Tokenizer()
    hits: dict[str, dict[str, float]] = {question.language: {} for question in questions}
    for question in questions:
        words: list[str] = []
        for text in _texts(rankings.get(question.id, []), texts):
            words += tokenizer(text)
            if len(words) >= budget:
                break
        seen = " ".join(words[:budget])
        hits[question.language][question.id] = 100.0 * any(answer in seen for answer in question.answers)
    return hits


def _texts(ranking: Ranking, texts: Mapping[str, str]) -> Iterator[str]:
    return (texts[document] for document, _ in ranking)
