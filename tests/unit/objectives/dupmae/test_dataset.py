"""From hidden text to a batch, by hand: where the maximum is taken, what a text gives back, texts of a word or none."""

import numpy as np
import pytest
import torch

from mass_plugins.data.dupmae_masking import DupMaeArrays, sample_patterns
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.models.dupmae import DupMae, DupMaeConfig
from mass_plugins.objectives.dupmae.criterion import DupMaeCriterion
from mass_plugins.objectives.dupmae.dataset import BOW_POSITIONS, bag_targets, to_dupmae_batch

PAD, CLS, SEP, MASK, SIZE = 0, 1, 2, 3, 20
TEXTS = [[CLS, 7, 9, 7, 12, SEP], [CLS, 8, SEP], [CLS, SEP], [CLS, 5, 9, SEP]]
MASKED = {0: [3], 1: [1], 3: [2]}  # slots of each text; the second one's only word is masked


def make_arrays() -> DupMaeArrays:
    lengths = np.array(list(map(len, TEXTS)))
    text = np.array([row + [PAD] * (6 - len(row)) for row in TEXTS])
    masked = np.zeros(text.shape, dtype=bool)
    for row, slots in MASKED.items():
        masked[row, slots] = True
    patterns = sample_patterns(lengths, 0.5, sentence_keys(1, 1, np.arange(4)))
    return DupMaeArrays(np.where(masked, MASK, text), text, lengths, masked, text >= 5, patterns)


def make_batch(bow_positions: str, bow_targets: str = "mean") -> dict:
    return to_dupmae_batch(make_arrays(), np.array([40, 41, 42, 43]), bow_positions, bow_targets)


def test_slots_and_the_rest_of_a_batch():
    arrays, batch = make_arrays(), make_batch("unmasked")
    assert batch["masked_slots"].tolist() == [3, 6 + 1, 18 + 2]
    assert batch["ordinary_slots"].tolist() == [1, 2, 3, 4, 6 + 1, 18 + 1, 18 + 2]
    assert (batch["text"].numpy() == arrays.text).all() and batch["id"].tolist() == [40, 41, 42, 43]
    assert (batch["net_input"]["src_tokens"].numpy() == arrays.source).all()
    assert batch["net_input"]["src_lengths"].tolist() == [6, 3, 2, 4]
    assert (batch["nsentences"], batch["ntokens"]) == (4, 3)
    assert (batch["seen"].numpy() == arrays.patterns.seen).all()
    assert (batch["of_row"].numpy() == arrays.patterns.of_row).all()


def test_the_maximum_is_over_words_that_the_encoder_read():
    """The paper's default: not [CLS], [SEP] and padding, nor what is masked."""
    places = make_batch("unmasked")["bow_positions"].nonzero().tolist()
    assert places == [[0, 1], [0, 2], [0, 4], [3, 1]]
    everywhere = make_batch("all_but_cls")["bow_positions"].nonzero().tolist()
    assert everywhere == [[0, n] for n in (1, 2, 3, 4, 5)] + [[1, 1], [1, 2], [2, 1]] + [[3, n] for n in (1, 2, 3)]


def test_a_text_whose_only_word_is_masked_has_nothing_to_give_back():
    """Nor has one without a word; with all positions but [CLS] the masked one gives it back itself."""
    found = {how: make_batch(how) for how in BOW_POSITIONS}
    assert found["unmasked"]["bow_rows"].tolist() == [0, 0, 0, 3, 3]
    assert found["unmasked"]["bow_tokens"].tolist() == [7, 9, 12, 5, 9]
    assert found["unmasked"]["bow_shares"].tolist() == pytest.approx([1 / 3] * 3 + [1 / 2] * 2)
    assert found["all_but_cls"]["bow_rows"].tolist() == [0, 0, 0, 1, 3, 3]
    assert found["all_but_cls"]["bow_tokens"].tolist() == [7, 9, 12, 8, 5, 9]


@pytest.mark.parametrize("how, shares", [
    ("mean", [1 / 3, 1 / 3, 1 / 3, 1, 1 / 2, 1 / 2]),
    ("sum", [1, 1, 1, 1, 1, 1]),
    ("counts", [2 / 4, 1 / 4, 1 / 4, 1, 1 / 2, 1 / 2]),
])  # fmt: skip
def test_what_each_word_counts(how, shares):
    arrays = make_arrays()
    rows, tokens, found = bag_targets(arrays.text, arrays.ordinary, how)
    assert rows.tolist() == [0, 0, 0, 1, 3, 3] and tokens.tolist() == [7, 9, 12, 8, 5, 9]
    assert found.tolist() == pytest.approx(shares) and found.dtype == np.float32
    assert make_batch("all_but_cls", how)["bow_shares"].tolist() == pytest.approx(shares)
    nothing = bag_targets(arrays.text[2:3], arrays.ordinary[2:3], how)
    assert [len(part) for part in nothing] == [0, 0, 0]


@pytest.mark.parametrize("how, texts", [("unmasked", 2), ("all_but_cls", 3)])
def test_the_loss_counts_the_texts_that_give_words_back(how, texts):
    torch.manual_seed(1)
    shape = dict(encoder_layers=1, encoder_embed_dim=8, encoder_ffn_embed_dim=8, encoder_attention_heads=2)
    model = DupMae(DupMaeConfig(**shape, max_positions=8), SIZE, PAD).eval()
    batch = make_batch(how)
    found = DupMaeCriterion(None, 1.0, 1.0).losses(model, batch)
    assert (found.texts, found.decoder.tokens, found.encoder.tokens) == (texts, 7, 3)
    mu = model.bag_of_words(model(batch["net_input"]["src_tokens"]), batch["bow_positions"]).log_softmax(dim=1)
    rows = range(len(TEXTS)) if how == "all_but_cls" else (0, 3)
    expected = -sum(mu[n, sorted(set(TEXTS[n][1:-1]))].mean().item() for n in rows if len(TEXTS[n]) > 2)
    assert found.bow.item() == pytest.approx(expected, rel=1e-5)
