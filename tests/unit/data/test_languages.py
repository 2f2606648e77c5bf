import numpy as np
import pytest

from mass_plugins.data.languages import (
    Direction,
    epoch_quotas,
    parse_directions,
    parse_languages,
    sampling_shares,
)
from mass_plugins.errors import InputError


def test_parsing():
    assert parse_languages("de, en,fr") == ["de", "en", "fr"]
    assert parse_directions("de-en,en-en", ["de", "en"]) == [Direction("de", "en"), Direction("en", "en")]
    assert parse_directions("zh-cn-en", ["en", "zh-cn"]) == [Direction("zh-cn", "en")]


@pytest.mark.parametrize("text", ["", ",", "de,de"])
def test_bad_languages(text):
    with pytest.raises(InputError, match="--langs"):
        parse_languages(text)


@pytest.mark.parametrize("text", ["", "de", "de-fr", "de-en,de-en", "de-en-de"])
def test_bad_directions(text):
    with pytest.raises(InputError, match="--directions"):
        parse_directions(text, ["de", "en"])


def test_shares_follow_the_temperature():
    assert sampling_shares([100, 900], 0).tolist() == [0.5, 0.5]
    assert sampling_shares([100, 900], 1).tolist() == [0.1, 0.9]
    assert sampling_shares([100, 900], 0.5) == pytest.approx([0.25, 0.75])
    for alpha in (-0.1, 1.1, 300, float("nan")):
        with pytest.raises(InputError, match=f"--language-alpha {alpha} is not in"):
            sampling_shares([1, 2], alpha)


@pytest.mark.parametrize("alpha", [0, 0.3, 0.7, 1])
def test_quotas_fill_the_epoch(alpha):
    rng = np.random.default_rng(0)
    for _ in range(100):
        sizes = rng.integers(1, 5000, rng.integers(1, 8))
        quotas = epoch_quotas(sizes, alpha)
        assert quotas.min() >= 1
        assert abs(int(quotas.sum()) - int(sizes.sum())) <= len(sizes)
        if alpha == 1:
            assert (quotas == sizes).all()
