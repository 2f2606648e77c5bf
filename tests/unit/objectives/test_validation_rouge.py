"""ROUGE through fairseq's logs: two batches of two processes give what the whole set has."""

from fairseq import metrics

from mass_plugins.data.languages import Direction
from mass_plugins.objectives.validation_rouge import log_rouge, rouge_logs, settings_for
from mass_plugins.scoring.rouge import RougeSums, corpus_rouge

ENGLISH, GERMAN = Direction("en", "en"), Direction("de", "de")
FOUND = ["the cat sat", "a dog", "no words", "all of it"]
REAL = ["the cat was", "a dog barks", "other", "all of it"]


def values(logs, directions):
    with metrics.aggregate() as aggregator:
        log_rouge(logs, directions)
    return aggregator.get_smoothed_values()


def test_batches_add_up():
    logs = [rouge_logs({ENGLISH: RougeSums.of(FOUND[a:b], REAL[a:b])}, [ENGLISH]) for a, b in ((0, 1), (1, 4))]
    found, whole = values([*logs, {}], [ENGLISH]), corpus_rouge(FOUND, REAL)
    assert (found["rouge1"], found["rouge2"], found["rougeL"]) == tuple(round(s.score, 2) for s in whole.values())


def test_directions_have_their_own_and_the_mean_of_both():
    one, other = RougeSums.of(FOUND, REAL), RougeSums.of(["a"], ["a"])
    found = values([rouge_logs({ENGLISH: one, GERMAN: other}, [ENGLISH, GERMAN])], [ENGLISH, GERMAN])
    assert found["rouge1_de-de"] == 100
    assert found["rouge1"] == round((found["rouge1_en-en"] + 100) / 2, 2)


def test_a_direction_without_text_has_none():
    assert values([rouge_logs({}, [ENGLISH])], [ENGLISH])["rougeL"] == 0


def test_stems_are_english():
    assert settings_for(["en"]).stem and settings_for(["en_XX"]).tokenize == "ascii"
    assert settings_for(["de"]).tokenize == "unicode" and not settings_for(["en", "zh"]).stem
