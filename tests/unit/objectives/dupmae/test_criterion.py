"""The parts' sums and denominators: in the loss, over several batches, in what is logged."""

import numpy as np
import pytest
import torch
from fairseq import metrics

from mass_plugins.models.dupmae import DupMae, DupMaeConfig
from mass_plugins.objectives.dupmae.criterion import DupMaeCriterion
from tests.unit.objectives.dupmae.test_dataset import PAD, SIZE, make_batch

PARTS = ("encoder", "decoder", "bow")


@pytest.fixture
def model():
    torch.manual_seed(1)
    shape = dict(encoder_layers=1, encoder_embed_dim=8, encoder_ffn_embed_dim=8, encoder_attention_heads=2)
    return DupMae(DupMaeConfig(**shape, max_positions=8), SIZE, PAD).eval()


def test_the_loss_is_the_weighted_sum_of_means(model):
    """Of 3 masked tokens, 7 ordinary ones, and the 2 texts that give words back; it counts once for each of 4 texts."""
    batch = make_batch("unmasked")
    parts = DupMaeCriterion(None, 1.0, 1.0).losses(model, batch)
    encoder, decoder, bow = (float(part) for part in (parts.encoder.loss, parts.decoder.loss, parts.bow))
    loss, size, logged = DupMaeCriterion(None, 0.6, 0.3)(model, batch)
    total = encoder / 3 + 0.6 * decoder / 7 + 0.3 * bow / 2
    assert size == 4 and loss.item() == pytest.approx(4 * total, rel=1e-5)
    assert [logged[f"{part}_count"] for part in PARTS] == [3, 7, 2]
    assert [float(logged[f"{part}_loss"]) for part in PARTS] == pytest.approx([encoder, decoder, bow], rel=1e-5)
    assert (logged["nsentences"], logged["sample_size"], logged["ntokens"]) == (4, 4, 3)


@pytest.mark.parametrize("part", ["decoder", "bow"])
def test_the_encoder_learns_from_each_part(model, part):
    """The decoder's loss reaches it by the sentence vector alone: its memory are embeddings."""
    losses = DupMaeCriterion(None, 1.0, 1.0).losses(model, make_batch("unmasked"))
    (losses.decoder.loss if part == "decoder" else losses.bow).backward()
    assert all(parameter.grad.abs().max() > 1e-6 for parameter in model.layers[0].fc1.parameters())


def test_what_is_logged_of_several_batches():
    """In bits, each part by its own denominator."""
    logs = [
        {"loss": 8.0, "sample_size": 4, "encoder_loss": 6.0, "encoder_count": 3, "decoder_loss": 14.0,
         "decoder_count": 7, "bow_loss": 5.0, "bow_count": 2, "encoder_correct": 1, "decoder_correct": 5},
        {"loss": 1.0, "sample_size": 2, "encoder_loss": 1.0, "encoder_count": 5, "decoder_loss": 3.0,
         "decoder_count": 3, "bow_loss": 1.0, "bow_count": 2, "encoder_correct": 2, "decoder_correct": 1},
    ]  # fmt: skip
    with metrics.aggregate() as told:
        DupMaeCriterion.reduce_metrics(logs)
    bits = {"loss": 9 / 6, "encoder_loss": 7 / 8, "decoder_loss": 17 / 10, "bow_loss": 6 / 4}
    for name, nats in bits.items():
        assert told.get_smoothed_value(name) == pytest.approx(nats / np.log(2), abs=5e-4)
    assert told.get_smoothed_value("encoder_accuracy") == pytest.approx(100 * 3 / 8)
    assert told.get_smoothed_value("decoder_accuracy") == pytest.approx(100 * 6 / 10)
