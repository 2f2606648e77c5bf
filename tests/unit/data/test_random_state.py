import numpy as np

from mass_plugins.data.random_state import Draw, derive_keys, integers_at, sentence_keys, uniform


def test_draws_depend_on_seed_epoch_and_index_alone():
    all_keys = sentence_keys(3, 2, np.arange(100))
    assert (sentence_keys(3, 2, np.array([41, 7])) == all_keys[[41, 7]]).all()
    for other in (sentence_keys(4, 2, np.arange(100)), sentence_keys(3, 1, np.arange(100))):
        assert not (other == all_keys).any()
    assert len(set(all_keys.tolist())) == 100


def test_more_draws_do_not_change_the_first_ones():
    keys = sentence_keys(1, 1, np.arange(5))
    assert (uniform(keys, 3) == uniform(keys, 9)[:, :3]).all()


def test_uniform_is_uniform_and_uncorrelated():
    draws = uniform(sentence_keys(1, 1, np.arange(2000)), 50)
    assert 0 <= draws.min() and draws.max() < 1
    counts, _ = np.histogram(draws, bins=20, range=(0, 1))
    expected = draws.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 50  # chi-square, 19 degrees, p = 1e-4
    assert abs(np.corrcoef(draws[:, 0], draws[:, 1])[0, 1]) < 0.1
    assert abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 0.1


def test_each_draw_has_numbers_of_its_own_and_keeps_them():
    """Recorded results depend on them; the one number that two have is of draws that never meet."""
    values = {name: int(draw) for name, draw in Draw.__members__.items()}
    numbers = sorted(values.values())
    assert numbers == [11, 12, 13, 21, 22, 23, *range(31, 36), *range(41, 46), 51, 51, 52, 61, 62]
    assert values["STRING_SPAN"] == values["DECODER_PATTERNS"] == 51
    keys = sentence_keys(1, 1, np.arange(2))
    for draw in Draw:  # the enum changes nothing of what its number draws
        assert (derive_keys(keys, draw) == derive_keys(keys, int(draw))).all()
    assert derive_keys(keys, Draw.SPAN_PLACEMENT).tolist() == [13552642775452826731, 2300143121387615148]


def test_draws_are_independent():
    keys = sentence_keys(1, 1, np.arange(2000))
    one, two = uniform(derive_keys(keys, 1), 1), uniform(derive_keys(keys, 2), 1)
    assert abs(np.corrcoef(one[:, 0], two[:, 0])[0, 1]) < 0.1


def test_integers_cover_their_range():
    drawn = integers_at(sentence_keys(1, 1, np.arange(3000))[:, None], np.arange(4)[None], 7)
    assert set(drawn.ravel().tolist()) == set(range(7))


def test_negative_seed_is_accepted():
    assert len(sentence_keys(-1, 1, np.arange(3))) == 3
