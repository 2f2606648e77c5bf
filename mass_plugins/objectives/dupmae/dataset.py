"""Text with both masks: streams of several languages as one fairseq dataset.

The batch: ``net_input`` holds ``src_tokens (B, S)``, masked, and ``src_lengths (B,)``; ``text (B, S)`` the tokens as
they are; ``masked_slots`` and ``ordinary_slots (N,)``, slots of the flattened batch that the encoder and the decoder
predict; ``seen (B, N, S)`` and ``of_row (B, S)`` the decoder's patterns; ``bow_positions (B, S)`` bool, where the
maximum is taken; ``bow_rows``, ``bow_tokens``, ``bow_shares (M,)`` the words that a text gives back.
"""

import numpy as np
import torch

from mass_plugins.data.dupmae_masking import DupMaeArrays
from mass_plugins.data.masked_text import MaskedTextDataset

BOW_POSITIONS = ("unmasked", "all_but_cls")
BOW_TARGETS = ("mean", "sum", "counts")


def bag_targets(text: np.ndarray, ordinary: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct ordinary tokens of each text: rows, tokens (M,) int64 and shares (M,) float32.

    Args:
        how: ``mean``: 1 / distinct tokens; ``sum``: 1, the paper's; ``counts``: occurrences / tokens, the release's.
    """
    rows, slots = np.nonzero(ordinary)
    span = int(text.max(initial=0)) + 1
    found, counts = np.unique(rows * span + text[rows, slots], return_counts=True)
    rows, tokens = found // span, found % span
    if how == "sum":
        shares = np.ones(len(found))
    elif how == "counts":
        shares = counts / np.bincount(rows, counts, minlength=len(text))[rows]
    else:
        shares = 1 / np.bincount(rows, minlength=len(text))[rows]
    return rows, tokens, shares.astype(np.float32)


class DupMaeDataset(MaskedTextDataset):
    """A mixture of text with both masks.

    Args:
        bow_positions, bow_targets: see :func:`to_dupmae_batch`.
    """

    def __init__(self, *args, bow_positions: str = "unmasked", bow_targets: str = "mean", **kwargs):
        super().__init__(*args, **kwargs)
        self.bow_positions, self.bow_targets = bow_positions, bow_targets

    def to_batch(self, arrays: DupMaeArrays, ids: np.ndarray, streams) -> dict:  # type: ignore[override]
        return to_dupmae_batch(arrays, ids, self.bow_positions, self.bow_targets)


def to_dupmae_batch(arrays: DupMaeArrays, ids: np.ndarray, bow_positions: str, bow_targets: str) -> dict:
    """Arrays -> the batch that fairseq's trainer carries to the model.

    Args:
        bow_positions: ``unmasked``: ordinary tokens that the encoder read as they are (the paper); ``all_but_cls``:
            every position but ``[CLS]``, masked ones and ``[SEP]`` included (the release).
        bow_targets: see :func:`bag_targets`.
    """
    slots = np.arange(arrays.text.shape[1])
    positions: np.ndarray = (slots > 0) & (slots < arrays.lengths[:, None])
    if bow_positions == "unmasked":
        positions = arrays.ordinary & ~arrays.masked
    rows, tokens, shares = bag_targets(arrays.text, arrays.ordinary, bow_targets)
    kept = positions.sum(axis=1)[rows] > 0  # a text of one word, which is masked, has nothing to give it back from
    tensors = {
        "text": arrays.text,
        "masked_slots": np.flatnonzero(arrays.masked),
        "ordinary_slots": np.flatnonzero(arrays.ordinary),
        "seen": arrays.patterns.seen,
        "of_row": arrays.patterns.of_row,
        "bow_positions": positions,
        "bow_rows": rows[kept],
        "bow_tokens": tokens[kept],
        "bow_shares": shares[kept],
    }
    return {
        "id": torch.from_numpy(ids),
        "nsentences": len(ids),
        "ntokens": len(tensors["masked_slots"]),
        "net_input": {
            "src_tokens": torch.from_numpy(arrays.source),
            "src_lengths": torch.from_numpy(arrays.lengths),
        },
        **{name: torch.from_numpy(array) for name, array in tensors.items()},
    }
