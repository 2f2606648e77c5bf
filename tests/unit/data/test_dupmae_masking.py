"""What the encoder and the decoder don't see: properties for hundreds of lengths, and independence of the batch."""

import numpy as np
import pytest
import torch

from mass_plugins.data.collate import pad_right
from mass_plugins.data.dupmae_masking import PATTERNS, DupMaeMasker, sample_patterns
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.vocabulary import Vocabulary, WordMarks
from mass_plugins.errors import InputError
from mass_plugins.modules.enhanced_decoder import visible_rows

PAD, CLS, SEP, MASK, FIRST, SIZE = 0, 1, 2, 3, 5, 60
BEGINS = np.array([number < 40 for number in range(SIZE)])  # entries from 40 on continue a word


def make_masker(ratio=0.3, decoder_ratio=0.5):
    vocabulary = Vocabulary(MASK, PAD, SEP, np.arange(FIRST, SIZE))
    marks = WordMarks(BEGINS, np.zeros(SIZE, dtype=bool))
    return DupMaeMasker(ratio, decoder_ratio, Replacement(0.8, 0.1, 0.1), vocabulary, marks)


def rows_of(patterns):
    """(B, S, S) bool, row by position: what each row sees."""
    return visible_rows(*map(torch.from_numpy, patterns)).numpy()


def make_texts(count, longest, seed=0):
    rng = np.random.default_rng(seed)
    rows = [rng.integers(FIRST, SIZE, rng.integers(0, longest)) for _ in range(count)]
    return [np.concatenate([[CLS], row, [SEP]]) for row in rows]


@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.9, 1.0])
def test_a_row_never_sees_itself_always_slot_0_and_the_right_share(ratio):
    lengths = np.array([2, 3, 4, 7, 50, 130, 301])
    patterns = sample_patterns(lengths, ratio, sentence_keys(1, 1, np.arange(len(lengths))))
    seen = rows_of(patterns)
    assert patterns.seen.shape[1] == PATTERNS and patterns.seen.dtype == bool
    for row, length in enumerate(lengths):
        own, inside = patterns.seen[row, : min(length, PATTERNS)], seen[row, :length]
        hidden = int(np.floor(ratio * (length - 1) + 0.5))
        assert own[:, 0].all() and (own[:, 1:length].sum(axis=1) == length - 1 - hidden).all()
        assert not patterns.seen[row, :, length:].any() and not seen[row, :, length:].any()
        assert not inside[np.arange(1, length), np.arange(1, length)].any() and inside[:, 0].all()
        assert (patterns.of_row[row] < min(length, PATTERNS)).all()
        others = inside[1:, 1:].sum(axis=1)  # one less where the row's own pattern shows it
        assert ((others == length - 1 - hidden) | (others == length - 2 - hidden)).all()


def test_positions_are_hidden_alike_and_patterns_differ():
    keys = sentence_keys(3, 1, np.arange(40))
    patterns = sample_patterns(np.full(40, 33), 0.5, keys)
    shares = patterns.seen[:, :, 1:].mean(axis=(0, 1))
    assert np.abs(shares - 0.5).max() < 0.05
    assert len(np.unique(patterns.seen[0], axis=0)) == 33
    used = np.bincount(patterns.of_row.ravel(), minlength=33)
    assert used.min() > 10
    later = sample_patterns(np.full(40, 33), 0.5, sentence_keys(3, 2, np.arange(40)))
    assert (later.seen != patterns.seen).mean() > 0.4


def test_masks_of_a_text_do_not_depend_on_its_batch():
    masker, texts = make_masker(), make_texts(30, 300)
    keys = sentence_keys(1, 1, np.arange(30))
    together = masker(*pad_right(texts, PAD), keys)
    for number in (0, 7, 29):
        length = len(texts[number])
        alone = masker(*pad_right([texts[number]], PAD), keys[number : number + 1])
        assert (together.source[number, :length] == alone.source[0]).all()
        assert (together.masked[number, :length] == alone.masked[0]).all()
        assert (rows_of(together.patterns)[number, :length, :length] == rows_of(alone.patterns)[0]).all()


def test_whole_words_within_the_budget():
    masker, texts = make_masker(), make_texts(300, 80)
    hidden = masker(*pad_right(texts, PAD), sentence_keys(1, 1, np.arange(300)))
    for row, text in enumerate(texts):
        masked, length = hidden.masked[row, : len(text)], len(text)
        assert not masked[[0, -1]].any() and not hidden.masked[row, length:].any()
        budget = min(max(1, int(0.3 * length + 0.5)), length - 2)
        assert masked.sum() <= budget and bool(masked.any()) == (length > 2)
        words = np.cumsum(BEGINS[text] | (np.arange(length) < 2) | (np.arange(length) == length - 1))
        whole = all(len(set(masked[words == word])) == 1 for word in set(words))
        smallest = min((np.sum(words == word) for word in set(words[1:-1])), default=0)
        assert whole or smallest > budget  # cut words only where none fits
    changed = hidden.source != hidden.text
    assert not changed[~hidden.masked].any()
    assert (hidden.ordinary == (hidden.text >= FIRST)).all()


def test_each_mask_has_its_own_ratio():
    hidden = make_masker(0.2, 0.7)(*pad_right([[CLS, *[20] * 99, SEP]], PAD), sentence_keys(1, 1, np.arange(1)))
    assert hidden.masked.sum() == 20 and (hidden.patterns.seen[0].sum(axis=1) == 101 - 70).all()


def test_shares_of_replacements():
    masker, texts = make_masker(), [np.concatenate([[CLS], np.full(500, 20), [SEP]])] * 50
    hidden = masker(*pad_right(texts, PAD), sentence_keys(1, 1, np.arange(50)))
    found = hidden.source[hidden.masked]
    assert len(found) == 50 * 151 and abs((found == MASK).mean() - 0.8) < 0.02
    assert abs((found == 20).mean() - 0.1 - 0.1 / 55) < 0.015


@pytest.mark.parametrize("ratios, flag", [((0, 0.5), "--mask-ratio 0"), ((0.3, 1.5), "--decoder-mask-ratio 1.5")])
def test_ratios(ratios, flag):
    with pytest.raises(InputError, match=f"{flag} is not in"):
        make_masker(*ratios)
