"""The criterion: two ranks = one rank, whichever kind of batch each has; both parts; what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fairseq import metrics

from mass_plugins.errors import InputError
from mass_plugins.losses.hierarchical import Units, hierarchical_contrast
from mass_plugins.models.msm import Msm, MsmConfig
from mass_plugins.objectives.msm.criterion import MsmCriterion
from tests.ranks import run_ranks

PAD, MASK, WORDS = 1, 3, 40
OPTIONS = {
    "temperature": 0.1, "hierarchical_alpha": 0.5, "without_intra_negatives": False, "without_cross_negatives": False,
    "negatives_across_ranks": True, "document_weight": 3.0,
}  # fmt: skip


def make_model(**options):
    torch.manual_seed(1)
    shape = {"encoder_layers": 1, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 24, "encoder_attention_heads": 2}
    shape |= {"max_positions": 12, "units_per_document": 4, "dropout": 0.0, "attention_dropout": 0.0, **options}
    return Msm(MsmConfig(**shape), WORDS, PAD).train()


def make_criterion(balance=None, **options):
    return MsmCriterion(SimpleNamespace(target_dictionary=None, balance=balance or 1.0), **{**OPTIONS, **options})


def document_batch(numbers):
    """Documents 0 .. 4 have 2 to 4 units of 3 to 6 tokens; those of these numbers."""
    rows, counts = [], []
    for number in numbers:
        chance = np.random.default_rng(number)
        counts.append(2 + number % 3)
        rows += [chance.integers(4, WORDS, size=chance.integers(3, 7)).tolist() for _ in range(counts[-1])]
    tokens = torch.tensor([row + [PAD] * (6 - len(row)) for row in rows])
    real = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
    document = torch.tensor(numbers).repeat_interleave(torch.tensor(counts))
    return {
        "net_input": {"src_tokens": tokens}, "target": torch.full_like(tokens, PAD), "ntokens": tokens.numel(),
        "masked_slots": torch.zeros(0, dtype=torch.int64), "nsentences": len(numbers),
        "documents": {"real": real, "document": document, "copy": document * 1, "language": document * 0},
    }  # fmt: skip


def text_batch():
    tokens = torch.randint(4, WORDS, (3, 7), generator=torch.Generator().manual_seed(4))
    target = torch.full_like(tokens, PAD)
    slots = torch.tensor([2, 8, 17])
    target.view(-1)[slots] = tokens.view(-1)[slots]
    source = tokens.clone()
    source.view(-1)[slots] = MASK
    return {"net_input": {"src_tokens": source}, "target": target, "masked_slots": slots, "ntokens": 3, "nsentences": 3}


def step(rank, batches):
    """Loss, denominator and gradients of one rank's batches, one after the other."""
    model, criterion = make_model(), make_criterion()
    losses, sizes = 0.0, 0.0
    for batch in batches[rank]:
        loss, size, _ = criterion(model, batch)
        loss.backward()
        losses, sizes = losses + loss.item(), sizes + size
    return losses, sizes, {name: p.grad for name, p in model.named_parameters()}


def assert_same_gradients(found, expected):
    """By name; those that are nothing but rounding (biases of keys, what batch-norm takes out again) must stay so."""
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for name, gradient in expected.items():
        own = float(gradient.abs().max())
        if own < 1e-6 * largest:
            assert found[name].abs().max() < 1e-6 * largest, name
        else:
            torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-3 * own)
    assert sum(float(gradient.abs().max()) >= 1e-6 * largest for gradient in expected.values()) > 0.8 * len(expected)


@pytest.mark.parametrize("shares", (([0, 1], [2, 3, 4]), ([0, 1, 2, 3], [4])))
def test_two_ranks_equal_one(shares):
    ((loss, size, gradients),) = run_ranks(step, 1, [[document_batch([0, 1, 2, 3, 4])]])
    parts = run_ranks(step, 2, [[document_batch(share)] for share in shares])
    assert sum(part[0] for part in parts) == pytest.approx(loss, rel=1e-4)
    assert sum(part[1] for part in parts) == size
    assert_same_gradients({name: sum(part[2][name] for part in parts) for name in gradients}, gradients)


