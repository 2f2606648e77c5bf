import pytest
import torch
from fairseq import metrics

from mass_plugins.data.languages import Direction
from mass_plugins.objectives.unsupervised_translation.round_trip import (
    TranslationCounts,
    copies,
    count_logs,
    log_rates,
)

PAD, EOS = 1, 2
DE_EN, EN_DE = Direction("de", "en"), Direction("en", "de")


def rows(*sentences):
    width = max(map(len, sentences)) + 1
    return torch.tensor([[*row, EOS, *[PAD] * (width - len(row) - 1)] for row in sentences])


def test_copies_are_equal_rows_whatever_their_padding():
    assert copies(rows([5, 6], [7]), rows([5, 6], [8, 9, 10]), PAD).tolist() == [True, False]
    assert copies(rows([5, 6, 7]), rows([5, 6]), PAD).tolist() == [False]


def test_counts_of_a_batch():
    own, other = torch.zeros(12, dtype=torch.bool), torch.zeros(12, dtype=torch.bool)
    own[[5, 6, 8]] = other[[5, 9, 10]] = True  # 5 is both languages', 11 is neither's
    found = TranslationCounts.of(rows([9, 10, 5], [5], [9]), rows([6, 8], [5], [9, 10, 11, 6]), own, other, (PAD, EOS))
    assert found == TranslationCounts(sentences=3, copies=1, tokens=7, source_tokens=5, foreign=2)


def test_rates_are_sums_over_sums_by_direction_and_their_mean():
    first = {DE_EN: TranslationCounts(4, 1, 40, 20, 10)}
    second = {DE_EN: TranslationCounts(4, 0, 40, 20, 0), EN_DE: TranslationCounts(2, 2, 10, 10, 1)}
    with metrics.aggregate() as meters:
        log_rates([count_logs(found, [DE_EN, EN_DE]) for found in (first, second)], [DE_EN, EN_DE])
    values = meters.get_smoothed_values()
    assert values["copy_rate_de-en"] == 0.125 and values["copy_rate_en-de"] == 1 and values["copy_rate"] == 0.5625
    assert values["wrong_language_rate_de-en"] == 0.125 and values["wrong_language_rate_en-de"] == 0.1
    assert values["length_ratio_de-en"] == 2 and values["length_ratio"] == 1.5


def test_no_sentences_no_division():
    with metrics.aggregate() as meters:
        log_rates([count_logs({}, [DE_EN])], [DE_EN])
    assert meters.get_smoothed_values()["copy_rate"] == 0


def test_every_process_logs_the_same_entries():
    assert (
        count_logs({}, [DE_EN, EN_DE]).keys()
        == count_logs({DE_EN: TranslationCounts(1, 1, 1, 1, 1)}, [DE_EN, EN_DE]).keys()
    )


@pytest.mark.parametrize("pad_more", [0, 3])
def test_padding_and_ends_are_not_counted(pad_more):
    source = torch.nn.functional.pad(rows([5, 6]), (0, pad_more), value=PAD)
    every = torch.ones(12, dtype=torch.bool)
    assert TranslationCounts.of(source, source, every, every, (PAD, EOS)) == TranslationCounts(1, 1, 2, 2, 0)
