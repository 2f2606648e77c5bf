"""Validation gives the score that `evaluate sts` gives."""

import random

import pytest
import torch

from mass_plugins.encoding.encoder import Encoder
from mass_plugins.encoding.loading import VectorSettings
from mass_plugins.encoding.running import Running
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderTinyConfig
from mass_plugins.modules.pooling import POOLINGS
from mass_plugins.objectives.mirror_bert.settings import MirrorSettings
from mass_plugins.objectives.mirror_bert.validation import SimilarityDataset, similarity_logs
from mass_plugins.scoring.similarity import evaluate
from mass_plugins.scoring.similarity_sets import read_file
from tests import tiny_encoder

SMALL = {"encoder_layers": 1, "encoder_embed_dim": 8, "encoder_ffn_embed_dim": 8, "encoder_attention_heads": 2}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_same_as_evaluation(pooling, tmp_path):
    """Texts that are cut, empty after cleaning, or hold the padding's symbol, too."""
    draw, path = random.Random(1), tmp_path / "pairs.tsv"
    lines = tiny_encoder.sentences(60, "validation")
    lines = [line.replace(" ", " [PAD] ", 2) if number % 3 == 0 else line for number, line in enumerate(lines)]
    lines[7:9] = ["schlau " * 40, "\u200b"]
    path.write_text("".join(f"{draw.random() * 5:.2f}\t{a}\t{b}\n" for a, b in zip(lines, lines[1:])))
    torch.manual_seed(1)
    text = tiny_encoder.make_text()
    model = TextEncoder(TextEncoderTinyConfig(**SMALL, max_positions=32), len(text.dictionary), text.dictionary.pad())
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    dataset = SimilarityDataset([path], text, MirrorSettings(5, 0.04, 20, pooling), None)
    with torch.no_grad():
        logs = similarity_logs(dataset.collater([0]), model.eval(), pooling, text.vocabulary.pad)
    encoder = Encoder(model, text, VectorSettings(pooling, max_tokens=20), Running("cpu"))
    (score,) = evaluate(encoder.encode, [read_file(path)], samples=2).scores
    assert logs["_spearman"] == pytest.approx(score.spearman, abs=0.02) and logs["sample_size"] == 1
