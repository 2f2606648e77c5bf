"""Monolingual text -> synthetic pairs, by the model itself (Sennrich et al. 2016; on the fly: Lample et al. 2018)."""

from dataclasses import dataclass
from typing import Iterator, Optional

import numpy as np
import torch
from torch import Tensor

from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.generation.batch_decoder import BatchDecoder, Sampling


@dataclass(frozen=True)
class BackTranslator:
    """Translates with the model that is being trained.

    Attributes:
        vocabulary: special ids.
        max_len_a, max_len_b: a translation has at most ``int(a * width of the batch + b)`` tokens.
        sampling: None is greedy, as MASS does it.
    """

    vocabulary: Vocabulary
    max_len_a: float
    max_len_b: int
    sampling: Optional[Sampling] = None

    def translate(
        self,
        model,
        tokens: Tensor,
        source: Tensor,
        target: Tensor,
        allowed: Optional[Tensor] = None,
        generator: Optional[torch.Generator] = None,
    ) -> tuple[Tensor, Tensor]:
        """Translate sentences, in evaluation mode, which is left on.

        Args:
            model: the ``MassTransformer``, not wrapped.
            tokens: (B, S) int64.
            source, target: (B,) int64, indices of the languages.
            allowed: (L, V) bool, tokens that may be written in each language.
            generator: of the draws.

        Returns:
            tokens (B, T) int64, right-padded, at least one and a ``</s>`` in each row, and lengths (B,).
        """
        model.eval()
        net_input = {
            "src_tokens": tokens,
            "src_lengths": tokens.ne(self.vocabulary.pad).sum(dim=1),
            "source_language": source,
            "target_language": target,
        }
        decoder = BatchDecoder(model, self.vocabulary.pad, self.vocabulary.eos)
        # what the decoder writes, </s> included, is to be a source
        max_len = min(int(self.max_len_a * tokens.shape[1] + self.max_len_b), model.encoder.max_positions() - 1)
        found = decoder.generate(net_input, max_len, sampling=self.sampling, generator=generator, allowed=allowed)
        return found.tokens, found.lengths

    def synthetic_pairs(self, model, batch: dict, **how) -> dict:
        """A batch of text -> the batch of pairs that teaches to translate its translation back.

        The batch that is given has the real sentences as ``target``, their language as
        ``target_language``, and as ``source_language`` the one to translate them into; it is not changed.
        """
        net_input = batch["net_input"]
        tokens, lengths = self.translate(
            model, batch["target"], net_input["target_language"], net_input["source_language"], **how
        )
        return {**batch, "net_input": {**net_input, "src_tokens": tokens, "src_lengths": lengths}}


def sampling_generator(seed: int, update: int, rank: int, turn: int, device: torch.device) -> torch.Generator:
    """The random state of one batch's sampling: of the run's seed, the update, the process, and the batch's
    turn in the update; the same after a resumed run, another on each rank."""
    key = sentence_keys(seed, update, np.array([rank * 2**32 + turn]))[0]
    return torch.Generator(device).manual_seed(int(key) >> 1)


def split_rows(batch: dict, max_tokens: Optional[int], pad: int) -> Iterator[dict]:
    """Cut a batch so that no part has more than ``max_tokens`` slots on its longer side, padding included.

    The losses of the parts, which are sums, and their numbers of targets add up to the batch's.
    """
    source, target = batch["net_input"]["src_tokens"], batch["target"]
    width = max(source.shape[1], target.shape[1])
    rows = max(1, max_tokens // width) if max_tokens else len(target)
    if rows >= len(target):
        yield batch
        return
    count = -(-len(target) // rows)
    order = batch["net_input"]["src_lengths"].argsort(stable=True)  # rows of a length together, for less padding
    for chosen in order.tensor_split(count):
        yield _take(batch, chosen, pad)


def _take(batch: dict, rows: Tensor, pad: int) -> dict:
    net_input = {name: value[rows] for name, value in batch["net_input"].items()}
    target = batch["target"][rows]
    net_input["src_tokens"] = _trim(net_input["src_tokens"], pad)
    width = _trim(target, pad).shape[1]
    for name in ("prev_output_tokens", "positions"):
        if name in net_input:
            net_input[name] = net_input[name][:, :width].contiguous()
    target = target[:, :width].contiguous()  # fairseq's criterions take views of it
    return {
        "id": batch["id"][rows],
        "nsentences": len(rows),
        "ntokens": int(target.ne(pad).sum()),
        "net_input": net_input,
        "target": target,
    }


def _trim(tokens: Tensor, pad: int) -> Tensor:
    """Without the columns at the end that are padding in each row."""
    return tokens[:, : int(tokens.ne(pad).any(dim=0).sum())].contiguous()
