"""Two views of strings as batches, for all settings, and bad strings."""

import logging

import numpy as np
import pytest
import torch

from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.string_augmentation import cut_spans
from mass_plugins.errors import InputError
from mass_plugins.objectives.mirror_bert.dataset import MirrorDataset
from tests import tiny

STRINGS = tiny.sentences(50, ["en"], "mirror")["en"]
LONG = [text for text in STRINGS if len(text) >= 30]


@pytest.fixture(scope="module")
def text(tiny_data_bin):
    return EncoderText.load(tiny_data_bin)


def make(text, strings=STRINGS, span=5, max_tokens=40, seed=3, **options):
    return MirrorDataset(strings, text, span, max_tokens, seed, language="en", **options)


def batch_of(dataset, indices):
    return dataset.collater([dataset[index] for index in indices])


def test_rows_are_the_string_and_the_string_with_a_mask(text):
    dataset, eos, pad = make(text), text.dictionary.eos(), text.dictionary.pad()
    batch = batch_of(dataset, range(len(STRINGS)))
    first, second = batch["net_input"]["src_tokens"].numpy().reshape(2, len(STRINGS), -1)
    lengths = batch["net_input"]["src_lengths"].numpy().reshape(2, -1)
    cuts = cut_spans(STRINGS, 5, sentence_keys(3, 1, np.arange(len(STRINGS))))
    for row, string in enumerate(STRINGS):
        assert np.array_equal(first[row, : lengths[0, row]], text.encode([string], language="en")[0])
        if len(string) < 30:
            assert np.array_equal(first[row], second[row]) and cuts[row] is None
            continue
        assert (second[row] == text.mask).sum() == 1
        left, right = text.pieces(cuts[row], "en")
        assert second[row, 1 : lengths[1, row] - 1].tolist() == [*left, text.mask, *right]
        assert second[row, lengths[1, row] - 1] == eos and (second[row, lengths[1, row] :] == pad).all()
    assert batch["nsentences"] == len(STRINGS) and batch["ntokens"] == lengths.sum()
    assert LONG and len(LONG) < len(STRINGS)


def test_epochs_differ_and_the_same_epoch_is_the_same(text):
    dataset, other = make(text), make(text)
    begin = [row.copy() for row in dataset.second]
    dataset.set_epoch(2)
    second = [row.copy() for row in dataset.second]
    assert sum(not np.array_equal(a, b) for a, b in zip(begin, second)) > len(LONG) / 2
    other.set_epoch(2)
    assert all(map(np.array_equal, second, other.second))
    dataset.set_epoch(1)
    assert all(map(np.array_equal, begin, dataset.second))
    assert any(not np.array_equal(a, b) for a, b in zip(begin, make(text, seed=4).second))


def test_span_0_leaves_both_views_alike(text):
    dataset = make(text, span=0)
    assert all(map(np.array_equal, dataset.first, dataset.second)) and dataset.equal_views() == len(STRINGS)
    assert make(text).equal_views() == len(STRINGS) - len(LONG)


def test_long_strings_are_cut_keep_their_end_and_are_told_of(text, caplog):
    given = ["wight " * 20_000, *STRINGS]
    with caplog.at_level(logging.INFO, "mass_plugins"):
        dataset = make(text, given, max_tokens=12)
    longer = sum(len(row) > 12 for row in text.encode(given))
    assert longer and f"{longer} cut to 12 tokens" in caplog.text
    for view in (dataset.first, dataset.second):
        assert max(map(len, view)) == 12
        assert all(row[0] == text.cls and row[-1] == text.dictionary.eos() for row in view)


def test_equal_and_empty_strings_are_left_out(text):
    dataset = make(text, [*STRINGS, STRINGS[0], STRINGS[7], "\u200b"])
    assert len(dataset) == len(STRINGS)


def test_fewer_than_two_different_strings_are_refused(text):
    for strings in (["one thight"], ["wight"] * 40, []):
        with pytest.raises(InputError, match="give more, different strings$"):
            make(text, strings)
    with pytest.raises(InputError, match="strings, or a --max-string-tokens above 12, which cut 2$"):
        make(text, ["wight " * 20 + end for end in ("one", "two")], max_tokens=12)


def test_a_tokenizer_of_another_language_is_noticed(text, caplog):
    with caplog.at_level(logging.WARNING, "mass_plugins"):
        make(text)
        assert not caplog.records
        make(text, [f"{a}語{b}жы mixed" for a in "日本語漢字" for b in "абв"] + ["العربية"])
    assert "unknown to the tokenizer" in caplog.text


@pytest.mark.parametrize(
    "limits", [{"max_sentences": 10}, {"max_tokens": 300}, {"max_sentences": 7, "max_tokens": 200}]
)
@pytest.mark.parametrize("random_batches", [False, True])
def test_batches_hold_every_string_once_within_limits(text, limits, random_batches):
    dataset = make(text, random_batches=random_batches)
    batches = dataset.batch_by_size(dataset.ordered_indices(), required_batch_size_multiple=8, **limits)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(dataset)))
    for batch in batches[:-1]:
        tokens = batch_of(dataset, batch)["net_input"]["src_tokens"]
        assert 2 <= len(batch) <= limits.get("max_sentences", 99) and tokens.numel() <= limits.get("max_tokens", 1e9)
    if limits == {"max_sentences": 10}:
        assert {len(batch) for batch in batches} == {10}


def test_batches_are_of_similar_length_unless_told(text):
    def spread(random_batches):
        dataset = make(text, random_batches=random_batches)
        batches = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=10)
        return np.mean([np.ptp(dataset.sizes[batch]) for batch in batches])

    assert spread(False) < 0.5 * spread(True)


def test_a_last_string_alone_joins_the_batch_before(text):
    dataset = make(text, STRINGS[:9])
    assert sorted(map(len, dataset.batch_by_size(dataset.ordered_indices(), max_sentences=4))) == [4, 5]
    with pytest.raises(InputError, match="one string"):
        dataset.batch_by_size(dataset.ordered_indices(), max_sentences=1)
    with pytest.raises(InputError, match="--batch-size 200"):
        dataset.batch_by_size(dataset.ordered_indices())


def test_padding_to_a_fixed_length(text):
    dataset = make(text, pad_to=40)
    assert batch_of(dataset, [0, 1])["net_input"]["src_tokens"].shape == (4, 40)
    assert dataset.num_tokens(0) == 80 and make(text).collater([]) == {}
    assert torch.equal(batch_of(dataset, [0])["id"], torch.tensor([0]))
