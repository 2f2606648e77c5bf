"""Checkpoints of ``retrieval_finetuning`` and ``relevance_finetuning`` -> texts represented, pairs scored."""

import os
from typing import Any, Iterator, Optional, Sequence

import numpy as np
import torch

from mass_plugins.data.collate import batches_by_length, pad_right
from mass_plugins.data.retrieval_groups import join_pair
from mass_plugins.data.text_files import digest
from mass_plugins.encoding.loading import Checkpoint
from mass_plugins.encoding.running import Running
from mass_plugins.errors import InputError
from mass_plugins.models.retriever import CrossEncoder, Retriever, RetrieverConfig
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderConfig
from mass_plugins.retrieval.representations import Parts


class _Model:
    """What both kinds share: lengths as in training, batches of like length."""

    TASK: str
    OWN: str  # an option or a weight that the task's checkpoints alone have
    MODEL: type[TextEncoder]
    OPTIONS: type[TextEncoderConfig]

    def __init__(self, path: str | os.PathLike, data=None, running: Optional[Running] = None):
        found = Checkpoint.read(path, data)
        if self.OWN not in found.weights and self.OWN not in found.options:
            raise InputError(f"{found.path} is a text encoder of another task; give a checkpoint of {self.TASK}")
        self.path, self.text, self.running = found.path, found.text, running or Running()
        self.model: Any = self.running.place(found.build(self.MODEL, self.OPTIONS))
        task = found.task_options
        self.query_tokens, self.passage_tokens = int(task["query_tokens"]), int(task["passage_tokens"])

    def set_lengths(self, query_tokens: Optional[int], passage_tokens: Optional[int]) -> None:
        """Others than in training, where they aren't None.

        Raises:
            InputError: the model has fewer positions.
        """
        limit = self.model.max_positions()
        for flag, tokens in (("--query-tokens", query_tokens), ("--passage-tokens", passage_tokens)):
            if tokens is not None and not 3 <= tokens <= limit:
                raise InputError(f"{flag} {tokens} is not between 3 and the model's {limit} positions")
        self.query_tokens = query_tokens or self.query_tokens
        self.passage_tokens = passage_tokens or self.passage_tokens

    def batches(self, rows: Sequence[np.ndarray]) -> Iterator[tuple[list[int], torch.Tensor]]:
        """(numbers of rows, their tokens) of batch after batch, the longest first."""
        for numbers in batches_by_length(list(map(len, rows)), self.running.batch_tokens):
            tokens, _ = pad_right([rows[number] for number in numbers], self.text.vocabulary.pad)
            yield numbers, torch.from_numpy(tokens).to(self.running.device)

    def fingerprint(self) -> str:
        """Of the checkpoint's bytes: what was represented by another one can't be compared."""
        return digest(self.path)


class RetrieverModel(_Model):
    """Texts -> representations, as files hold them."""

    TASK, OWN = "retrieval_finetuning", "representation"
    MODEL, OPTIONS = Retriever, RetrieverConfig

    def keep(self, part: str) -> None:
        """Represent by ``cls`` or ``ot`` alone from now on.

        Raises:
            InputError: the retriever hasn't both.
        """
        if self.model.representation not in (part, "both"):
            raise InputError(f"--parts {part}: {self.path} represents texts by {self.model.representation} alone")
        self.model.representation = part

    @torch.inference_mode()
    def represent(self, texts: Sequence[str], role: str) -> Parts:
        """Raw texts -> their parts, float32, in their order; one without a word has a vector and no entries."""
        limit = self.query_tokens if role == "queries" else self.passage_tokens
        rows = self.text.encode(texts, min(limit, self.model.max_positions()))
        found: dict[str, np.ndarray] = {}
        for numbers, tokens in self.batches(rows):
            with self.running.autocast():
                batch = self.model(tokens, role=role)
            parts = {"cls": batch.cls, "entries": batch.entries}
            parts["values" if role == "documents" else "dense"] = batch.values
            for name, part in parts.items():
                if part is not None:
                    array = part.cpu().numpy() if name == "entries" else part.float().cpu().numpy()
                    found.setdefault(name, np.empty((len(rows), array.shape[1]), array.dtype))[numbers] = array
        return Parts(**found)


class CrossEncoderModel(_Model):
    """Pairs of texts -> relevance."""

    TASK, OWN = "relevance_finetuning", "relevance.weight"
    MODEL, OPTIONS = CrossEncoder, TextEncoderConfig

    @torch.inference_mode()
    def score(self, queries: Sequence[str], passages: Sequence[str]) -> np.ndarray:
        """(N,) float32 of N pairs."""
        limit = min(self.query_tokens + self.passage_tokens - 1, self.model.max_positions())
        left, right = self.text.encode(queries, self.query_tokens), self.text.encode(passages, self.passage_tokens)
        rows = [join_pair(query, passage, limit) for query, passage in zip(left, right)]
        scores = np.empty(len(rows), dtype=np.float32)
        for numbers, tokens in self.batches(rows):
            with self.running.autocast():
                scores[numbers] = self.model(tokens).cpu().numpy()
        return scores
