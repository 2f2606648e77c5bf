"""Texts -> vectors, in batches of equal length: ``mass_plugins.load_encoder(path).encode([...])``."""

import os
from typing import Iterable, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from mass_plugins.data.collate import batches_by_length, pad_right
from mass_plugins.data.encoder_text import EncoderText, TextCounts
from mass_plugins.data.streams import cut
from mass_plugins.encoding.loading import VectorSettings, load_model
from mass_plugins.encoding.running import Running
from mass_plugins.models.text_encoder import TextEncoder
from mass_plugins.modules.pooling import pool, real_slots


class Encoder:
    """A trained encoder with its text pipeline.

    Args:
        settings: how vectors are made.
        running: where they are computed, and how.
        projection: (d, D), what a retriever makes its vectors by; None: they stay as they are pooled.
        similarity: what compares its vectors, ``cosine`` or, as retrievers are trained, ``dot``.
    """

    def __init__(
        self,
        model: TextEncoder,
        text: EncoderText,
        settings: VectorSettings,
        running: Running,
        projection: Optional[Tensor] = None,
        similarity: str = "cosine",
    ):
        self.model, self.text, self.running, self._inference = model, text, running, running.place(model)
        self.settings, self.similarity = settings, similarity
        self.projection = None if projection is None else projection.to(running.device, torch.float32)
        self.max_tokens = settings.max_tokens or model.max_positions()

    @property
    def dim(self) -> int:
        """Size D of a vector."""
        return self.model.output_weight.shape[1] if self.projection is None else self.projection.shape[0]

    def encode(self, lines: Iterable[str], language: Optional[str] = None) -> np.ndarray:
        """Raw lines -> float32 (N, D), in their order. Long ones are cut; an empty one has a vector, too.

        Args:
            language: of text that prepare.py's sub-words clean by language.

        Raises:
            InputError: one line alone, an item that is no text or has half a surrogate pair in it, a language that
                means nothing to the text pipeline.
        """
        return self.encode_and_count(lines, language)[0]

    def encode_and_count(self, lines: Iterable[str], language: Optional[str] = None) -> tuple[np.ndarray, TextCounts]:
        """As :meth:`encode`, and how many texts were cut, how many tokens unknown."""
        self.text.check_language(language)
        rows = self.text.encode(lines, language=language)
        counts = self.text.count(rows)._replace(cut=sum(len(row) > self.max_tokens for row in rows))
        rows = [cut(row, self.max_tokens) for row in rows]
        vectors = np.empty((len(rows), self.dim), dtype=np.float32)
        found = [(numbers, self._vectors([rows[n] for n in numbers])) for numbers in self._batches(rows)]
        for numbers, batch in found:  # fetched in the end: a GPU goes on while the next batch is padded
            vectors[numbers] = batch.cpu().numpy()
        return vectors, counts

    def _batches(self, rows: Sequence[np.ndarray]) -> list[list[int]]:
        """Numbers of rows of like length, the longest first."""
        fixed = self.settings.pooling == "mean_with_padding"
        return batches_by_length([self.max_tokens if fixed else len(row) for row in rows], self.running.batch_tokens)

    @torch.inference_mode()
    def _vectors(self, rows: Sequence[np.ndarray]) -> Tensor:
        pad = self.text.vocabulary.pad
        tokens, _ = pad_right(rows, pad)
        if self.settings.pooling == "mean_with_padding":  # at a fixed length, or neighbours would change a vector
            tokens = np.pad(tokens, ((0, 0), (0, self.max_tokens - tokens.shape[1])), constant_values=pad)
        batch = torch.from_numpy(tokens).to(self.running.device)
        with self.running.autocast():
            hidden = self._inference(batch)
        vectors = pool(hidden.float(), real_slots(batch, pad), self.settings.pooling)
        if self.projection is not None:
            vectors = torch.nn.functional.linear(vectors, self.projection)
        return torch.nn.functional.normalize(vectors, dim=-1) if self.settings.normalize else vectors


def load_encoder(
    path: str | os.PathLike,
    pooling: Optional[str] = None,
    normalize: Optional[bool] = None,
    max_tokens: Optional[int] = None,
    data: Optional[str | os.PathLike] = None,
    device: Optional[str] = None,
    dtype: Optional[str] = None,
    batch_tokens: Optional[int] = None,
) -> Encoder:
    """Load a text encoder.

    Args:
        path: a checkpoint of one, trained here or imported, or its folder.
        pooling: ``cls``, ``mean`` or ``mean_with_padding``; like the two that follow, by default as the checkpoint
            was trained or imported, else ``mean`` without normalization, cut at the model's positions. A retriever's
            vectors are projected as it was trained, too.
        normalize: make vectors of unit length.
        max_tokens: cut longer texts, CLS and SEP counted.
        data: folder of the tokenizer; default the checkpoint's own, else the one that it was trained on.
        device: default ``cuda`` if there is one, else ``cpu``.
        dtype: precision, ``float32``, ``bfloat16`` or, on a GPU, ``float16``.
        batch_tokens: tokens, padding included, that are computed at once; default 1000 on a CPU, 8000 on a GPU.

    Raises:
        InputError: no such file, a broken or foreign checkpoint, a tokenizer that doesn't fit.
    """
    running = Running(device, dtype, batch_tokens)
    loaded = load_model(path, data)
    settings = loaded.vector_settings(pooling, normalize, max_tokens)
    similarity = "dot" if loaded.representation else "cosine"
    return Encoder(loaded.model, loaded.text, settings, running, loaded.projection, similarity)
