"""Word noise: what it may move, drop and blank. BART's infilling is tested with the masker."""

import numpy as np
import pytest

from mass_plugins.data.collate import pad_right
from mass_plugins.data.noise import WordNoise, add_word_noise
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.errors import InputError

PAD, EOS, MASK, FIRST = 1, 2, 4, 5
NOTHING = WordNoise(0, 0, 0)


def sentences(lengths, seed=0):
    """Rows of distinct tokens, so that each can be told in the noised row; some slots go on with the last word."""
    rng = np.random.default_rng(seed)
    rows = [np.append(FIRST + rng.permutation(100)[:n], EOS) for n in lengths]
    tokens, sizes = pad_right(rows, PAD)
    return tokens, sizes, rng.random(tokens.shape) < 0.6


def disturb(lengths, noise, epoch=1, seed=0):
    tokens, sizes, starts = sentences(lengths, seed)
    keys = sentence_keys(1, epoch, np.arange(len(lengths)))
    noised, noised_sizes = add_word_noise(tokens, sizes, starts, noise, MASK, PAD, keys)
    rows = [tokens[n, :size].tolist() for n, size in enumerate(sizes)]
    return rows, [noised[n, :size].tolist() for n, size in enumerate(noised_sizes)], starts, noised


LENGTHS = [0, 1, 2, *(3 + n % 25 for n in range(300))]


def words(row, starts):
    """A row without ``</s>`` as tuples of the sub-words of a word."""
    found = []
    for slot, token in enumerate(row[:-1]):
        if slot == 0 or starts[slot]:
            found.append([])
        found[-1].append(token)
    return [tuple(word) for word in found]


def test_no_noise_changes_nothing():
    rows, noised, _, _ = disturb(LENGTHS, NOTHING)
    assert rows == noised


def test_words_move_whole_and_no_further_than_they_may():
    rows, noised, starts, _ = disturb(LENGTHS, WordNoise(3, 0, 0))
    moved = 0
    for row, other, marks in zip(rows, noised, starts):
        assert other[-1] == EOS and sorted(row) == sorted(other)
        before = words(row, marks)
        slots, after = 0, []
        while slots < len(other) - 1:  # cut the noised row into the same words
            word = next(word for word in before if word[0] == other[slots])
            assert tuple(other[slots : slots + len(word)]) == word
            after.append(word)
            slots += len(word)
        moves = [abs(before.index(word) - place) for place, word in enumerate(after)]
        assert max(moves, default=0) <= 3
        moved += sum(move > 0 for move in moves)
    assert moved > 500


def test_words_vanish_whole_and_never_all_of_them():
    rows, noised, starts, _ = disturb(LENGTHS * 5, WordNoise(0, 0.3, 0))
    total = gone = 0
    for row, other, marks in zip(rows, noised, starts):
        assert other[-1] == EOS and (len(other) > 1 or len(row) == 1)
        kept = set(other)
        for word in words(row, marks):
            assert len(kept & set(word)) in (0, len(word))
            total, gone = total + 1, gone + (word[0] not in kept)
        assert [token for token in row if token in kept] == other
    assert abs(gone / total - 0.3) < 0.03


def test_blanks_are_masks_and_never_the_end():
    rows, noised, _, _ = disturb(LENGTHS, WordNoise(0, 0, 0.2))
    pairs = [(a, b) for row, other in zip(rows, noised) for a, b in zip(row, other, strict=True)]
    assert all(b in (a, MASK) for a, b in pairs) and all(other[-1] == EOS for other in noised)
    blank = np.mean([b == MASK for a, b in pairs if a != EOS])
    assert abs(blank - 0.2) < 0.02


def test_rows_end_in_padding():
    _, noised, _, array = disturb(LENGTHS, WordNoise(3, 0.2, 0.1))
    for row, padded in zip(noised, array):
        assert padded.tolist() == row + [PAD] * (array.shape[1] - len(row))


def test_the_noise_of_a_sentence_does_not_depend_on_its_batch():
    tokens, sizes, starts = sentences([5, 12, 9])
    keys = sentence_keys(1, 1, np.arange(3))
    together, lengths = add_word_noise(tokens, sizes, starts, WordNoise(), MASK, PAD, keys)
    for n, size in enumerate(sizes):
        cut = (slice(n, n + 1), slice(0, size))
        alone, _ = add_word_noise(tokens[cut], sizes[n : n + 1], starts[cut], WordNoise(), MASK, PAD, keys[n : n + 1])
        assert alone[0].tolist() == together[n, : lengths[n]].tolist()


def test_it_is_new_in_each_epoch():
    assert disturb(LENGTHS, WordNoise(), epoch=1)[1] != disturb(LENGTHS, WordNoise(), epoch=2)[1]


@pytest.mark.parametrize("settings", [(-1, 0, 0), (0, 1, 0), (0, 0, -0.1)])
def test_impossible_noise_is_refused(settings):
    with pytest.raises(InputError, match="--word-"):
        WordNoise(*settings)