def loss_of_own(rank, shares, across, own_heads):
    """The documents' loss of one rank's batch."""
    criterion = make_criterion(negatives_across_ranks=across)
    return criterion(make_model(heads_per_process=own_heads), document_batch(shares[rank]))[0].item()


def test_what_ranks_share_is_what_flags_say():
    """Negatives, batch-norm of the heads, or nothing: a rank that shares nothing has the loss that it has alone."""
    shares = [[0, 1, 2], [3, 4]]
    alone = [loss_of_own(0, [share], False, True) for share in shares]
    assert run_ranks(loss_of_own, 2, shares, False, True) == pytest.approx(alone, rel=1e-4)
    for across, own_heads in ((True, True), (False, False)):
        for found, expected in zip(run_ranks(loss_of_own, 2, shares, across, own_heads), alone):
            assert abs(found / expected - 1) > 1e-3


@pytest.mark.parametrize(
    "flags, arguments",
    (
        ({}, {}),
        ({"without_intra_negatives": True}, {"intra": False}),
        ({"without_cross_negatives": True}, {"cross": False}),
        ({"hierarchical_alpha": 0.2}, {"alpha": 0.2}),
        ({"temperature": 0.3}, {"temperature": 0.3}),
    ),
)
def test_flags_reach_the_loss(flags, arguments):
    model, batch = make_model().eval(), document_batch([0, 1, 2])
    real, units = batch["documents"]["real"], Units(*(batch["documents"][name] for name in Units._fields))
    vectors = model(**batch["net_input"])[:, 0]
    padded = torch.zeros(*real.shape, vectors.shape[1])
    padded[real] = vectors
    queries = torch.nn.functional.normalize(model.query_head(model.predict_units(padded, real)), dim=1)
    keys = torch.nn.functional.normalize(model.key_head(vectors), dim=1)
    settings = {"temperature": 0.1, "alpha": 0.5, "intra": True, "cross": True}
    found = {}
    for name, changed in (("changed", arguments), ("not changed", {})):
        contrast = hierarchical_contrast(queries, keys, units, units, torch.arange(9), **{**settings, **changed})
        found[name] = contrast.loss.item()
    assert (abs(found["changed"] / found["not changed"] - 1) > 1e-3) == bool(arguments)
    _, _, logged = make_criterion(**flags)(model, batch)
    assert logged["unit_loss"].item() == pytest.approx(found["changed"], rel=1e-5)


def test_the_mean_of_a_unit_s_tokens_is_its_vector():
    """Padding apart; the loss is that of the same criterion whose units are one slot long, holding the mean."""
    model, batch = make_model(unit_pooling="mean").eval(), document_batch([0, 1, 2])
    tokens = batch["net_input"]["src_tokens"]
    hidden = model(tokens)
    means = torch.stack([states[: int(row.ne(PAD).sum())].mean(dim=0) for states, row in zip(hidden, tokens)])
    torch.testing.assert_close(model.unit_vectors(hidden, tokens), means)
    assert tokens.eq(PAD).any()
    criterion = make_criterion()
    _, _, logged = criterion(model, batch)
    first = make_model().eval()  # the same weights; by cls the vector is whatever slot 0 holds
    expected = criterion.compare(first, means[:, None], batch)
    assert logged["unit_loss"].item() == pytest.approx(expected.loss.item(), rel=1e-5)


@pytest.mark.parametrize("side", ("keys", "queries"))
def test_the_encoder_learns_by_each_side_alone(side):
    """No gradient is stopped: with that of the other side taken away, there is still one."""
    model = make_model()
    part, name = (model, "predict_units") if side == "keys" else (model.key_head, "forward")
    whole = getattr(part, name)
    setattr(part, name, lambda vectors, *rest: whole(vectors.detach(), *rest))
    make_criterion(negatives_across_ranks=False)(model, document_batch([0, 1, 2]))[0].backward()
    assert all(parameter.grad.abs().max() > 1e-6 for parameter in model.layers[0].fc1.parameters())


