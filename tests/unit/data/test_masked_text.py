"""Masked text as a data set: the batch's contract, languages by temperature, long lines."""

import numpy as np
import pytest
import torch

from mass_plugins.data.fully_explored_masking import FullyExploredMasker
from mass_plugins.data.masked_text import MaskedTextDataset, MaskedTextStream
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.word_masking import BertMasker
from mass_plugins.errors import InputError
from tests import tiny, tiny_encoder


@pytest.fixture(scope="module")
def text():
    return tiny_encoder.make_text()


def make(text, counts=(30, 10), copies=1, **options) -> MaskedTextDataset:
    settings = (0.3, copies == 1, Replacement(0.8, 0.1, 0.1), text.vocabulary, text.marks)
    masker = FullyExploredMasker(*settings, sets=copies) if copies > 1 else BertMasker(*settings)
    streams = []
    for language, count in zip(tiny_encoder.LANGUAGES, counts):
        lines = tiny.sentences(count, [language], "masked")[language]
        rows = [torch.tensor([*row, text.vocabulary.eos]) for row in text.pieces(lines)]
        streams.append(MaskedTextStream(language, rows, np.array(list(map(len, rows))), masker, text.cls, copies))
    return MaskedTextDataset(streams, seed=1, **options)


def test_the_batch_keeps_its_contract(text):
    dataset = make(text)
    batch = dataset.collater([dataset[i] for i in (3, 35, 0)])
    tokens, target = batch["net_input"]["src_tokens"], batch["target"]
    lengths, pad = batch["net_input"]["src_lengths"], text.vocabulary.pad
    assert tokens.dtype == target.dtype == torch.int64 and tokens.shape == target.shape
    for row, length in zip(tokens, lengths):
        assert row[0] == text.cls and row[length - 1] == text.vocabulary.eos and (row[length:] == pad).all()
    assert torch.equal(batch["masked_slots"], target.ne(pad).flatten().nonzero().flatten())
    assert batch["ntokens"] == len(batch["masked_slots"]) > 0 and batch["nsentences"] == 3
    plain = torch.where(target.ne(pad), target, tokens)
    expected = [[text.cls, *dataset.streams[s].dataset[i].tolist()] for s, i in ((0, 3), (1, 5), (0, 0))]
    assert [row[:length].tolist() for row, length in zip(plain, lengths)] == expected
    assert dataset.collater([]) == {}


def test_small_languages_are_drawn_more_often_with_a_small_exponent(text):
    assert make(text).quotas.tolist() == [30, 10]
    assert make(text, alpha=0.0).quotas.tolist() == [20, 20]


def test_a_mask_stays_in_validation_and_changes_with_the_epoch(text):
    train, valid = make(text), make(text, fixed=True)
    sources = {}
    for name, dataset in (("train", train), ("valid", valid)):
        for epoch in (1, 2):
            dataset.set_epoch(epoch)
            batch = dataset.collater([dataset[i] for i in range(20)])
            sources[name, epoch] = batch["net_input"]["src_tokens"]
    assert torch.equal(sources["valid", 1], sources["valid", 2])
    assert not torch.equal(sources["train", 1], sources["train", 2])


def test_long_lines(text):
    with pytest.raises(InputError, match="raise --max-positions or --max-tokens"):
        make(text).filter_indices_by_size(np.arange(40), 6)
    dataset = make(text, long_lines="truncate")
    kept, _ = dataset.filter_indices_by_size(np.arange(40), 6)
    batch = dataset.collater([dataset[i] for i in kept])
    assert batch["net_input"]["src_tokens"].shape == (40, 6)
    assert {int(row[length - 1]) for row, length in zip(*batch["net_input"].values())} == {text.vocabulary.eos}


@pytest.mark.parametrize("copies", (1, 3))
def test_texts_without_room_in_a_batch(text, copies):
    """In all their copies; one of them alone is within the limit. Without copies as in validation, whose filter
    doesn't know --max-tokens-valid."""
    most, places = 8 * copies + 1, np.arange(40)
    sizes = make(text).sizes
    assert sizes.min() <= 8 < sizes.max()
    dataset = make(text, copies=copies, long_lines="skip")
    batches = dataset.batch_by_size(places, max_tokens=most)
    assert sorted(np.concatenate(batches).tolist()) == np.flatnonzero(sizes <= most // copies).tolist()
    with pytest.raises(InputError, match="no sample has room in a batch of --max-tokens 2; raise it"):
        dataset.batch_by_size(places, max_tokens=2)
    dataset = make(text, copies=copies, long_lines="truncate")
    batches = dataset.batch_by_size(places, max_tokens=most)
    assert sorted(np.concatenate(batches).tolist()) == places.tolist()
    for batch in batches:
        rows, lengths = dataset.collater([dataset[int(place)] for place in batch])["net_input"].values()
        assert rows.numel() <= most and len(rows) == copies * len(batch)
        assert {int(row[length - 1]) for row, length in zip(rows, lengths)} == {text.vocabulary.eos}
    dataset.set_epoch(2)
    assert dataset.sizes.max() == most // copies
    with pytest.raises(InputError, match="--max-tokens"):
        make(text, copies=copies).batch_by_size(places, max_tokens=most)


def test_copies_that_are_refused(text):
    """Where texts are not to be skipped or cut, or nothing would be left of them."""
    says = "tokens in its 3 copies, more than --max-tokens {}; raise it, lower --mask-sets or --tokens-per-sample"
    with pytest.raises(InputError, match=says.format(20) + ", or set --long-lines skip or truncate$"):
        make(text, copies=3).batch_by_size(np.arange(40), max_tokens=20)
    with pytest.raises(InputError, match=says.format(8) + "$"):
        make(text, copies=3, long_lines="truncate").batch_by_size(np.arange(40), max_tokens=8)
