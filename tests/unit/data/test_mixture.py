import numpy as np
import pytest
import torch

from mass_plugins.data.masker import Masker
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.streams import MonolingualStream, ParallelStream
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.errors import InputError

VOCABULARY = Vocabulary(mask=4, pad=1, eos=2, ordinary=np.arange(5, 200))
MASKER = Masker("span", 0.5, Replacement(0.8, 0.1, 0.1), VOCABULARY)


def corpus(count, seed, longest=30):
    rng = np.random.default_rng(seed)
    rows = [np.append(rng.integers(5, 200, rng.integers(0, longest)), 2) for _ in range(count)]
    return [torch.from_numpy(row) for row in rows], np.array([len(row) for row in rows])


def monolingual(count, language, seed=0):
    rows, sizes = corpus(count, seed)
    return MonolingualStream(f"l{language}", rows, sizes, language, MASKER)


def parallel(count, seed=5, **options):
    (source, source_sizes), (target, target_sizes) = corpus(count, seed), corpus(count, seed + 1)
    return ParallelStream("p", source, target, source_sizes, target_sizes, 0, 1, VOCABULARY, **options)


def mixture(sizes=(300, 50), **options):
    streams = [monolingual(n, language, seed=language) for language, n in enumerate(sizes)]
    return MixtureDataset(streams, seed=1, **options)


def batches(dataset, **limits):
    return dataset.batch_by_size(dataset.ordered_indices(), max_tokens=200, **limits)


@pytest.mark.parametrize("options", [{}, {"fixed": True}, {"separate": True}])
def test_an_epoch_holds_every_place_and_validation_a_language_a_batch(options):
    dataset = mixture(**options)
    seen, languages = [], []
    for batch in batches(dataset):
        sample = dataset.collater([dataset[i] for i in batch])
        rows = sample["net_input"]["source_language"]
        assert rows.tolist() == dataset.stream_of[batch].tolist()
        assert rows.equal(sample["net_input"]["target_language"])
        assert sample["net_input"]["src_tokens"].numel() <= 200
        seen.extend(sample["id"].tolist())
        languages.append(len(set(rows.tolist())))
    assert sorted(seen) == list(range(len(dataset)))
    assert max(languages) == (1 if options else 2)


def test_a_sentence_is_masked_alike_alone_and_among_other_languages():
    dataset = mixture()
    whole = dataset.collater([dataset[i] for i in (0, 299, 300, 349)])
    for row, place in enumerate((0, 299, 300, 349)):
        alone = dataset.collater([dataset[place]])["net_input"]["src_tokens"][0]
        assert whole["net_input"]["src_tokens"][row][: len(alone)].equal(alone)


def test_text_and_pairs_never_share_a_batch():
    streams = [monolingual(60, 0), parallel(40), parallel(30, seed=9), parallel(20, source_mask_ratio=0.5)]
    dataset = MixtureDataset(streams, seed=1)
    kinds = [{(0, 1, 1, 2)[number] for number in dataset.stream_of[batch]} for batch in batches(dataset)]
    assert all(len(kind) == 1 for kind in kinds) and set.union(*kinds) == {0, 1, 2}


def test_alpha_1_takes_each_sentence_once():
    dataset = mixture()
    assert sorted(dataset.item_of[dataset.stream_of == 1].tolist()) == list(range(50))


def test_alpha_0_takes_languages_equally_and_repeats_as_late_as_possible():
    dataset = mixture(alpha=0)
    assert dataset.quotas.tolist() == [175, 175]
    taken = []
    for epoch in range(1, 13):
        dataset.set_epoch(epoch)
        taken.append(dataset.item_of[dataset.stream_of == 0])
    counts = np.bincount(np.concatenate(taken), minlength=300)  # 12 x 175 = 7 passes over 300
    assert (counts == 7).all()
    assert (taken[0] != taken[1]).any()


