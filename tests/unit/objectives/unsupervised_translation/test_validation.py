"""What validation makes of copies, and which translations it shows."""

import logging
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from mass_plugins.data.languages import Direction
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.objectives.unsupervised_translation.back_translation import BackTranslator
from mass_plugins.objectives.unsupervised_translation.validation import Samples, ValidationTranslator
from mass_plugins.scoring.bleu import BleuStatistics

PAD, EOS, SIZE = 1, 2, 30
LANGUAGES = ["de", "en"]
VOCABULARY = Vocabulary(mask=4, pad=PAD, eos=EOS, ordinary=np.arange(5, SIZE))
FORWARD = Direction("de", "en")


@dataclass(frozen=True)
class ThereAndBack(BackTranslator):
    """Turns every sentence but the first ``copied`` ones around, and back again."""

    copied: int = 0

    def translate(self, model, tokens, source, target, **how):
        tokens = tokens.clone()
        for row, length in zip(tokens[self.copied :], tokens[self.copied :].ne(PAD).sum(dim=1).tolist()):
            row[: length - 1] = row[: length - 1].flip(0)
        return tokens, tokens.ne(PAD).sum(dim=1)


def texts(tokens, language, escape_unk):
    return [" ".join(f"{language}{token}" for token in row.tolist() if token not in (PAD, EOS)) for row in tokens]


def batch_of(ids, source, target):
    """German text that was written for the direction back, en-de; or pairs with another source."""
    tokens = torch.stack([torch.tensor([5 + one % 20, 6, 7, 8, 9, 10, EOS, PAD]) for one in ids])
    net_input = {
        "src_tokens": tokens + (tokens > EOS),
        "source_language": torch.full((len(ids),), LANGUAGES.index(source)),
        "target_language": torch.full((len(ids),), LANGUAGES.index(target)),
    }
    return {"id": torch.tensor(ids), "net_input": net_input, "target": tokens}


def make(number=2, copied=0, with_bleu=True):
    translator = ThereAndBack(VOCABULARY, 1.3, 5, copied=copied)
    return ValidationTranslator(
        LANGUAGES, VOCABULARY, translator, texts if with_bleu else None, Samples(number, seed=1)
    )


@pytest.mark.parametrize("copied", [0, 1, 5])
def test_a_round_trip_by_a_copy_counts_as_empty(copied):
    batch = batch_of(range(8), "en", "de")
    pairs, forward, counts, bleu = make(copied=copied).round_trip(batch, None, torch.ones(2, SIZE, dtype=torch.long))
    real = texts(batch["target"], "de", True)
    assert forward == FORWARD and counts.copies == copied
    assert bleu == BleuStatistics.from_sentences([""] * copied + real[copied:], real)
    assert pairs["target"] is batch["target"] and not pairs["net_input"]["src_tokens"][-1].equal(batch["target"][-1])


def test_without_bleu_nothing_is_written():
    validation = make(with_bleu=False)
    trip = validation.round_trip(batch_of(range(3), "en", "de"), None, torch.ones(2, SIZE, dtype=torch.long))
    assert trip.bleu == BleuStatistics.empty() and trip.counts.sentences == 3 and not validation.samples.kept


def logged(validation, caplog):
    caplog.clear()
    with caplog.at_level(logging.INFO):
        validation.samples.log()
    return [record.getMessage() for record in caplog.records]


def test_the_same_sentences_are_shown_however_they_are_batched(caplog):
    """Short sentences come first in a validation; those shown are from all over."""
    ones, shown = torch.ones(2, SIZE, dtype=torch.long), []
    for sizes in ([20], [5, 15], [1, 9, 10]):
        validation, start = make(), 0
        for size in sizes:
            validation.round_trip(batch_of(range(start, start + size), "en", "de"), None, ones)
            start += size
        shown.append(logged(validation, caplog))
        assert not logged(validation, caplog)
    assert shown[0] == shown[1] == shown[2] and len(shown[0]) == 2
    source, translation, back = (part.split(": ")[1].split() for part in shown[0][0].split(" | "))
    assert source == back and translation == [word.replace("de", "en") for word in reversed(source)]
    assert not all(line.startswith(("de: de5 ", "de: de6 ")) for line in shown[0])


def test_pairs_are_shown_with_their_references(caplog):
    validation = make(number=3)
    direction, bleu = validation.translate_pairs(batch_of(range(9), "de", "en"), None)
    lines = logged(validation, caplog)
    assert direction == FORWARD and len(lines) == 3 and bleu.sys_len == 9 * 6
    for line in lines:
        parts = dict(part.split(": ") for part in line.split(" | "))
        assert list(parts) == ["de", "en", "reference"]
        assert parts["reference"].replace("en", "de") != parts["de"] and "reference" not in parts["reference"]
