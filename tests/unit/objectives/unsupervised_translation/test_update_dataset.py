import numpy as np
import torch

from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.streams import ParallelStream
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.objectives.unsupervised_translation.update_dataset import UpdateDataset

VOCABULARY = Vocabulary(mask=4, pad=1, eos=2, ordinary=np.arange(5, 60))


def mixture(count, first, places=None, fixed=False, longest=12):
    """``count`` pairs whose first token tells them apart from other mixtures'."""
    rng = np.random.default_rng(first)
    items = [torch.tensor([first, *rng.integers(5, 60, rng.integers(1, longest)), 2]) for _ in range(count)]
    sizes = np.array(list(map(len, items)))
    stream = ParallelStream(f"text {first}", items, items, sizes, sizes, 0, 1, VOCABULARY)
    return MixtureDataset([stream], seed=1, places=places, fixed=fixed)


def batches_of(dataset, max_tokens=60):
    return dataset.batch_by_size(dataset.ordered_indices(), max_tokens=max_tokens)


def make(**kwargs):
    return UpdateDataset({"text": mixture(50, 5), "pairs": mixture(7, 6, places=50)}, seed=3, **kwargs)


def test_a_batch_holds_a_batch_of_each_part():
    dataset = make()
    for indices in batches_of(dataset):
        batch = dataset.collater([dataset[index] for index in indices])
        assert list(batch) == ["text", "pairs"]
        for part, first in (("text", 5), ("pairs", 6)):
            assert (batch[part]["target"][:, 0] == first).all()
            assert batch[part]["target"].numel() <= 60 or len(batch[part]["target"]) == 1


def test_the_first_part_is_read_once_an_epoch():
    dataset = make()
    seen = [int(index) for indices in batches_of(dataset) for index in indices if index < 50]
    assert sorted(seen) == list(range(50))


def test_other_parts_are_read_about_as_often():
    dataset = make()
    seen = [dataset.parts["pairs"].item_of[index - 50] for b in batches_of(dataset) for index in b if index >= 50]
    counts = np.bincount(seen, minlength=7)
    assert counts.min() >= 1 and len(seen) > 30


def test_parts_with_fewer_batches_are_repeated():
    dataset = UpdateDataset({"text": mixture(50, 5), "pairs": mixture(3, 6)}, seed=3)
    for indices in batches_of(dataset):
        assert (indices >= 50).any()


def test_epochs_pair_the_parts_differently_and_the_same_again():
    def pairing(epoch):
        dataset = make()
        dataset.set_epoch(epoch)
        np.random.seed(0)  # noqa: NPY002  as fairseq does around ordered_indices
        return [sorted(indices.tolist()) for indices in batches_of(dataset)]

    assert pairing(1) == pairing(1) != pairing(2)


def test_apart_each_batch_is_of_one_part_and_all_places_are_read():
    parts = {"trip": mixture(20, 5, fixed=True), "pairs": mixture(9, 6, fixed=True)}
    dataset = UpdateDataset(parts, seed=3, together=False)
    seen = []
    for indices in batches_of(dataset):
        assert len(dataset.collater([dataset[index] for index in indices])) == 1
        seen += indices.tolist()
    assert sorted(seen) == list(range(29))


def test_sizes_and_lookups_go_to_the_parts():
    dataset = make()
    assert len(dataset) == 100 == len(dataset.sizes)
    for index in (0, 49, 50, 99):
        name, place = ("text", index) if index < 50 else ("pairs", index - 50)
        assert dataset.size(index) == dataset.parts[name].size(place)
        assert dataset.num_tokens(index) == dataset.sizes[index] == dataset.parts[name].num_tokens(place)


def test_long_lines_are_dealt_with_by_each_part():
    dataset = make()
    for part in dataset.parts.values():
        part.long_lines = "skip"
    kept, skipped = dataset.filter_indices_by_size(dataset.ordered_indices(), (6, 6))
    assert sorted([*kept.tolist(), *skipped]) == list(range(100))
    assert (dataset.sizes[kept] <= 6).all() and all(dataset.sizes[place] > 6 for place in skipped)


def test_no_samples_no_batch():
    assert make().collater([]) == {}
