"""Documents of several languages as a data set: batches, limits, the mixture with masked text."""

import numpy as np
import pytest
import torch

from mass_plugins.data.documents import (
    DocumentDataset,
    Documents,
    DocumentStream,
    document_languages,
    open_documents,
)
from mass_plugins.data.joint import JointDataset
from mass_plugins.data.masker import Vocabulary
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


def test_limits():
    dataset = make_dataset([[4, 4]], longest=30)
    with pytest.raises(InputError, match="--max-tokens 20"):
        batches_of(dataset, 20)
    with pytest.raises(InputError, match="language 0, document .* --max-positions"):
        dataset.filter_indices_by_size(dataset.ordered_indices(), 5)


def test_no_samples():
    dataset = make_dataset([[2]])
    assert dataset.collater([]) == {} and JointDataset([dataset]).collater([]) == {}


def test_joint_batches_are_of_one_part():
    parts = [make_dataset([[4] * 6]), make_dataset([[2] * 9])]
    joint = JointDataset(parts)
    assert len(joint) == 15
    batches, seen = batches_of(joint, 150), []
    for places in batches:
        samples = [joint[int(place)] for place in places]
        assert len({part for part, _ in samples}) == 1
        batch = joint.collater(samples)
        assert (batch["documents"]["real"].sum(dim=1) == (4 if samples[0][0] == 0 else 2)).all()
        seen += list(places)
        assert all(joint.num_tokens(int(p)) == joint.sizes[int(p)] for p in places)
    assert sorted(seen) == list(range(15))


def test_epochs_are_walked_by_both():
    joint = JointDataset([make_dataset([[4] * 6], fixed=False)])
    joint.set_epoch(3)
    assert joint.parts[0].epoch == 3


@pytest.mark.parametrize("split, mend", [("train", "--documents"), ("valid", "--valid-documents, or train with --dis")])
def test_missing_documents_are_told_with_their_own_flags(split, mend, tmp_path):
    np.save(tmp_path / f"{split}.zh-Hant.documents.npy", np.ones(1))
    assert document_languages(str(tmp_path), split) == ["zh-Hant"]
    with pytest.raises(InputError, match=f"no {split} documents in de; leave the language out of --langs, .*{mend}"):
        open_documents(str(tmp_path), split, "de", None)
    with pytest.raises(InputError, match=f"has no {split} documents; make them with .*prepare_documents.py {mend}"):
        document_languages(str(tmp_path / "none"), split)
