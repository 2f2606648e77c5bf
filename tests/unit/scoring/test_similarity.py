"""Spearman over all pairs of a set, against SciPy's own; intervals; the average."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from mass_plugins.errors import InputError
from mass_plugins.scoring import similarity
from mass_plugins.scoring.similarity import AVERAGE, bootstrap, cosines, evaluate, score_set, spearman, table
from mass_plugins.scoring.similarity_sets import PairSet


def pair_set(name="set", pairs=80, seed=0, parts=("a", "b")):
    rng = np.random.default_rng(seed)
    texts = [[f"{name}{side}{n}" for n in range(pairs)] for side in "xy"]
    return PairSet(name, *texts, rng.integers(0, 6, pairs).astype(float), parts)


def encoder_of(sets, noise, seed=0):
    """Vectors whose cosines follow the gold scores, but for noise."""
    rng, vectors = np.random.default_rng(seed), {}
    for pairs in sets:
        for a, b, score in zip(pairs.first, pairs.second, pairs.gold):
            angle = np.pi / 2 * (1 - score / 6) + noise * rng.normal()
            vectors[a], vectors[b] = [1.0, 0.0], [np.cos(angle), np.sin(angle)]
    return lambda texts: np.array([vectors[text] for text in texts])


@pytest.mark.parametrize("seed", range(5))
def test_spearman_is_scipys_ties_included(seed):
    rng = np.random.default_rng(seed)
    found, gold = rng.normal(size=50).round(1), rng.integers(0, 4, 50)
    assert float(spearman(found, gold)) == pytest.approx(100 * spearmanr(found, gold)[0])


def test_spearman_goes_by_rank_alone():
    found, gold = np.random.default_rng(1).normal(size=(2, 40))
    assert float(spearman(np.exp(3 * found), gold)) == pytest.approx(float(spearman(found, gold)))
    assert float(spearman(-found, gold)) == pytest.approx(-float(spearman(found, gold)))
    assert float(spearman(gold, gold)) == pytest.approx(100)
    assert float(spearman(np.ones(40), gold)) == 0


def test_a_value_by_hand():
    """Ranks 1 2 3 4 against 1 3 2 4: 1 - 6 * 2 / (4 * 15)."""
    assert float(spearman(np.array([0.1, 0.2, 0.3, 0.9]), np.array([0, 2, 1, 5]))) == pytest.approx(80)


def test_cosines_and_a_vector_of_zeros():
    first, second = np.array([[1, 0], [0, 0], [2, 2]]), np.array([[1, 1], [1, 1], [-1, -1]])
    assert cosines(first, second) == pytest.approx([0.5**0.5, 0, -1])


def test_a_set_is_scored_over_all_its_pairs_not_by_part():
    """Two parts, each ranked perfectly on another level: together they are not."""
    pairs = PairSet("set", list("abcd"), list("efgh"), np.array([1.0, 2.0, 1.5, 2.5]), ("first", "second"))
    score, _ = score_set(pairs, np.array([0.1, 0.2, 0.8, 0.9]))
    assert score.spearman == pytest.approx(80) and "first+second|pairs:4" in score.signature()


def test_bootstrap_is_the_same_again_and_covers_the_truth():
    pairs = pair_set(pairs=300)
    found = pairs.gold + np.random.default_rng(3).normal(size=300)
    drawn = bootstrap(found, pairs.gold, 400, seed=1)
    assert np.array_equal(drawn, bootstrap(found, pairs.gold, 400, seed=1))
    assert not np.array_equal(drawn, bootstrap(found, pairs.gold, 400, seed=2))
    score, _ = score_set(pairs, found)
    assert score.low < score.spearman < score.high and score.high - score.low < 15
    # the textbook's error of a correlation is about (1 - r^2) / sqrt(N)
    assert drawn.std() == pytest.approx(100 * (1 - (score.spearman / 100) ** 2) / 300**0.5, rel=0.3)


def test_samples_do_not_depend_on_how_they_are_cut_in_chunks(monkeypatch):
    pairs = pair_set()
    found = np.random.default_rng(3).normal(size=80)
    whole = bootstrap(found, pairs.gold, 50, seed=1)
    monkeypatch.setattr(similarity, "_CHUNK", 560)
    assert len(whole) == 50 and np.array_equal(whole[:20], bootstrap(found, pairs.gold, 20, seed=1))


def test_average_names_its_sets_and_texts_are_encoded_once():
    sets = [pair_set("one", seed=1), pair_set("two", 120, seed=2)]
    sets.append(sets[0]._replace(name="again"))
    calls, encode = [], encoder_of(sets, noise=0.3)

    def counted(texts):
        calls.append(len(texts))
        assert len(set(texts)) == len(texts)
        return encode(texts)

    scores = evaluate(counted, sets, samples=50).scores
    assert calls == [400]
    assert [score.name for score in scores] == ["one", "two", "again", AVERAGE]
    assert scores[-1].spearman == pytest.approx(np.mean([score.spearman for score in scores[:-1]]))
    assert scores[-1].parts == ("one", "two", "again") and scores[-1].pairs == 280
    assert scores[-1].low < scores[-1].spearman < scores[-1].high
    assert "average is over one, two, again" in table(scores)
    assert len(evaluate(encode, sets[:1], samples=50).scores) == 1


def test_less_noise_is_a_better_score():
    sets = [pair_set(pairs=200)]
    scores = [evaluate(encoder_of(sets, noise), sets, samples=10).scores[0].spearman for noise in (0.0, 0.2, 2.0)]
    assert scores[0] == pytest.approx(100) and scores[0] > scores[1] > scores[2]


def test_vectors_that_say_nothing_are_refused():
    sets = [pair_set()]
    with pytest.raises(InputError, match="collapsed"):
        evaluate(lambda texts: np.ones((len(texts), 3)), sets)
    with pytest.raises(InputError, match="are not numbers"):
        evaluate(lambda texts: np.full((len(texts), 3), np.nan), sets)
    with pytest.raises(InputError, match="one row per text"):
        evaluate(lambda texts: np.ones((1, 3)), sets)
