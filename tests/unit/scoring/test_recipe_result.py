"""Values of runs become scores, tests between them what result.json holds of them."""

from pathlib import Path
from typing import NamedTuple

import pytest

from mass_plugins.errors import InputError
from mass_plugins.scoring.recipe_result import Collected, Tested, comparison
from mass_plugins.scoring.retrieval import compare


class Run(NamedTuple):
    system: str
    seed: int

    @property
    def file(self):
        return Path(f"{self.system}.{self.seed}.tsv")


def test_seeds_become_one_score_in_the_order_of_the_runs():
    collected = Collected()
    for value, run in enumerate((Run("mass", 1), Run("copy", 1), Run("mass", 2))):
        collected.add(run, "de-en", "BLEU", "s", value, interval=(value - 1, value + 1), paper=3.5 + value)
        collected.add(run, "de-en", "seconds", "wall time", value, lower_is_better=True)
    scores = collected.scores()
    names = [(score.system, score.metric) for score in scores]
    assert names == [("mass", "BLEU"), ("mass", "seconds"), ("copy", "BLEU"), ("copy", "seconds")]
    mass, seconds, copy, _ = scores
    assert (mass.values, mass.seeds, mass.intervals, mass.paper) == ([0, 2], [1, 2], [(-1, 1), (1, 3)], 3.5)
    assert copy.seeds == [1] and seconds.intervals == [] and seconds.lower_is_better and not mass.lower_is_better


@pytest.mark.parametrize("other", [Run("mass", 2), Run("copy", 1)], ids=["another seed", "another system"])
def test_a_setting_has_one_signature_a_metric(other):
    """Numbers of one row are compared; those of another setting or metric are not."""
    collected = Collected()
    collected.add(Run("mass", 1), "de-en", "BLEU", "tok:13a", 1.0)
    collected.add(other, "en-de", "BLEU", "tok:intl", 1.0)
    collected.add(other, "de-en", "chrF", "nc:6", 1.0)
    with pytest.raises(InputError) as error:
        collected.add(other, "de-en", "BLEU", "tok:intl", 1.0)
    for word in ("de-en: BLEU", "(mass.1.tsv) is measured by tok:13a", f"({other.file}) by tok:intl"):
        assert word in str(error.value)


def test_comparisons_by_seed_and_by_item():
    tests = [Tested(1.234, 0.00012), Tested(-0.5, 1.0)]
    assert comparison("de-en", "mass", "copy", [1, 2], tests, "bs:1000") == {
        "setting": "de-en", "system": "mass", "baseline": "copy", "seeds": [1, 2], "differences": [1.23, -0.5],
        "p_values": [0.0001, 1.0], "test": "paired bootstrap", "signature": "bs:1000",
    }  # fmt: skip
    test = compare("R@5", ("msm", [1.0, 0.0, 1.0]), ("mlm", [0.0, 0.0, 1.0]))
    found = comparison("mr", "msm", "mlm", [1], [test], "s", "R@5")
    assert (found["metric"], found["items"], found["test"]) == ("R@5", 3, "paired randomization")
    assert found["interval"][0] <= found["differences"][0] == 0.33 <= found["interval"][1]
