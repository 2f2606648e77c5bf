"""Scores for the passages of training groups, a cross-encoder's or another program's: what distillation learns from."""

from itertools import islice
from typing import Iterator

from mass_plugins.data.retrieval_groups import Candidate, Group
from mass_plugins.encoding.retrieval_models import CrossEncoderModel
from mass_plugins.errors import InputError


def teach(model: CrossEncoderModel, groups: Iterator[Group], size: int = 64) -> Iterator[list[str]]:
    """Groups with the model's score for each passage, as lines of JSON, ``size`` groups at a time."""
    while batch := list(islice(groups, size)):
        pairs = [(group.query.text, found.passage.whole) for group in batch for found in _candidates(group)]
        scores = iter(model.score([query for query, _ in pairs], [passage for _, passage in pairs]).tolist())
        yield [_with_scores(group, [next(scores) for _ in _candidates(group)]) for group in batch]


def import_scores(
    scores: dict[str, dict[str, float]], groups: Iterator[Group], origin: str, size: int = 64
) -> Iterator[list[str]]:
    """As :func:`teach`, with scores by query and document that another program has computed; ``origin`` names them.

    Raises:
        InputError: a passage of a group has none.
    """
    while batch := list(islice(groups, size)):
        lines = []
        for group in batch:
            own = scores.get(group.query.id, {})
            for found in _candidates(group):
                if found.passage.id not in own:
                    raise InputError(
                        f"{origin} has no score for query {group.query.id} and passage {found.passage.id}; give a run "
                        "that holds all passages of the groups"
                    )
            lines.append(_with_scores(group, [own[found.passage.id] for found in _candidates(group)]))
        yield lines


def _candidates(group: Group) -> list[Candidate]:
    return [*group.positives, *group.negatives]


def _with_scores(group: Group, scores: list[float]) -> str:
    scored = [found._replace(score=score) for found, score in zip(_candidates(group), scores)]
    count = len(group.positives)
    return group._replace(positives=scored[:count], negatives=scored[count:]).as_json()
