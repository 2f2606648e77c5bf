"""Whole-word and token masking: properties over random batches, then a word drawn by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.vocabulary import Vocabulary, WordMarks
from mass_plugins.data.word_masking import BertMasker, as_slots, budgets, mask_tokens, mask_words
from mass_plugins.errors import InputError

PAD, CLS, SEP, MASK, FIRST = 0, 1, 2, 3, 4  # ids; ordinary tokens from FIRST on
SIZE = 40
BEGINS = np.arange(SIZE) % 3 != 0  # ids 6, 9, .. continue a word
BEGINS[:FIRST] = True
VOCABULARY = Vocabulary(mask=MASK, pad=PAD, eos=SEP, ordinary=np.arange(FIRST, SIZE))


def batch(rows: int, seed: int, longest: int = 40):
    """(tokens, lengths) of texts of 0 .. ``longest`` tokens between CLS and SEP."""
    random = np.random.default_rng(seed)
    lengths = random.integers(2, longest + 3, size=rows)
    tokens = random.integers(FIRST, SIZE, size=(rows, lengths.max()))
    columns = np.arange(lengths.max())
    tokens[:, 0] = CLS
    tokens[columns == lengths[:, None] - 1] = SEP
    tokens[columns >= lengths[:, None]] = PAD
    return tokens, lengths


def masker(**options) -> BertMasker:
    settings = {"ratio": 0.15, "whole_words": True, "replacement": Replacement(1, 0, 0), **options}
    return BertMasker(**settings, vocabulary=VOCABULARY, marks=WordMarks(BEGINS, np.zeros(SIZE, dtype=bool)))


def words_of(row):
    """Slots of each word of a row, by reading it from left to right."""
    words = []
    for slot, token in enumerate(row):
        if token < FIRST:
            words.append([])
        elif BEGINS[token] or not words or not words[-1]:
            words.append([slot])
        else:
            words[-1].append(slot)
    return [word for word in words if word]


@pytest.mark.parametrize("ratio", [0.15, 0.3, 1.0])
@pytest.mark.parametrize("whole_words", [False, True])
def test_masked_slots_are_the_predicted_ones_and_specials_stay(ratio, whole_words):
    tokens, lengths = batch(300, seed=1)
    done = masker(ratio=ratio, whole_words=whole_words)(tokens, lengths, sentence_keys(1, 1, np.arange(300)))
    predicted = done.target != PAD
    assert np.array_equal(done.source != tokens, predicted)  # every masked slot holds the mask here
    assert np.array_equal(done.target[predicted], tokens[predicted])
    assert not predicted[tokens < FIRST].any()
    budget = budgets((tokens >= FIRST).sum(axis=1), ratio)
    counts = predicted.sum(axis=1)
    assert np.all(counts <= budget) and np.all((counts > 0) == (budget > 0))
    if not whole_words:
        assert np.array_equal(counts, budget)


def test_a_word_is_masked_whole_or_not_at_all_unless_none_fits():
    tokens, lengths = batch(400, seed=2)
    done = masker(ratio=0.3)(tokens, lengths, sentence_keys(1, 1, np.arange(400)))
    cut = 0
    for row, masked in zip(tokens, done.target != PAD):
        words, budget = words_of(row), masked.sum()
        parts = [word for word in words if masked[word].any() and not masked[word].all()]
        if parts:
            cut += 1
            (slots,) = masked[parts[0]].nonzero()
            assert len(parts) == 1 and len(slots) == budget == np.ptp(slots) + 1  # a run of its tokens, nothing else
            room = budgets(np.array([sum(map(len, words))]), 0.3)[0]
            assert budget == room < min(map(len, words))
        else:
            room = budgets(np.array([sum(map(len, words))]), 0.3)[0] - budget
            assert not any(len(word) <= room and not masked[word].any() for word in words)
    assert 0 < cut < 100


def test_a_word_longer_than_the_budget_gives_a_run_of_its_tokens():
    """Wherever in the word, each place about equally often: with a budget of 2 of 5 tokens there are four."""
    starts = np.array([[True, True, False, False, False, False, True]] * 4000)
    maskable = np.array([[False, True, True, True, True, True, False]] * 4000)
    masked = mask_words(starts, maskable, np.full(4000, 2), sentence_keys(1, 1, np.arange(4000)))
    runs, counts = np.unique(masked, axis=0, return_counts=True)
    assert sorted(np.flatnonzero(run).tolist() for run in runs) == [[1, 2], [2, 3], [3, 4], [4, 5]]
    assert np.all(np.abs(counts - 1000) < 130)  # 4.7 standard deviations


def test_every_word_is_drawn_alike():
    """Of ten words of one token, one is masked: each about equally often."""
    tokens = np.array([[CLS, *[FIRST] * 10, SEP]] * 5000)
    lengths, keys = np.full(5000, 12), sentence_keys(3, 1, np.arange(5000))
    for whole_words in (False, True):
        done = masker(ratio=0.1, whole_words=whole_words)(tokens, lengths, keys)
        drawn = (done.target != PAD).sum(axis=0)
        assert drawn.sum() == 5000 and drawn[[0, 11]].sum() == 0
        assert np.all(np.abs(drawn[1:11] - 500) < 100)  # 4.7 standard deviations


@given(rows=st.integers(1, 6), seed=st.integers(0, 2**32), extra=st.integers(0, 5))
def test_a_mask_does_not_depend_on_the_batch(rows, seed, extra):
    """A text alone, and among others with more padding, is masked alike."""
    tokens, lengths = batch(rows, seed % 1000)
    keys = sentence_keys(seed, 2, np.arange(rows))
    how = masker(ratio=0.3, replacement=Replacement(0.8, 0.1, 0.1))
    wide = np.pad(tokens, ((0, 0), (0, extra)), constant_values=PAD)
    together = how(wide, lengths, keys)
    for row in range(rows):
        alone = how(tokens[row : row + 1, : lengths[row]], lengths[row : row + 1], keys[row : row + 1])
        assert np.array_equal(alone.source[0], together.source[row, : lengths[row]])
        assert np.array_equal(alone.target[0], together.target[row, : lengths[row]])


def test_epochs_differ():
    tokens, lengths = batch(50, seed=4)
    first, second = (masker()(tokens, lengths, sentence_keys(1, epoch, np.arange(50))) for epoch in (1, 2))
    assert not np.array_equal(first.source, second.source)


def test_shares_of_replacement():
    tokens, lengths = batch(3000, seed=5)
    done = masker(whole_words=False, replacement=Replacement(0.8, 0.1, 0.1))(
        tokens, lengths, sentence_keys(1, 1, np.arange(3000))
    )
    predicted = done.target != PAD
    assert abs((done.source[predicted] == MASK).mean() - 0.8) < 0.02
    assert abs((done.source[predicted] == tokens[predicted]).mean() - 0.1 * (1 + 1 / 36)) < 0.02


def test_budgets_by_hand():
    assert budgets(np.array([0, 1, 3, 10, 100]), 0.15).tolist() == [0, 1, 1, 2, 15]


def test_tokens_by_hand():
    maskable = np.array([[False, True, False, True]])
    assert mask_tokens(maskable, np.array([2]), sentence_keys(1, 1, np.array([0]))).tolist() == maskable.tolist()
    slots = as_slots(np.array([[False, True, False, True], [True, False, False, False]]))
    assert slots.slots[slots.valid()].tolist() == [1, 3, 0] and slots.counts.tolist() == [2, 1]


def test_a_batch_of_empty_texts_has_nothing_to_mask():
    tokens = np.array([[CLS, SEP], [CLS, SEP]])
    done = masker()(tokens, np.array([2, 2]), sentence_keys(1, 1, np.arange(2)))
    assert np.array_equal(done.source, tokens) and np.all(done.target == PAD)


def test_a_ratio_that_is_none():
    with pytest.raises(InputError, match="--mask-ratio 1.5"):
        masker(ratio=1.5)
