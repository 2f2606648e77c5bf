"""Checkpoints of ``retrieval_finetuning`` and ``relevance_finetuning`` -> texts represented, pairs scored."""

import os
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Optional, Sequence

import numpy as np
import torch
from fairseq import checkpoint_utils

from mass_plugins.data.collate import batches_by_length, pad_right
from mass_plugins.data.retrieval_groups import join_pair
from mass_plugins.data.text_files import digest
from mass_plugins.devices import choose_device, tokens_at_once
from mass_plugins.encoding.loading import load_model
from mass_plugins.errors import InputError
from mass_plugins.models.retriever import CrossEncoder, Retriever, RetrieverConfig
from mass_plugins.models.text_encoder import TextEncoderConfig
from mass_plugins.modules.prepacked_linear import prepacked
from mass_plugins.retrieval.representations import Parts


@dataclass
class Running:
    """Where and how a model computes.

    Attributes:
        device: None: a GPU if there is one.
        dtype: ``float32``, ``bfloat16`` or, on a GPU, ``float16``.
        batch_tokens: padding included, at once; 0: as many as the device is fast with.
    """

    device: Optional[str] = None
    dtype: str = "float32"
    batch_tokens: int = 0

    def __post_init__(self):
        device = choose_device(self.device, getattr(torch, self.dtype))
        self.device = str(device)
        self.batch_tokens = self.batch_tokens or tokens_at_once(device)

    def autocast(self):
        if self.dtype == "float32":
            return nullcontext()
        return torch.autocast(torch.device(str(self.device)).type, getattr(torch, self.dtype))


class _Model:
    """What both kinds share: lengths as in training, batches of like length."""

    TASK = ""

    def __init__(self, path, data, build: Callable[[dict, int, int], Any], running: Running, wanted: str):
        loaded = load_model(path, data)
        state = checkpoint_utils.load_checkpoint_to_cpu(str(loaded.path))
        self.path, self.text, self.running = loaded.path, loaded.text, running
        if wanted not in state["model"] and wanted not in state["cfg"]["model"]:
            raise InputError(f"{loaded.path} is a text encoder of another task; give a checkpoint of {self.TASK}")
        size = len(loaded.text.dictionary)
        self.model = build(state["cfg"]["model"], size, loaded.text.vocabulary.pad)
        self.model.load_state_dict(state["model"], strict=True)
        self.model.to(running.device).eval()
        if torch.device(str(running.device)).type == "cpu" and running.dtype == "float32":
            self.model = prepacked(self.model)
        task = state["cfg"]["task"]
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

    TASK = "retrieval_finetuning"

    def __init__(self, path: str | os.PathLike, data=None, running: Optional[Running] = None):
        def build(options: dict, size: int, pad: int) -> Retriever:
            names = RetrieverConfig.__dataclass_fields__
            return Retriever(RetrieverConfig(**{n: options[n] for n in names if n in options}), size, pad)

        super().__init__(path, data, build, running or Running(), "representation")

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

    TASK = "relevance_finetuning"

    def __init__(self, path: str | os.PathLike, data=None, running: Optional[Running] = None):
        def build(options: dict, size: int, pad: int) -> CrossEncoder:
            names = TextEncoderConfig.__dataclass_fields__
            return CrossEncoder(TextEncoderConfig(**{n: options[n] for n in names if n in options}), size, pad)

        super().__init__(path, data, build, running or Running(), "relevance.weight")

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
