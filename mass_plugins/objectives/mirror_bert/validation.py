"""Spearman's correlation on sets of scored pairs, in validation."""

from pathlib import Path
from typing import Optional, Sequence

import numpy as np
import torch
from fairseq import metrics
from fairseq.data import FairseqDataset
from torch import Tensor

from mass_plugins.data.collate import pad_right
from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.modules.pooling import pool, real_slots
from mass_plugins.objectives.mirror_bert.settings import MirrorSettings
from mass_plugins.scoring.similarity import cosines, spearman
from mass_plugins.scoring.similarity_sets import read_file

TEXTS = 128  # encoded at once, of similar lengths


class SimilarityDataset(FairseqDataset):
    """A set of pairs an item, a batch of its own: a rank correlation is of a whole set.

    Args:
        paths: files of scored pairs.
        text, language: how they are tokenized.
        settings: longest text; pooling.
    """

    def __init__(self, paths: Sequence[Path], text: EncoderText, settings: MirrorSettings, language: Optional[str]):
        self.sets = [read_file(path) for path in paths]
        self.padding, self.settings = text.dictionary.pad(), settings
        self.tokens = [text.encode([*pairs.first, *pairs.second], settings.max_tokens, language) for pairs in self.sets]
        self.sizes = np.ones(len(self.sets), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.sets)

    def __getitem__(self, index: int) -> int:
        return int(index)

    def collater(self, samples) -> dict:
        """One set: its texts as batches of similar lengths, and where each of their rows belongs."""
        if len(samples) == 0:
            return {}
        (index,) = samples
        rows = self.tokens[index]
        order = np.argsort([len(row) for row in rows], kind="stable")
        wide = self.settings.max_tokens if self.settings.pooling == "mean_with_padding" else 0
        batches = []
        for begin in range(0, len(order), TEXTS):
            tokens, _ = pad_right([rows[place] for place in order[begin : begin + TEXTS]], self.padding, wide)
            batches.append(torch.from_numpy(tokens))
        return {
            # fairseq's trainer opens validation before training and takes its first batch for the dummy of both
            "net_input": {"src_tokens": batches[0]},
            "texts": batches,
            "order": torch.from_numpy(order),
            "gold": torch.from_numpy(self.sets[index].gold),
            "nsentences": 1,
            "ntokens": int(sum(map(len, rows))),
        }

    def num_tokens(self, index: int) -> int:
        return 1

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        return self.sizes[indices]

    def size(self, index: int) -> int:
        return 1

    def filter_indices_by_size(self, indices, max_sizes):
        return indices, []

    def batch_by_size(self, indices, **limits) -> list:
        return [np.array([index]) for index in indices]


def similarity_logs(sample: dict, model, pooling: str, padding: int) -> dict:
    """Log entries of one set: Spearman's correlation times 100."""
    vectors = torch.cat([_encode(model, tokens, pooling, padding) for tokens in sample["texts"]])
    place = torch.argsort(sample["order"])
    first, second = vectors[place].cpu().numpy().reshape(2, -1, vectors.shape[1])
    correlation = float(spearman(cosines(first, second), sample["gold"].cpu().numpy()))
    return {"_spearman": correlation, "sample_size": 1, "nsentences": 1, "ntokens": sample["ntokens"]}


def _encode(model, tokens: Tensor, pooling: str, padding: int) -> Tensor:
    return pool(model(tokens), real_slots(tokens, padding), pooling).float()


def log_similarity(logging_outputs: Sequence[dict]) -> None:
    """``spearman``, the mean over sets; ``loss``, which fairseq asks for, is 100 less it."""
    sets = sum(log.get("sample_size", 0) for log in logging_outputs)
    if not sets:
        return
    mean = float(sum(log.get("_spearman", 0.0) for log in logging_outputs)) / sets
    metrics.log_scalar("loss", 100 - mean, sets, round=2)
    metrics.log_scalar("spearman", mean, sets, round=2)
