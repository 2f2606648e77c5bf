"""Groups become batches: the positive first, draws by (seed, epoch, index), texts cut, pairs joined."""

import numpy as np
import pytest

from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.retrieval_files import Passage, Query
from mass_plugins.data.retrieval_groups import Candidate, Group, GroupFile, join_pair
from mass_plugins.data.seen_hashes import hash_lines
from mass_plugins.objectives.retrieval.dataset import RetrievalDataset, draw_group
from tests import tiny

WORDS = tiny.sentences(40, ["en"], "words")["en"]


def candidate(number, score=None):
    return Candidate(Passage(f"d{number}", WORDS[number % 7].split()[0], WORDS[number % 40]), score)


GROUPS = [
    Group(
        Query(f"q{n}", WORDS[n]),
        [candidate(n, 1.0), candidate(n + 10, 2.0)],
        [candidate(20 + n + k, float(k)) for k in range(4)],
    )
    for n in range(8)
]


@pytest.fixture(scope="module")
def make(tiny_data_bin, tmp_path_factory):
    path = tmp_path_factory.mktemp("groups") / "groups.jsonl"
    path.write_text("".join(group.as_json() + "\n" for group in GROUPS))
    text = EncoderText.load(tiny_data_bin)

    def build(size=3, **options):
        return RetrievalDataset(GroupFile(path, "--train-groups"), text, 1, size, 8, 12, **options)

    return build


def test_draws():
    keys = sentence_keys(1, 1, np.arange(200))
    drawn = [draw_group(GROUPS[0], 3, keys[n : n + 1]) for n in range(200)]
    assert all(group[0] in GROUPS[0].positives and len({*group[1:]}) == 2 for group in drawn)
    assert {group[0] for group in drawn} == {*GROUPS[0].positives}
    assert {found for group in drawn for found in group[1:]} == {*GROUPS[0].negatives}
    many = draw_group(GROUPS[0], 10, keys[:1])
    assert len(many) == 10 and {*many[1:]} == {*GROUPS[0].negatives}
    assert len(draw_group(GROUPS[0]._replace(negatives=[]), 1, keys[:1])) == 1


def test_a_batch(make):
    dataset = make()
    batch = dataset.collater([dataset[n] for n in (2, 5)])
    assert batch["queries"].shape[0] == 2 and batch["passages"].shape[0] == 6 and batch["teacher"].shape == (2, 3)
    assert batch["queries"].shape[1] <= 8 and batch["passages"].shape[1] <= 12
    assert set(batch["passage_keys"][[0, 3]].tolist()) <= set(batch["positive_keys"].flatten().tolist())
    assert batch["positive_keys"].shape == (2, 2) and (batch["passage_keys"] >= 0).all()
    assert dataset.collater([]) == {}
    alone = dataset.collater([dataset[5]])
    assert (alone["passage_keys"] == batch["passage_keys"][3:]).all()  # whoever else is in the batch


def test_epochs_differ_in_order_and_draws_and_validation_does_not(make):
    dataset, fixed = make(), make(fixed=True)
    first, keys = dataset.ordered_indices(), dataset.collater([dataset[n] for n in range(8)])["passage_keys"]
    dataset.set_epoch(2)
    assert (dataset.ordered_indices() != first).any() and set(dataset.ordered_indices()) == set(range(8))
    assert (dataset.collater([dataset[n] for n in range(8)])["passage_keys"] != keys).any()
    before = fixed.collater([fixed[n] for n in range(8)])["passage_keys"]
    fixed.set_epoch(2)
    assert (fixed.collater([fixed[n] for n in range(8)])["passage_keys"] == before).all()
    assert fixed.ordered_indices().tolist() == list(range(8))


def keys_of(names):
    return (hash_lines(names) >> np.uint64(1)).astype(np.int64).tolist()


@pytest.mark.parametrize("pairs", [False, True])
def test_texts_keys_and_scores_are_of_the_same_candidates(make, pairs):
    """Each side is cut to its own length; row n of the passages is of query n // G, whose positive comes first."""
    dataset = make(pairs=pairs)
    numbers = [2, 5, 7]
    batch = dataset.collater([dataset[n] for n in numbers])
    queries = dataset.text.encode([GROUPS[n].query.text for n in numbers], 8)
    groups = [{keys_of([found.passage.id])[0]: found for side in GROUPS[n][1:] for found in side} for n in numbers]
    drawn = [groups[n // 3][key] for n, key in enumerate(batch["passage_keys"].tolist())]
    assert batch["teacher"].flatten().tolist() == [found.score for found in drawn]
    passages = dataset.text.encode([found.passage.whole for found in drawn], 12)
    assert max(map(len, queries)) == 8 and max(map(len, passages)) == 12  # some are cut
    for row, n in enumerate(numbers):
        assert drawn[3 * row] in GROUPS[n].positives
        assert batch["positive_keys"][row].tolist() == keys_of([found.passage.id for found in GROUPS[n].positives])
    rows = [join_pair(queries[n // 3], passage, 19) for n, passage in enumerate(passages)]
    expected = {"pairs": rows} if pairs else {"queries": queries, "passages": passages}
    for name, texts in expected.items():
        assert batch[name].tolist() == [[*text, *[dataset.text.vocabulary.pad] * (batch[name].shape[1] - len(text))]
                                        for text in texts]  # fmt: skip
    assert batch["ntokens"] == sum(len(text) for texts in expected.values() for text in texts)


def test_pairs(make):
    dataset = make(pairs=True)
    batch = dataset.collater([dataset[0]])
    assert batch["pairs"].shape[0] == 3 and "queries" not in batch
    cls, sep = dataset.text.cls, dataset.text.vocabulary.eos
    for row in batch["pairs"].numpy():
        assert row[0] == cls and (row == sep).sum() == 2 and len(row) <= 8 + 12 - 1
    assert join_pair(np.array([1, 7, 2]), np.array([1, 8, 9, 2]), 99).tolist() == [1, 7, 2, 8, 9, 2]
    assert join_pair(np.array([1, 7, 2]), np.array([1, 8, 9, 2]), 5).tolist() == [1, 7, 2, 8, 2]
