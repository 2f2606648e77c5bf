"""Documents of several languages as a data set: batches, limits, the mixture with masked text."""

import numpy as np
import pytest
import torch

from mass_plugins.data.concatenated import ConcatenatedDataset
from mass_plugins.data.documents import (
    DocumentDataset,
    Documents,
    DocumentStream,
    document_languages,
    open_documents,
)
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.errors import InputError

VOCABULARY = Vocabulary(mask=3, pad=1, eos=2, ordinary=np.arange(5, 1000))


class Units(list):
    @property
    def sizes(self):
        return np.array([len(unit) for unit in self])


def make_dataset(counts_of_languages, fixed=True, longest=9, alpha=1.0):
    """Unit n of a language is full of n + 5, and of the language's number in its first token."""
    streams, chance = [], np.random.default_rng(1)
    for language, counts in enumerate(counts_of_languages):
        lengths = chance.integers(3, longest, size=sum(counts))
        units = Units(torch.tensor([5 + language, *[n + 5] * (size - 2), 2]) for n, size in enumerate(lengths))
        counts = np.array(counts)
        documents = Documents(units, counts, np.cumsum(counts) - counts)
        streams.append(DocumentStream(f"language {language}", documents, language, VOCABULARY, 0))
    return DocumentDataset(streams, seed=1, alpha=alpha, fixed=fixed)


def batches_of(dataset, max_tokens):
    indices, _ = dataset.filter_indices_by_size(dataset.ordered_indices(), 512)
    return dataset.batch_by_size(indices, max_tokens=max_tokens)


def test_batches_hold_whole_documents_of_one_language():
    dataset = make_dataset([[4] * 7 + [2, 3], [4] * 5])
    seen = []
    for places in batches_of(dataset, 200):
        batch = dataset.collater([dataset[int(place)] for place in places])
        tokens, found = batch["net_input"]["src_tokens"], batch["documents"]
        assert len(tokens) == int(found["real"].sum()) == len(found["document"]) == len(found["language"])
        assert (tokens[:, 0] == 0).all() and (tokens[:, 1] == 5 + found["language"]).all()
        assert len(found["language"].unique()) == 1
        counts = found["real"].sum(dim=1)
        assert found["document"].tolist() == found["copy"].tolist() == batch["id"].repeat_interleave(counts).tolist()
        assert tokens.numel() <= 200
        numbers = tokens[:, 2].split(counts.tolist())
        assert all((part.diff() == 1).all() for part in numbers)  # in their order
        seen += batch["id"].tolist()
    assert sorted(seen) == list(range(14))


@pytest.mark.parametrize("epoch", (1, 2))
def test_documents_that_are_drawn_again_are_known(epoch):
    """Copies have one number and places of their own, and are in a batch together only where passes meet."""
    dataset = make_dataset([[2] * 50, [2] * 20], fixed=False, alpha=0.0)  # 35 places each
    dataset.set_epoch(epoch)
    number_of, together = {}, 0
    batches = batches_of(dataset, 160)
    for places in batches:
        batch = dataset.collater([dataset[int(place)] for place in places])
        found, first = batch["documents"], batch["net_input"]["src_tokens"][::2, 1:3]
        assert len(set(found["copy"].tolist())) == len(places)
        for number, tokens in zip(found["document"][::2].tolist(), first.tolist()):
            assert number_of.setdefault(number, tokens) == tokens
        together += len(places) - len(set(found["document"].tolist()))
    assert len(set(map(tuple, number_of.values()))) == len(number_of) > 40
    assert together <= 3, (together, len(batches))


def test_copies_in_one_batch_are_told_apart():
    """A document that is drawn five times, all of them in a batch: one number, five copies."""
    dataset = make_dataset([[2] * 9, [3]], fixed=False, alpha=0.0)
    places = np.flatnonzero(dataset.stream_of == 1)
    found = dataset.collater([dataset[int(place)] for place in places])["documents"]
    assert found["document"].tolist() == [9] * 15
    assert found["copy"].tolist() == np.repeat(places, 3).tolist() and len(places) == 5


