"""Gradient caching gives the gradients of one large batch, whatever the chunk, and the dropout of its first pass."""

from types import SimpleNamespace

import pytest
import torch

from mass_plugins.models.retriever import Retriever, RetrieverConfig
from mass_plugins.objectives.retrieval.criterion import RetrievalCriterion
from mass_plugins.objectives.retrieval.gradient_cache import backward_in_chunks
from tests.ranks import run_ranks

PAD, SIZE = 0, 30


def make_model(representation, dropout=0.0):
    torch.manual_seed(1)
    shape = dict(encoder_layers=1, encoder_embed_dim=16, encoder_ffn_embed_dim=16, encoder_attention_heads=2)
    options = dict(max_positions=12, dropout=dropout, attention_dropout=dropout, cls_dim=6, ot_top=5)
    model = Retriever(RetrieverConfig(**shape, **options, representation=representation), SIZE, PAD)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.train()


def make_sample(queries=4, group=3):
    generator = torch.Generator().manual_seed(2)

    def texts(count, longest):
        rows = torch.randint(5, SIZE, (count, longest), generator=generator)
        lengths = torch.randint(3, longest + 1, (count,), generator=generator)
        rows[:, 0] = 1
        rows[torch.arange(count), lengths - 1] = 2
        return rows.masked_fill(torch.arange(longest) >= lengths[:, None], PAD)

    keys = torch.arange(queries * group)
    return {
        "queries": texts(queries, 6),
        "passages": texts(queries * group, 10),
        "nsentences": queries,
        "passage_keys": keys,
        "positive_keys": keys[::group, None],
        "teacher": torch.randn(queries, group, generator=generator),
    }


def make_criterion():
    return RetrievalCriterion(SimpleNamespace(vocabulary_size=SIZE), 1.0, 1.0, 0.5, 1.0)


def gradients(model):
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def at_once(model, sample):
    torch.manual_seed(7)
    loss, _, _ = make_criterion()(model, sample)
    loss.backward()
    return loss.detach(), gradients(model), torch.rand(1)


def in_chunks(model, sample, texts):
    torch.manual_seed(7)
    loss, size, logged = backward_in_chunks(model, sample, make_criterion().compare, lambda x: x.backward(), texts)
    assert size == len(sample["queries"]) and logged["sample_size"] == (0 if sample.get("dummy") else size)
    return loss.detach(), gradients(model), torch.rand(1)


@pytest.mark.parametrize("representation", ["cls", "ot", "both"])
@pytest.mark.parametrize("texts", [1, 3, 5])
def test_gradients_are_those_of_the_whole_batch(representation, texts):
    model, sample = make_model(representation), make_sample()
    loss, expected, _ = at_once(model, sample)
    cached_loss, found, _ = in_chunks(model, sample, texts)
    assert torch.allclose(loss, cached_loss) and set(found) == set(expected)
    for name in expected:
        assert torch.allclose(found[name], expected[name], rtol=1e-4, atol=1e-4), name
    assert any(gradient.abs().max() > 1e-3 for gradient in found.values())


def test_dropout_is_the_same_in_both_passes():
    """With one chunk a side the random numbers are drawn as without caching, so all is equal, and goes on equally."""
    model, sample = make_model("both", dropout=0.3), make_sample()
    loss, expected, after = at_once(model, sample)
    cached_loss, found, cached_after = in_chunks(model, sample, 100)
    assert torch.allclose(loss, cached_loss) and after == cached_after
    assert all(torch.allclose(found[name], expected[name], rtol=1e-4, atol=1e-6) for name in expected)
    other, _, _ = in_chunks(model, sample, 2)
    assert other != loss


def test_autocast_gives_the_same_gradients_with_and_without_caching():
    """In float32, but for linear maps: the sum of both sides' gradients is rounded where it is made in one graph."""
    model, sample = make_model("both", dropout=0.3), make_sample()

    def autocast():
        return torch.autocast("cpu", torch.bfloat16)

    torch.manual_seed(7)
    with autocast():
        loss, _, _ = make_criterion()(model, sample)
    loss.backward()
    expected = gradients(model)
    torch.manual_seed(7)
    found_loss, _, _ = backward_in_chunks(
        model, sample, make_criterion().compare, lambda x: x.backward(), 100, autocast=autocast
    )
    found = gradients(model)
    assert torch.equal(loss.detach(), found_loss.detach()) and set(found) == set(expected)
    for name in expected:
        error = (found[name] - expected[name]).norm() / expected[name].norm()
        linear = any(part in name for part in ("_proj.", ".fc", "cls_projection"))
        assert error < (5e-3 if linear else 1e-5), name


def test_a_dummy_batch_teaches_nothing():
    model, sample = make_model("both"), make_sample() | {"dummy": True}
    loss, found, _ = in_chunks(model, sample, 3)
    assert loss == 0 and all(not gradient.any() for gradient in found.values())


def share_of(sample, queries):
    """The part of a batch that one process holds."""
    group = len(sample["passages"]) // sample["nsentences"]
    own = {"nsentences": len(queries)}
    for name, rows in (("queries", queries), ("positive_keys", queries), ("teacher", queries)):
        own[name] = sample[name][rows]
    places = [group * query + n for query in queries for n in range(group)]
    return own | {name: sample[name][places] for name in ("passages", "passage_keys")}


def work(rank, shares, texts):
    """A step of one process: gradients averaged by DDP, then scaled by W / sample size, as fairseq's trainer does."""
    model = torch.nn.parallel.DistributedDataParallel(make_model("both"))
    sample, dummy = share_of(make_sample(), shares[rank] or [0]), not shares[rank]
    sample |= {"dummy": dummy}
    if texts:
        scale = 0.0 if dummy else 1.0
        backward_in_chunks(model, sample, make_criterion().compare, lambda x: x.backward(), texts, scale)
    else:
        make_criterion()(model, sample)[0].backward()
    total = sum(map(len, shares))
    return {n: p.grad * len(shares) / total for n, p in model.module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("shares", [([0], [1, 2, 3]), ([0, 1, 2, 3], [])], ids=["unequal shares", "a dummy batch"])
@pytest.mark.parametrize("texts", [0, 2], ids=["at once", "cached"])
def test_two_processes_are_one(shares, texts):
    _, expected, _ = at_once(make_model("both"), make_sample())
    for found in run_ranks(work, 2, shares, texts):
        assert set(found) == set(expected)
        for name, gradient in expected.items():
            assert torch.allclose(found[name], gradient / 4, rtol=1e-4, atol=1e-6), name


def test_empty_texts_have_no_entries_and_documents_keep_the_largest():
    model = make_model("both").eval()
    tokens = torch.tensor([[1, 2, 0, 0], [1, 9, 8, 2]])
    documents, queries = model(tokens, role="documents"), model(tokens, role="queries")
    assert not documents.values[0].any() and not queries.values[0].any()
    assert documents.entries.shape == (2, 5) and (documents.entries.diff(dim=1) > 0).all()
    largest = queries.values[1].topk(5).values
    assert torch.equal(documents.values[1].sort(descending=True).values, largest)
    assert torch.equal(queries.values[1].gather(0, documents.entries[1]), documents.values[1])