def test_epoch_is_a_function_of_seed_and_number_alone():
    one, other = mixture(alpha=0.5), mixture(alpha=0.5)
    for epoch in (1, 2, 3):
        one.set_epoch(epoch)
    other.set_epoch(3)
    assert (one.item_of == other.item_of).all() and (one.sizes == other.sizes).all()
    first, second = (d.collater([d[i] for i in range(8)]) for d in (one, other))
    assert (first["net_input"]["src_tokens"] == second["net_input"]["src_tokens"]).all()


def test_masks_change_with_the_epoch_but_not_in_validation():
    for fixed in (False, True):
        dataset = mixture(sizes=(40,), fixed=fixed)
        sources = []
        for epoch in (1, 2):
            dataset.set_epoch(epoch)
            sources.append(dataset.collater([dataset[i] for i in range(40)])["net_input"]["src_tokens"])
        assert torch.equal(*sources) == fixed


def test_ntokens_counts_real_targets():
    dataset = MixtureDataset([parallel(20)], seed=1)
    sample = dataset.collater([dataset[i] for i in range(20)])
    assert sample["ntokens"] == int(dataset.target_sizes.sum()) == int((sample["target"] != 1).sum())
    assert "positions" not in sample["net_input"]


def test_translation_batch_is_shifted():
    dataset = MixtureDataset([parallel(20)], seed=1)
    sample = dataset.collater([dataset[i] for i in range(20)])
    previous = sample["net_input"]["prev_output_tokens"]
    assert (previous[:, 0] == 2).all() and torch.equal(previous[:, 1:], sample["target"][:, :-1])


def test_supervised_pretraining_masks_its_source():
    plain = MixtureDataset([parallel(50)], seed=1)
    masked = MixtureDataset([parallel(50, source_mask_ratio=0.5)], seed=1)
    one, two = (d.collater([d[i] for i in range(50)]) for d in (plain, masked))
    assert torch.equal(one["target"], two["target"])
    share = (two["net_input"]["src_tokens"] == 4).sum() / (plain.source_sizes - 1).sum()
    assert 0.4 < share < 0.6


def test_no_items_make_an_empty_batch():
    assert mixture().collater([]) == {}


def test_workers_of_a_later_epoch_are_not_the_first_epochs():
    assert mixture().can_reuse_epoch_itr_across_epochs is False


class TestLongLines:
    def test_error_names_the_line_and_the_flags(self):
        dataset = mixture(sizes=(300,))
        longest = int(np.argmax(dataset.source_sizes))
        with pytest.raises(InputError) as error:
            dataset.filter_indices_by_size(np.array([longest]), (10, 12))
        assert f"line {longest + 1} " in str(error.value) and "--long-lines" in str(error.value)

    def test_skip_leaves_them_out(self):
        dataset = mixture(long_lines="skip")
        kept, skipped = dataset.filter_indices_by_size(np.arange(len(dataset)), (10, 12))
        assert dataset.sizes[kept].max() <= 10 and dataset.sizes[skipped].min() > 10
        assert len(kept) + len(skipped) == len(dataset)

    def test_truncate_keeps_the_closing_token(self):
        dataset = MixtureDataset([parallel(200)], seed=1, long_lines="truncate")
        kept, skipped = dataset.filter_indices_by_size(np.arange(200), (10, 12))
        assert len(kept) == 200 and not skipped
        for epoch in (1, 2):  # the limit stays
            dataset.set_epoch(epoch)
            assert dataset.source_sizes.max() == 10 and dataset.target_sizes.max() == 12
            for index in range(200):
                source, target = dataset[index][2]
                assert len(source) == dataset.source_sizes[index] and source[-1] == 2
                assert len(target) == dataset.target_sizes[index] and target[-1] == 2

    def test_unknown_choice(self):
        with pytest.raises(InputError, match="--long-lines"):
            mixture(long_lines="drop")


def test_shards_walk_on_by_their_own_visits():
    """With two shards, epochs 1 and 3 see the first shard: its walk goes on, it doesn't jump."""
    sharded, whole = mixture(alpha=0, shards=2), mixture(alpha=0)
    sharded.set_epoch(3)
    whole.set_epoch(2)
    assert (sharded.item_of == whole.item_of).all()
