"""Scores of rows are those of the formula; distillation by hand; what answers a query as well is no negative of it."""

import numpy as np
import pytest
import torch

from mass_plugins.losses.retrieval import as_rows, distillation, group_scores, hidden_positives


def test_products_of_rows_are_the_score_of_the_paper():
    rng = np.random.default_rng(0)
    vocabulary, k = 12, 4
    cls, mu = rng.normal(size=(3, 5)), rng.normal(size=(3, vocabulary))
    theirs, values = rng.normal(size=(6, 5)), rng.normal(size=(6, k))
    entries = np.array([sorted(rng.choice(vocabulary, k, replace=False)) for _ in range(6)])
    queries = as_rows(torch.from_numpy(cls), torch.from_numpy(mu), None, vocabulary)
    documents = as_rows(*map(torch.from_numpy, (theirs, values, entries)), vocabulary)
    for q in range(3):
        for d in range(6):
            score = cls[q] @ theirs[d] + sum(mu[q, i] * v for i, v in zip(entries[d], values[d]))
            assert (queries[q] @ documents[d]).item() == pytest.approx(score)
    alone = as_rows(None, torch.from_numpy(values), torch.from_numpy(entries), vocabulary)
    assert alone.shape == (6, vocabulary) and (as_rows(torch.from_numpy(cls), None, None, 0).numpy() == cls).all()


def test_distillation_by_hand():
    teacher, scores = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]], requires_grad=True)
    p = 1 / (1 + np.exp(-1.0))  # at temperature 2
    loss = distillation(scores, teacher, 2.0)
    assert loss.item() == pytest.approx(p * np.log(2 * p) + (1 - p) * np.log(2 * (1 - p)), abs=1e-6)
    loss.backward()
    assert scores.grad[0, 0].item() == pytest.approx((0.5 - p) / 2, abs=1e-6)
    assert distillation(teacher + 7, teacher).item() == pytest.approx(0, abs=1e-6)


def test_scores_to_distil_are_not_rounded_by_autocast():
    queries, passages = torch.tensor([[177.0, 1.0]]), torch.tensor([[[1.0, 0.01], [1.0, 0.86]]])
    with torch.autocast("cpu", torch.bfloat16):
        scores = group_scores(queries, passages)
    assert scores.dtype == torch.float32 and scores.tolist() == [[pytest.approx(177.01), pytest.approx(177.86)]]


def test_other_answers_are_hidden_but_not_the_own_positive():
    passages = torch.tensor([5, 6, 7, 5])
    positives = torch.tensor([[5, -1], [7, 6]])
    hidden = hidden_positives(passages, positives, torch.tensor([0, 2]))
    assert hidden.tolist() == [[False, False, False, True], [False, True, False, False]]