def test_a_copy_on_another_rank_is_no_negative():
    """Two ranks with the same document: each finds the loss that it has alone."""
    copies = [document_batch([2]), document_batch([2])]
    copies[1]["documents"]["copy"] += 10
    ((alone, _, _),) = run_ranks(step, 1, [copies[:1]])
    assert [part[0] for part in run_ranks(step, 2, [[copy] for copy in copies])] == pytest.approx([alone] * 2, rel=1e-4)


@pytest.mark.parametrize("other", ("text", "dummy"))
def test_a_rank_with_documents_beside_one_without(other):
    """Text, or a batch that only keeps a rank in step, changes nothing of the documents' loss and gradients."""
    ((loss, _, gradients),) = run_ranks(step, 1, [[document_batch([0, 1, 2])]])
    beside = text_batch() if other == "text" else {**document_batch([3, 4]), "dummy": True}
    documents, without = run_ranks(step, 2, [[document_batch([0, 1, 2])], [beside]])
    assert documents[0] == pytest.approx(loss, rel=1e-5)
    assert (without[1] == 3) if other == "text" else (without[:2] == (0.0, 0.0))
    assert_same_gradients(documents[2], gradients)
    assert all(without[2][name] is not None for name in gradients)  # DDP waits for that of every parameter


def test_parts_and_weight():
    """The weight is in the loss alone; 0 is the balance that the task found, which the denominator has always."""
    model = make_model().eval()
    for batch, count in ((text_batch(), 3), (document_batch([0, 1]), 5)):
        results = [make_criterion(2.0, document_weight=weight)(model, batch) for weight in (0.0, 2.0, 6.0)]
        factor = 2 if "documents" in batch else 1
        assert [result[1] for result in results] == [factor * count] * 3
        torch.testing.assert_close(results[0][0], results[1][0])
        grown = results[2][0] / results[1][0]
        torch.testing.assert_close(grown, torch.tensor(3.0 if "documents" in batch else 1.0))


@pytest.mark.parametrize("kinds", ("documents", "text documents", "text text documents"))
def test_the_weight_weighs_in_an_update_of_any_number_of_batches(kinds):
    """Thrice the weight is thrice the share of the documents in the update, of one batch or several."""
    model, batches = make_model().eval(), {"text": text_batch(), "documents": document_batch([0, 1])}
    shares = []
    for weight in (2.0, 6.0):
        results = [(kind, make_criterion(2.0, document_weight=weight)(model, batches[kind])) for kind in kinds.split()]
        size = sum(result[1] for _, result in results)
        shares.append(sum(result[0] for kind, result in results if kind == "documents") / size)
    torch.testing.assert_close(shares[1], 3 * shares[0])


def test_an_interval_without_text_has_no_perplexity():
    """None, as its loss; fairseq keeps the meters of earlier intervals."""
    model, criterion = make_model().eval(), make_criterion()
    text, documents = (criterion(model, batch)[2] for batch in (text_batch(), document_batch([0, 1])))
    names, found = ("mlm_loss", "mlm_ppl", "mlm_accuracy"), []
    with metrics.aggregate(new_root=True) as told:
        for logged in (text, documents):
            MsmCriterion.reduce_metrics([logged])
            found.append([told.get_smoothed_value(name) for name in names])
            told.reset()
    assert found[0][1] == pytest.approx(2 ** found[0][0], rel=1e-2) and found[0][2] is not None
    assert found[1] == [None, None, None]


def test_refuses():
    for options, message in (
        ({"temperature": 0.0}, "--temperature"),
        ({"temperature": float("nan")}, "--temperature nan"),
        *(
            ({name: float(value)}, f"--{name.replace('_', '-')} {float(value)} is not a number of 0 or more")
            for name in ("document_weight", "hierarchical_alpha")
            for value in ("-1", "nan", "inf")
        ),
        ({"without_intra_negatives": True, "without_cross_negatives": True}, "leave no negatives; drop one"),
    ):
        with pytest.raises(InputError, match=message):
            make_criterion(**options)
