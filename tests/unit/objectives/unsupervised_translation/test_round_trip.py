import numpy as np
import pytest
import torch
from fairseq import metrics

from mass_plugins.data.languages import Direction
from mass_plugins.objectives.unsupervised_translation.round_trip import (
    TranslationCounts,
    copies,
    count_logs,
    foreign_tokens,
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


def table(*tokens):
    foreign = torch.zeros(12, dtype=torch.bool)
    foreign[list(tokens)] = True
    return foreign


def test_counts_of_a_batch():
    found = TranslationCounts.of(
        rows([9, 10, 5], [5], [9]), rows([6, 8], [5], [9, 10, 11, 6]), table(9, 10), (PAD, EOS)
    )
    assert found == TranslationCounts(sentences=3, copies=1, tokens=7, source_tokens=5, foreign=2, source_foreign=3)


class TestForeignTokens:
    def test_ten_times_as_frequent_however_long_the_texts(self):
        source, target = torch.tensor([50, 10, 0, 40, 0]), torch.tensor([40, 1, 59, 5, 0])  # of 100 and of 105
        assert foreign_tokens(source, target).tolist() == [False, True, False, False, False]
        assert foreign_tokens(source, 3000 * target).tolist() == [False, True, False, False, False]
        assert foreign_tokens(target, source).tolist() == [False, False, True, False, False]
        assert foreign_tokens(torch.tensor([10, 90]), torch.tensor([1, 99])).tolist() == [True, False]  # just ten times
        assert foreign_tokens(torch.tensor([9, 91]), torch.tensor([1, 99])).tolist() == [False, False]

    @pytest.mark.parametrize("length", [20_000, 2_000_000])
    def test_text_of_the_wrong_language_is_seen_however_long_the_texts(self, length):
        """Half of a text is of 40 tokens that both languages share, 2 % strays from the other; all tokens occur."""
        chance = np.random.default_rng(1)
        texts = []
        for shares in ([0.5, 0.48, 0.02], [0.5, 0.02, 0.48]):
            tokens = 40 * chance.choice(3, size=length, p=shares) + chance.integers(40, size=length)
            texts.append(torch.from_numpy(np.bincount(tokens, minlength=120)))
        assert all((text > 0).all() for text in texts)
        foreign = foreign_tokens(*texts)
        rates = [float(text[foreign].sum() / text.sum()) for text in texts]
        assert rates == pytest.approx([0.48, 0.02], abs=0.01)

    def test_counts_of_a_large_corpus(self):
        large = torch.tensor([10**11, 10**9])
        assert foreign_tokens(large, large.flip(0)).tolist() == [True, False]

    @pytest.mark.parametrize("which", [0, 1])
    def test_a_language_without_text(self, which):
        counts = [torch.tensor([5, 0, 7]), torch.tensor([5, 9, 0])]
        counts[which] = torch.zeros(3, dtype=torch.int64)
        assert not foreign_tokens(*counts).any()


def test_a_copier_reaches_the_ceiling():
    source = rows([9, 10, 5], [5, 6], [9])
    found = TranslationCounts.of(source, source, table(9, 10), (PAD, EOS))
    with metrics.aggregate() as meters:
        log_rates([count_logs({DE_EN: found}, [DE_EN])], [DE_EN])
    values = meters.get_smoothed_values()
    assert values["wrong_language_rate"] == values["wrong_language_ceiling"] == 0.5


def test_rates_are_sums_over_sums_by_direction_and_their_mean():
    first = {DE_EN: TranslationCounts(4, 1, 40, 20, 10, 12)}
    second = {DE_EN: TranslationCounts(4, 0, 40, 20, 0, 4), EN_DE: TranslationCounts(2, 2, 10, 10, 1, 1)}
    with metrics.aggregate() as meters:
        log_rates([count_logs(found, [DE_EN, EN_DE]) for found in (first, second)], [DE_EN, EN_DE])
    values = meters.get_smoothed_values()
    assert values["copy_rate_de-en"] == 0.125 and values["copy_rate_en-de"] == 1 and values["copy_rate"] == 0.5625
    assert values["wrong_language_rate_de-en"] == 0.125 and values["wrong_language_rate_en-de"] == 0.1
    assert values["wrong_language_ceiling_de-en"] == 0.4 and values["wrong_language_ceiling"] == 0.25
    assert values["length_ratio_de-en"] == 2 and values["length_ratio"] == 1.5


def test_no_sentences_no_division():
    with metrics.aggregate() as meters:
        log_rates([count_logs({}, [DE_EN])], [DE_EN])
    assert meters.get_smoothed_values()["copy_rate"] == 0


def test_every_process_logs_the_same_entries():
    assert (
        count_logs({}, [DE_EN, EN_DE]).keys()
        == count_logs({DE_EN: TranslationCounts(1, 1, 1, 1, 1, 1)}, [DE_EN, EN_DE]).keys()
    )


@pytest.mark.parametrize("pad_more", [0, 3])
def test_padding_and_ends_are_not_counted(pad_more):
    source = torch.nn.functional.pad(rows([5, 6]), (0, pad_more), value=PAD)
    found = TranslationCounts.of(source, source, table(*range(12)), (PAD, EOS))
    assert found == TranslationCounts(1, 1, 2, 2, 2, 2)
