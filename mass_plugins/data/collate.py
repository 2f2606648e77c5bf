"""The batch contract of all sequence-to-sequence objectives, and the only place that builds it.

``net_input``
    ``src_tokens (B, S)``, ``src_lengths (B,)``, ``prev_output_tokens (B, T)``, all right-padded int64;
    ``positions (B, T)``, zero-based: the slot that each decoder token has in fine-tuning's decoder input
    ``</s>, x_0, x_1, ..``; absent when the decoder sees the whole sentence, whose slots are 0 .. T-1;
    ``encoder_slots (B, K)``, of the pre-training with BERT and a language model alone: slots of the source whose tokens
    the encoder predicts; ``target`` is then (B, K + T), theirs first, and the decoder doesn't see the source;
    ``source_language (B,)`` and ``target_language (B,)``, indices into the task's languages.
``target (B, T)``
    padding where nothing is predicted.
``ntokens``
    real targets, the loss's denominator. ``nsentences`` = B, ``id (B,)``.
"""

from typing import NamedTuple, Optional, Sequence

import numpy as np
import torch


class Seq2SeqArrays(NamedTuple):
    """One batch as arrays; ``positions`` is None where they are simply 0 .. T-1, ``encoder_slots`` where the encoder
    predicts nothing; where it does, ``target`` is (B, K + T)."""

    source: np.ndarray  # (B, S) int64
    source_lengths: np.ndarray  # (B,) int64
    prev_output: np.ndarray  # (B, T) int64
    target: np.ndarray  # (B, T) int64
    positions: Optional[np.ndarray] = None  # (B, T) int64
    encoder_slots: Optional[np.ndarray] = None  # (B, K) int64


def batches_by_length(lengths: Sequence[int], max_tokens: int, longest_first: bool = True) -> list[list[int]]:
    """Numbers of rows of like length, in batches of at most ``max_tokens`` with padding; a longer row is one alone."""
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number] if longest_first else lengths[number])
    batches: list[list[int]] = []
    for number in order:
        if not batches or (len(batches[-1]) + 1) * max(lengths[batches[-1][0]], lengths[number]) > max_tokens:
            batches.append([])
        batches[-1].append(number)
    return batches


def pad_right(rows: Sequence[np.ndarray], pad_index: int, least: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of different lengths -> tokens (B, S) int64, S at least ``least``, and lengths (B,) int64."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    tokens = np.full((len(rows), max(int(lengths.max()), least)), pad_index, dtype=np.int64)
    tokens[np.arange(tokens.shape[1]) < lengths[:, None]] = np.concatenate(rows)
    return tokens, lengths


def shift_right(tokens: np.ndarray, eos_index: int) -> np.ndarray:
    """``x_0 .. x_{L-1}`` -> ``</s>, x_0 .. x_{L-2}``: what the decoder reads when it predicts ``x``.

    Rows shorter than the batch keep their ``</s>`` at slot L, where nothing is predicted.
    """
    shifted = np.empty_like(tokens)
    shifted[:, 0] = eos_index
    shifted[:, 1:] = tokens[:, :-1]
    return shifted


def to_batch(
    arrays: Seq2SeqArrays,
    ids: np.ndarray,
    source_languages: np.ndarray,
    target_languages: np.ndarray,
    pad_index: int,
) -> dict:
    """Arrays and each row's languages, (B,) int64 -> the batch that fairseq's trainer carries to the model."""
    net_input = {
        "src_tokens": torch.from_numpy(arrays.source),
        "src_lengths": torch.from_numpy(arrays.source_lengths),
        "prev_output_tokens": torch.from_numpy(arrays.prev_output),
        "source_language": torch.from_numpy(source_languages),
        "target_language": torch.from_numpy(target_languages),
    }
    if arrays.positions is not None:
        net_input["positions"] = torch.from_numpy(arrays.positions)
    if arrays.encoder_slots is not None:
        net_input["encoder_slots"] = torch.from_numpy(arrays.encoder_slots)
    return {
        "id": torch.from_numpy(np.asarray(ids, dtype=np.int64)),
        "nsentences": len(arrays.source),
        "ntokens": int((arrays.target != pad_index).sum()),
        "net_input": net_input,
        "target": torch.from_numpy(arrays.target),
    }
