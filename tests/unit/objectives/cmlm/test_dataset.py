"""CMLM's pairs: which units are neighbours, what a batch holds, how its tokens are counted."""

import numpy as np
import pytest
import torch

from mass_plugins.data.documents import Documents
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.vocabulary import Vocabulary, WordMarks
from mass_plugins.data.word_masking import BertMasker
from mass_plugins.errors import InputError
from mass_plugins.objectives.cmlm.dataset import PairDataset, PairStream

CLS, PAD, SEP, MASK, SIZE = 0, 1, 2, 3, 60
VOCABULARY = Vocabulary(mask=MASK, pad=PAD, eos=SEP, ordinary=np.arange(4, SIZE))
MARKS = WordMarks(np.ones(SIZE, dtype=bool), np.zeros(SIZE, dtype=bool))
COUNTS = [3, 1, 2, 4]  # units of the documents


class Units(list):
    @property
    def sizes(self):
        return np.array([len(unit) for unit in self])


def make_dataset(counts=COUNTS, longest=9, **options):
    """Unit n is full of n + 4."""
    chance = np.random.default_rng(1)
    units = Units(torch.tensor([n + 4] * int(chance.integers(2, longest)) + [SEP]) for n in range(sum(counts)))
    documents = Documents(units, np.array(counts), np.cumsum(counts) - counts)
    masker = BertMasker(0.3, False, Replacement.parse("1,0,0"), VOCABULARY, MARKS)
    return PairDataset([PairStream("pairs", documents, masker, CLS)], seed=1, fixed=True, **options), units


def batch_of(dataset, places=None):
    return dataset.collater([dataset[place] for place in (range(len(dataset)) if places is None else places)])


def test_neighbours_are_of_one_document():
    dataset, units = make_dataset()
    pairs = [tuple(int(text[1]) - 4 for text in dataset[place][2]) for place in range(len(dataset))]
    assert sorted(pairs) == [(0, 1), (1, 2), (4, 5), (6, 7), (7, 8), (8, 9)]
    for (first, second), place in zip(pairs, range(len(dataset))):
        for number, text in zip((first, second), dataset[place][2]):
            assert text.tolist() == [CLS, *units[number].tolist()]
        assert sum(dataset.size(place)) == dataset.num_tokens(place) == len(units[first]) + len(units[second]) + 2


def test_a_batch_masks_the_second_and_shows_the_first():
    dataset, _ = make_dataset()
    batch = batch_of(dataset)
    source, before = (batch["net_input"][name] for name in ("src_tokens", "condition_tokens"))
    target = batch["target"]
    for row, place in enumerate(batch["id"].tolist()):
        first, second = (torch.from_numpy(text) for text in dataset[place][2])
        restored = torch.where(target[row] != PAD, target[row], source[row])
        assert torch.equal(restored[: len(second)], second) and (restored[len(second) :] == PAD).all()
        assert torch.equal(before[row, : len(first)], first) and (before[row, len(first) :] == PAD).all()
    assert ((source == MASK) == (target != PAD)).all() and (target != PAD).any(dim=1).all()
    assert not (before == MASK).any()
    assert batch["ntokens"] == int((target != PAD).sum())
    assert dataset.collater([]) == {}


def test_masks_go_by_epoch_and_place_alone():
    dataset, _ = make_dataset(longest=30)
    alone = batch_of(dataset, [2])["target"][0]
    within = batch_of(dataset)
    row = within["target"][within["id"].tolist().index(2)]
    assert torch.equal(row[: len(alone)], alone)


def test_max_tokens_count_both_units():
    dataset, _ = make_dataset([5] * 8)
    seen = []
    for places in dataset.batch_by_size(dataset.ordered_indices(), max_tokens=50):
        assert len(places) * max(dataset.num_tokens(int(place)) for place in places) <= 50
        seen += list(map(int, places))
    assert sorted(seen) == list(range(len(dataset)))
    with pytest.raises(InputError, match="--max-tokens 6"):
        dataset.batch_by_size(dataset.ordered_indices(), max_tokens=6)


def test_long_units_are_cut_or_refused():
    dataset, _ = make_dataset(longest=30, long_lines="truncate")
    dataset.filter_indices_by_size(dataset.ordered_indices(), 8)
    tokens = batch_of(dataset)["net_input"]
    assert max(tokens["src_tokens"].shape[1], tokens["condition_tokens"].shape[1]) == 8
    assert (tokens["condition_tokens"] == SEP).any(dim=1).all()
    dataset, _ = make_dataset(longest=30)
    with pytest.raises(InputError, match="pairs, units .* and .*--max-positions or --max-tokens"):
        dataset.filter_indices_by_size(dataset.ordered_indices(), 8)


def test_pairs_without_room_in_a_batch_are_skipped():
    """Where each unit alone is within the limit."""
    dataset, _ = make_dataset([5] * 8, longest=30, long_lines="skip")
    places, skipped = dataset.filter_indices_by_size(dataset.ordered_indices(), 40)
    assert len(places) == len(dataset) and not skipped
    batches = dataset.batch_by_size(places, max_tokens=40)
    assert sorted(np.concatenate(batches).tolist()) == np.flatnonzero(dataset.sizes <= 40).tolist()
    assert 0 < len(np.concatenate(batches)) < len(dataset)
    with pytest.raises(InputError, match="no sample has room in a batch of --max-tokens 5; raise it"):
        dataset.batch_by_size(places, max_tokens=5)


@pytest.mark.parametrize("most", (40, 41))
def test_pairs_without_room_in_a_batch_are_cut(most):
    """The longer unit first; the others stay as they are, and the limit stays in the next epoch."""
    dataset, units = make_dataset([5] * 8, longest=30, long_lines="truncate")
    places, _ = dataset.filter_indices_by_size(dataset.ordered_indices(), 28)
    batches, cut = dataset.batch_by_size(places, max_tokens=most), 0
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(dataset)))
    for batch in batches:
        tokens = dataset.collater([dataset[int(place)] for place in batch])["net_input"]
        assert tokens["src_tokens"].numel() + tokens["condition_tokens"].numel() <= most
    dataset.set_epoch(2)
    for place in range(len(dataset)):
        first, second = dataset[place][2]
        assert (len(second), len(first)) == dataset.size(place)
        assert all(text[0] == CLS and text[-1] == SEP for text in (first, second))
        number = int(dataset.streams[0].firsts[place])
        whole = [min(len(units[n]) + 1, 28) for n in (number, number + 1)]
        if sum(whole) <= most:
            assert [len(first), len(second)] == whole
        else:
            cut += 1
            assert len(first) + len(second) == most
            assert min(len(first), len(second)) == min(most // 2, *whole)
    assert cut > 5
    with pytest.raises(InputError, match="two adjacent units have .* more than --max-tokens 5; raise it$"):
        dataset.batch_by_size(places, max_tokens=5)


def test_pairs_without_room_in_a_batch_are_refused():
    dataset, _ = make_dataset(longest=30)
    with pytest.raises(InputError, match="more than --max-tokens 30; raise it, or set --long-lines skip or truncate"):
        dataset.batch_by_size(dataset.ordered_indices(), max_tokens=30)
