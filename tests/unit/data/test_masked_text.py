"""Masked text as a data set: the batch's contract, languages by temperature, long lines."""

import numpy as np
import pytest
import torch

from mass_plugins.data.masked_text import MaskedTextDataset, MaskedTextStream
from mass_plugins.data.token_masking import Replacement
from mass_plugins.data.word_masking import BertMasker
from mass_plugins.errors import InputError
from tests import tiny, tiny_encoder


@pytest.fixture(scope="module")
def text():
    return tiny_encoder.make_text()


def make(text, counts=(30, 10), **options) -> MaskedTextDataset:
    masker = BertMasker(0.3, True, Replacement(0.8, 0.1, 0.1), text.vocabulary, text.marks)
    streams = []
    for language, count in zip(tiny_encoder.LANGUAGES, counts):
        lines = tiny.sentences(count, [language], "masked")[language]
        rows = [torch.tensor([*row, text.vocabulary.eos]) for row in text.pieces(lines)]
        streams.append(MaskedTextStream(language, rows, np.array(list(map(len, rows))), masker, text.cls))
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
