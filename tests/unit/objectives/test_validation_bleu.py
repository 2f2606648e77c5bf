"""BLEU in validation: each direction's, their mean, and none where there is no text."""

from fairseq import metrics

from mass_plugins.data.languages import Direction
from mass_plugins.objectives.validation_bleu import bleu_logs, log_bleu
from mass_plugins.scoring.bleu import BleuStatistics

DIRECTIONS = [Direction("de", "en"), Direction("en", "de")]
GOOD = BleuStatistics.from_sentences(["a b c d e"], ["a b c d e"])
BAD = BleuStatistics.from_sentences(["x y z v w"], ["a b c d e"])


def logged(*batches):
    with metrics.aggregate(new_root=True) as found:
        for batch in batches:
            log_bleu("bleu", [bleu_logs("bleu", batch, DIRECTIONS)], DIRECTIONS)
    return {name: value for name, value in found.get_smoothed_values().items() if not name.startswith("_")}


def test_directions_and_their_mean():
    one, other = DIRECTIONS
    assert logged({one: GOOD}, {other: BAD}) == {"bleu_de-en": 100.0, "bleu_en-de": 0.0, "bleu": 50.0}


def test_a_set_without_pairs_of_a_direction_has_no_score_of_it():
    assert logged({DIRECTIONS[0]: GOOD}, {}) == {"bleu_de-en": 100.0, "bleu": 100.0}
    assert logged({}, {}) == {}