def test_batches_are_full_and_not_more():
    """Documents of few long units beside those of many short ones: what counts is the padded batch."""
    dataset = make_dataset([[1, 9, 2, 30] * 20, [5] * 11], longest=20)
    indices = dataset.ordered_indices()
    for limit, documents, multiple in ((1200, None, 1), (1200, 3, 1), (1200, None, 4), (None, 5, 2)):
        limits = {"max_sentences": documents, "required_batch_size_multiple": multiple}
        batches = dataset.batch_by_size(indices, max_tokens=limit, **limits)
        assert sorted(np.concatenate(batches).tolist()) == list(range(91))
        tokens = [dataset.collater([dataset[int(p)] for p in b])["net_input"]["src_tokens"].numel() for b in batches]
        assert limit is None or max(tokens) <= limit
        assert max(map(len, batches)) <= (documents or 91)
        assert len({dataset.group_of[places[0]] for places in batches}) == 2
        last = [dataset.group_of[a[0]] != dataset.group_of[b[0]] for a, b in zip(batches, batches[1:])] + [True]
        for places, following, is_last in zip(batches, [*batches[1:], None], last):
            assert is_last or len(places) <= multiple or len(places) % multiple == 0
            if multiple == 1 and limit and not is_last and len(places) < (documents or 91):  # no room for one more
                both = [*places, following[0]]
                assert dataset.counts[both].sum() * dataset.longest[both].max() > limit


def test_limits():
    dataset = make_dataset([[4, 4]], longest=30)
    with pytest.raises(InputError, match="--max-tokens 20"):
        batches_of(dataset, 20)
    with pytest.raises(InputError, match="language 0, document .* --max-positions"):
        dataset.filter_indices_by_size(dataset.ordered_indices(), 5)


def test_no_samples():
    dataset = make_dataset([[2]])
    assert dataset.collater([]) == {} and ConcatenatedDataset({"documents": dataset}).collater([]) == {}


def test_concatenated_batches_are_of_one_part():
    concatenated = ConcatenatedDataset({"long": make_dataset([[4] * 6]), "short": make_dataset([[2] * 9])})
    assert len(concatenated) == 15
    batches, seen = batches_of(concatenated, 150), []
    for places in batches:
        samples = [concatenated[int(place)] for place in places]
        assert len({part for part, _ in samples}) == 1
        batch = concatenated.collater(samples)
        assert (batch["documents"]["real"].sum(dim=1) == (4 if samples[0][0] == "long" else 2)).all()
        seen += list(places)
        assert all(concatenated.num_tokens(int(p)) == concatenated.sizes[int(p)] for p in places)
    assert sorted(seen) == list(range(15))


def test_epochs_are_walked_by_both():
    concatenated = ConcatenatedDataset({"documents": make_dataset([[4] * 6], fixed=False)})
    concatenated.set_epoch(3)
    assert concatenated.parts["documents"].epoch == 3


@pytest.mark.parametrize("split, mend", [("train", "--documents"), ("valid", "--valid-documents, or train with --dis")])
def test_missing_documents_are_told_with_their_own_flags(split, mend, tmp_path):
    np.save(tmp_path / f"{split}.zh-Hant.documents.npy", np.ones(1))
    assert document_languages(str(tmp_path), split) == ["zh-Hant"]
    with pytest.raises(InputError, match=f"no {split} documents in de; leave the language out of --langs, .*{mend}"):
        open_documents(str(tmp_path), split, "de", None)
    with pytest.raises(InputError, match=f"has no {split} documents; make them with .*prepare_documents.py {mend}"):
        document_languages(str(tmp_path / "none"), split)


@pytest.mark.parametrize("size", (0, 3, 60, 130))
def test_damaged_counts_are_told_in_one_line(size, tmp_path):
    """A file that is empty, cut in its magic, in its header, in its numbers."""
    path = tmp_path / "train.de.documents.npy"
    np.save(path, np.ones(4, dtype=np.int32))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError) as error:
        open_documents(str(tmp_path), "train", "de", None)
    assert str(error.value) == f"{path} is damaged; prepare the documents again"


def test_sizes_of_documents():
    """The longest unit with its [CLS], and that for each unit: what a padded batch has of a document."""
    units = Units(torch.tensor(row) for row in ([5, 2], [5, 6, 7, 2], [5, 6, 2]))
    stream = DocumentStream("x", Documents(units, np.array([2, 1]), np.array([0, 2])), 0, VOCABULARY, 0)
    assert stream.longest.tolist() == [5, 4] and stream.source_sizes.tolist() == [10, 4]
