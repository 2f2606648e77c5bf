"""The hierarchical contrastive loss: against NumPy, its correction, its ablations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mass_plugins.losses.hierarchical import Units, hierarchical_contrast

COUNTS = (3, 4, 2)


def make(counts=COUNTS, languages=None, seed=0):
    """Queries and keys, unit vectors (N, 5) in float64, and what is known of the units."""
    generator = torch.Generator().manual_seed(seed)
    rows = sum(counts)
    q, k = (F.normalize(torch.randn(rows, 5, generator=generator), dim=-1) for _ in range(2))
    document = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    language = document * 0 if languages is None else torch.tensor(languages)[document]
    return q, k, Units(document, document, language)


def loss_of(q, k, units, **options):
    return hierarchical_contrast(q, k, units, units, torch.arange(len(q)), **{"temperature": 0.1, **options})


def by_loops(q, k, units, temperature=0.1, alpha=0.5):
    """The paper's equations, a unit at a time, in float64."""
    q, k = q.double().numpy(), k.double().numpy()
    document, language, total = units.document.numpy(), units.language.numpy(), 0.0
    for t in range(len(q)):
        z = {j: q[t] @ k[j] / temperature for j in range(len(k)) if language[j] == language[t]}
        intra = [j for j in z if document[j] == document[t] and j != t]
        cross = [j for j in z if document[j] != document[t]]
        if intra and cross:
            lowered = alpha * (np.mean([z[j] for j in intra]) - np.mean([z[j] for j in cross]))
            z.update({j: z[j] - lowered for j in intra})
        total -= z[t] - np.log(sum(np.exp(value) for value in z.values()))
    return total


@pytest.mark.parametrize("alpha", (0.0, 0.5, 1.0))
@pytest.mark.parametrize("languages", (None, (0, 1, 0), (0, 1, 2)))
def test_equals_numpy(alpha, languages):
    q, k, units = make(languages=languages)
    assert loss_of(q, k, units, alpha=alpha).loss.item() == pytest.approx(by_loops(q, k, units, alpha=alpha), rel=1e-5)


def test_by_hand():
    """Two documents of two units, along axes: z is 1 / t for the unit itself, 0 for all others: no correction."""
    q = torch.eye(4)
    units = make((2, 2))[2]
    found = loss_of(q, q, units, temperature=0.5)
    assert found.loss.item() == pytest.approx(4 * np.log(1 + 3 * np.exp(-2)), rel=1e-6)
    assert (int(found.correct), found.anchors) == (4, 4)


def test_correction_lowers_hard_negatives():
    """Units of a document all alike: lowered by half of the distance, here 0.5 / t."""
    q = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    units = make((2, 2))[2]
    found = loss_of(q, q, units, temperature=1.0).loss.item()
    assert found == pytest.approx(4 * np.log((np.e + np.exp(0.5) + 2) / np.e), rel=1e-6)


def test_units_are_told_apart_by_scores_that_no_setting_has_changed():
    """A query nearer to another unit of its document than to its own: not found, however negatives are lowered."""
    axes, of = torch.eye(4), make((2, 2))[2]
    queries = torch.nn.functional.normalize(axes + 1.2 * axes[[1, 0, 3, 2]], dim=1)
    for options in ({"alpha": 0.0}, {"alpha": 0.9}, {"intra": False}, {"cross": False}):
        assert int(loss_of(queries, axes, of, **options).correct) == 0
    assert int(loss_of(queries[[1, 0, 3, 2]], axes, of).correct) == 4


def test_no_gradient_through_the_correction():
    """The gradient is that of the loss with the same numbers subtracted as constants."""
    q, k, units = make()
    q.requires_grad_(), k.requires_grad_()
    loss_of(q, k, units).loss.backward()
    fixed_q, fixed_k = (rows.detach().clone().requires_grad_() for rows in (q, k))
    scores = fixed_q @ fixed_k.T / 0.1
    same = units.document[:, None] == units.document[None, :]
    within = same & ~torch.eye(len(q), dtype=torch.bool)
    with torch.no_grad():
        lowered = torch.zeros_like(scores)
        for t in range(len(q)):
            lowered[t, within[t]] = 0.5 * (scores[t, within[t]].mean() - scores[t, ~same[t]].mean())
    F.cross_entropy(scores - lowered, torch.arange(len(q)), reduction="sum").backward()
    torch.testing.assert_close(q.grad, fixed_q.grad)
    torch.testing.assert_close(k.grad, fixed_k.grad)


def test_keys_are_not_detached():
    q, k, units = make()
    k.requires_grad_()
    loss_of(q, k, units).loss.backward()
    assert k.grad.abs().min() > 0


@pytest.mark.parametrize("counts", ((5,), (1, 1, 1)))
def test_one_kind_of_negatives_is_not_corrected(counts):
    q, k, units = make(counts)
    torch.testing.assert_close(loss_of(q, k, units).loss, loss_of(q, k, units, alpha=0).loss)


def test_without_intra_and_without_cross():
    q, k, units = make()
    scores = q @ k.T / 0.1
    same, own = units.document[:, None] == units.document[None, :], torch.eye(len(q), dtype=torch.bool)
    for options, hidden in (({"intra": False}, same & ~own), ({"cross": False}, ~same)):
        expected = F.cross_entropy(scores.masked_fill(hidden, -torch.inf), torch.arange(len(q)), reduction="sum")
        torch.testing.assert_close(loss_of(q, k, units, **options).loss, expected)


@pytest.mark.parametrize("options", ({}, {"intra": False}, {"cross": False}))
def test_a_copy_is_neither_positive_nor_negative(options):
    """With a document in the batch twice the loss of its units, in both copies, is that of the document there once."""
    q, k, (document, _, language) = make()

    def loss_of_rows(own, q, k, units):
        return hierarchical_contrast(q[own], k, Units(*(x[own] for x in units)), units, own, 0.1, **options).loss

    once = loss_of_rows(torch.arange(3), q, k, Units(document, document, language))
    rows = torch.cat([torch.arange(9), torch.arange(3)])
    twice = Units(document[rows], torch.where(torch.arange(12) < 9, document[rows], 7), language[rows])
    for own in (torch.arange(3), torch.arange(9, 12)):
        torch.testing.assert_close(loss_of_rows(own, q[rows], k[rows], twice), once)
    assert int(loss_of(torch.eye(9)[rows], torch.eye(9)[rows], twice, **options).correct) == 12


def test_parts_of_the_queries_add_up():
    q, k, units = make()
    halves = [
        hierarchical_contrast(q[part], k, Units(*(x[part] for x in units)), units, torch.arange(len(q))[part], 0.1)
        for part in (slice(0, 4), slice(4, None))
    ]
    torch.testing.assert_close(halves[0].loss + halves[1].loss, loss_of(q, k, units).loss)


def test_no_rows():
    empty = torch.zeros(0, 5, requires_grad=True)
    nothing = torch.zeros(0, dtype=torch.int64)
    found = hierarchical_contrast(empty, empty, *[Units(nothing, nothing, nothing)] * 2, nothing, 0.1)
    assert found.loss.item() == 0 and found.loss.requires_grad


def test_temperature():
    with pytest.raises(ValueError, match="temperature 0 "):
        loss_of(*make(), temperature=0)
