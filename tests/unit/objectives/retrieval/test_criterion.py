"""Both criteria against NumPy, query by query: temperatures, weights, the teacher's order, what is neither."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fairseq import metrics
from numpy import exp, log

from mass_plugins.models.retriever import Represented
from mass_plugins.objectives.retrieval.criterion import RelevanceCriterion, RetrievalCriterion
from tests.unit.objectives.retrieval.test_gradient_cache import make_model, make_sample

VOCABULARY, KEPT, WIDTH = 11, 4, 3


def drawn_texts(count, role, parts, rng):
    """Represented texts, and the same as rows of cls and of the whole vocabulary."""
    cls, values = rng.normal(size=(count, WIDTH)), rng.normal(size=(count, VOCABULARY))
    entries = np.sort(rng.permuted(np.tile(np.arange(VOCABULARY), (count, 1)), axis=1)[:, :KEPT], axis=1)
    if role == "documents":
        kept = np.zeros_like(values)
        np.put_along_axis(kept, entries, np.take_along_axis(values, entries, axis=1), axis=1)
        given, values = np.take_along_axis(values, entries, axis=1), kept
    else:
        given = values
    found = Represented(
        torch.from_numpy(cls) if parts != "ot" else None,
        torch.from_numpy(given) if parts != "cls" else None,
        torch.from_numpy(entries) if parts != "cls" and role == "documents" else None,
    )
    return found, np.concatenate([cls * (parts != "ot"), values * (parts != "cls")], axis=1)


def log_softmax(scores):
    return scores - scores.max() - log(exp(scores - scores.max()).sum())


def by_numpy(scores, sample, temperature, distillation_temperature):
    """(Contrast, distilled, correct) of (Q, P) scores, sums over queries."""
    keys, group = sample["passage_keys"].tolist(), scores.shape[1] // len(scores)
    contrast = distilled = correct = 0.0
    for q, row in enumerate(scores):
        own, answers = q * group, set(sample["positive_keys"][q].tolist())
        others = [p for p in range(len(row)) if p != own and keys[p] not in answers]
        contrast -= log_softmax(row[[own, *others]] / temperature)[0]
        correct += row[own] > row[others].max(initial=-np.inf)
        if "teacher" in sample:
            wanted = log_softmax(sample["teacher"][q].numpy() / distillation_temperature)
            found = log_softmax(row[own : own + group] / distillation_temperature)
            distilled += (exp(wanted) * (wanted - found)).sum()
    return contrast, distilled, correct


def make_keys(group):
    """Three queries. The second one's positive answers the first, too, and so does a hard negative of the third."""
    keys = 100 + np.arange(3 * group)
    positives = np.full((3, 3), -1)
    positives[:, 0] = keys[::group]
    positives[0, 1:] = keys[group], keys[-1] if group > 1 else -1
    return {"passage_keys": torch.from_numpy(keys), "positive_keys": torch.from_numpy(positives)}


def make_criterion(*settings):
    return RetrievalCriterion(SimpleNamespace(vocabulary_size=VOCABULARY), *settings)


@pytest.mark.parametrize("parts", ["cls", "ot", "both"])
@pytest.mark.parametrize("group, teacher", [(1, False), (4, False), (4, True)])
def test_the_loss_against_numpy(parts, group, teacher):
    rng = np.random.default_rng(4)
    queries, asked = drawn_texts(3, "queries", parts, rng)
    passages, found = drawn_texts(3 * group, "documents", parts, rng)
    sample = {"passages": torch.zeros(3 * group, 2), "nsentences": 3} | make_keys(group)
    if teacher:
        sample["teacher"] = torch.from_numpy(3 * rng.normal(size=(3, group)))
    settings = (0.7, 0.3, 1.6 if teacher else 0.0, 2.5)
    loss, size, logged = make_criterion(*settings).compare(queries, passages, sample)
    contrast, distilled, correct = by_numpy(asked @ found.T, sample, 0.7, 2.5)
    assert size == 3 and loss.item() == pytest.approx(0.3 * contrast + settings[2] * distilled, rel=1e-5)
    assert logged["contrast"].item() == pytest.approx(contrast, rel=1e-5) and logged["correct"] == correct
    assert logged["distilled"].item() == pytest.approx(distilled, rel=1e-5)
    assert teacher == (distilled > 0.1)


def test_distillation_alone_and_what_is_logged():
    rng = np.random.default_rng(5)
    queries, asked = drawn_texts(3, "queries", "both", rng)
    passages, found = drawn_texts(12, "documents", "both", rng)
    sample = {"passages": torch.zeros(12, 2), "nsentences": 3} | make_keys(4)
    sample["teacher"] = torch.from_numpy(rng.normal(size=(3, 4)))
    loss, _, logged = make_criterion(0.5, 0.0, 0.4, 3.0).compare(queries, passages, sample)
    contrast, distilled, correct = by_numpy(asked @ found.T, sample, 0.5, 3.0)
    assert loss.item() == pytest.approx(0.4 * distilled, rel=1e-5)
    with metrics.aggregate() as told:
        RetrievalCriterion.reduce_metrics([logged, logged])
    bits = {"loss": 0.4 * distilled, "contrast": contrast, "distilled": distilled}
    for name, total in bits.items():
        assert told.get_smoothed_value(name) == pytest.approx(total / 3 / log(2), abs=5e-4)
    assert told.get_smoothed_value("accuracy") == pytest.approx(100 * correct / 3, abs=5e-3)


@pytest.mark.parametrize("representation", ["cls", "ot", "both"])
def test_each_side_is_represented_in_its_role(representation):
    """By the model: a query's bag of words is whole, a passage keeps the largest values of its own."""
    model, sample = make_model(representation).eval(), make_sample()
    criterion = RetrievalCriterion(SimpleNamespace(vocabulary_size=30), 0.8, 0.6, 0.9, 2.0)
    loss, size, _ = criterion(model, sample)
    queries, passages = model(sample["queries"], role="queries"), model(sample["passages"], role="documents")
    scores = np.zeros((4, 12))
    for q in range(4):
        for p in range(12):
            if queries.cls is not None:
                scores[q, p] += float((queries.cls[q] * passages.cls[p]).sum())
            if queries.values is not None:
                scores[q, p] += float((queries.values[q][passages.entries[p]] * passages.values[p]).sum())
    contrast, distilled, _ = by_numpy(scores, sample, 0.8, 2.0)
    assert size == 4 and loss.item() == pytest.approx(0.6 * contrast + 0.9 * distilled, rel=1e-4)


def test_relevance_against_numpy():
    """The positive comes first in its group; as relevant a negative makes it wrong."""
    scores = np.array([[2.0, -1.0, 0.5], [0.3, 0.3, -4.0], [-1.0, 2.5, 3.5], [0.5, 0.4, -1.0]])
    given = []

    def model(pairs):
        given.append(pairs)
        return torch.from_numpy(scores).reshape(-1)

    sample = {"pairs": torch.zeros(12, 5, dtype=torch.int64), "nsentences": 4, "ntokens": 60}
    loss, size, logged = RelevanceCriterion(None)(model, sample)
    expected = -sum(log_softmax(row)[0] for row in scores)
    assert given[0] is sample["pairs"] and size == 4 and logged["correct"] == 2
    assert loss.item() == pytest.approx(expected) and logged["loss"].item() == pytest.approx(expected)
    with metrics.aggregate() as told:
        RelevanceCriterion.reduce_metrics([logged])
    assert told.get_smoothed_value("loss") == pytest.approx(expected / 4 / log(2), abs=5e-4)
    assert told.get_smoothed_value("accuracy") == 50
