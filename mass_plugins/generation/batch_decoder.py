"""Greedy decoding and sampling of whole batches, made for back-translation: one hypothesis a sentence.

Source: the loop of Song et al. 2019 (section 4.2, as XLM's ``generate``); sampling by Edunov et al. 2018, top-k by
Fan et al. 2018, nucleus (top-p) by Holtzman et al. 2020. Where fairseq's ``SequenceGenerator`` at beam 1 would
find a sentence, greedy decoding in the same precision finds it, too.
"""

from dataclasses import dataclass
from typing import NamedTuple, Optional

import torch
from torch import Tensor

from mass_plugins.errors import InputError
from mass_plugins.generation.incremental_decoder import IncrementalDecoder

# Steps between two looks at how many rows are unfinished: on a GPU a look waits for all that was asked of it.
_STEPS_BETWEEN_LOOKS = {"cpu": 1, "cuda": 8}
# Finished rows are dropped when no more than this share is kept, for the cache is copied each time, and to a
# multiple of _ROWS: each new size of a matrix costs the CPU's half-precision library some milliseconds.
_SHARE_KEPT = 0.9
_ROWS = 16
_LEAST_TEMPERATURE = 1e-10  # far below, logits that are divided by it overflow


def check_temperature(temperature: float) -> None:
    """Raises InputError: logits can't be divided by it."""
    if not _LEAST_TEMPERATURE <= temperature < float("inf"):
        raise InputError(
            f"a sampling temperature of {temperature} is not finite and {_LEAST_TEMPERATURE} or more; "
            "1 draws as the model has it"
        )


def check_lengths(
    shortest: int, longest: float, positions: int, names: tuple[str, str] = ("min_len=", "max_len_b=")
) -> None:
    """Raise InputError if no text has at least ``shortest`` and at most ``longest`` sub-words, and no more than the
    decoder has ``positions`` for, one of which is that of ``</s>``. ``names``: what stands before either in a message.
    """
    least, most = names
    if shortest < 0:
        raise InputError(f"{least}{shortest} is below 0; set it to 0 or more")
    if shortest > positions - 1:
        raise InputError(f"{least}{shortest} exceeds the model's {positions - 1} positions for sub-words; lower it")
    if shortest > longest:
        raise InputError(f"{least}{shortest} exceeds {most}{longest:.0f}; lower the former or raise the latter")


@dataclass(frozen=True)
class Sampling:
    """Draw each token from the model instead of taking the likeliest.

    Attributes:
        temperature: divides the logits.
        topk: draw from the ``topk`` likeliest tokens alone; 0: from all.
        topp: draw from the smallest set of likeliest tokens that holds this share of probability; 1: from all.
    """

    temperature: float = 1.0
    topk: int = 0
    topp: float = 1.0

    def __post_init__(self):
        check_temperature(self.temperature)
        if self.topk < 0:
            raise InputError(f"sampling from the {self.topk} likeliest tokens is impossible; 0 means from all")
        if not 0 < self.topp <= 1:
            raise InputError(f"a sampling share of {self.topp} is not in (0, 1]; 1 means from all tokens")

    def draw(self, logits: Tensor, generator: Optional[torch.Generator]) -> Tensor:
        """(B, V) -> (B,) int64."""
        logits = logits.float() / self.temperature
        if 0 < self.topk < logits.shape[-1]:
            least = logits.topk(self.topk, dim=-1).values[:, -1:]
            logits = logits.masked_fill(logits < least, -torch.inf)
        if self.topp < 1:
            ordered, order = logits.sort(dim=-1, descending=True)
            shares = ordered.softmax(dim=-1)
            before = shares.cumsum(dim=-1) - shares  # of all likelier tokens; 0 for the likeliest
            logits = logits.masked_fill((before >= self.topp).gather(-1, order.argsort(dim=-1)), -torch.inf)
        shares = logits.softmax(dim=-1)
        return torch.multinomial(shares, 1, generator=generator).squeeze(1)


class Hypotheses(NamedTuple):
    """What was generated: ``tokens`` (B, T) int64, right-padded, each row ending in ``</s>``; ``lengths`` (B,)
    int64, ``</s>`` included; ``scores`` (B, T) float32, each token's log-probability, 0 at padding, if asked for."""

    tokens: Tensor
    lengths: Tensor
    scores: Optional[Tensor]


class BatchDecoder:
    """One hypothesis for each sentence of a batch.

    The cache is allocated once; finished rows are dropped from the batch together, at the few steps where
    the host asks the device how many are left.

    Args:
        model: a ``MassTransformer``, in evaluation mode, not wrapped for distributed training.
        pad, eos: ids.
        dtype: precision of the decoder; default autocast's where it is on, else the model's own. The
            encoder runs as autocast has it.
    """

    def __init__(self, model, pad: int, eos: int, dtype: Optional[torch.dtype] = None):
        self.encoder, self.pad, self.eos = model.encoder, pad, eos
        device = model.decoder.embed_tokens.weight.device.type
        if dtype is None and torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        self.decoder = IncrementalDecoder(model.decoder, dtype)
        self.max_positions = model.decoder.max_positions()

    @torch.no_grad()
    def generate(
        self,
        net_input: dict[str, Tensor],
        max_len: int,
        min_len: int = 1,
        sampling: Optional[Sampling] = None,
        generator: Optional[torch.Generator] = None,
        allowed: Optional[Tensor] = None,
        with_scores: bool = False,
    ) -> Hypotheses:
        """Translate a batch.

        Args:
            net_input: ``src_tokens`` (B, S), ``src_lengths`` (B,), ``source_language`` (B,) and
                ``target_language`` (B,), all int64; the rest of a batch is not read.
            max_len: most tokens before the closing ``</s>``; the model's positions bound it, too.
            min_len: fewest tokens before the closing ``</s>``.
            sampling: draw instead of taking the likeliest.
            generator: of the draws, on the model's device; default torch's own.
            allowed: (L, V) bool, tokens that may be written in each target language; must hold ``</s>``.
            with_scores: log-probabilities, of the model without ``allowed`` or ``sampling``.
        """
        max_len = min(max_len, self.max_positions - 1)
        source, languages = net_input["src_tokens"], net_input["target_language"]
        if len(source) == 0:
            empty = source.new_zeros(0, 0)
            return Hypotheses(empty, source.new_zeros(0), empty.float() if with_scores else None)
        encoder_out = self.encoder(source, net_input["src_lengths"], net_input["source_language"], languages)
        with torch.autocast(source.device.type, enabled=False):  # the decoder has its own precision
            return self._decode(encoder_out, languages, max_len, min_len, sampling, generator, allowed, with_scores)

    def _decode(
        self, encoder_out, languages, max_len, min_len, sampling, generator, allowed, with_scores
    ) -> Hypotheses:
        state = self.decoder.start(encoder_out, max_len + 1)
        banned = None if allowed is None else ~allowed
        rows = torch.arange(len(languages), device=languages.device)  # of the batch, that are still written
        tokens = rows.new_full((len(rows), max_len + 1), self.pad)
        scores = torch.zeros(tokens.shape, device=tokens.device) if with_scores else None
        finished = torch.zeros_like(rows, dtype=torch.bool)
        last = torch.full_like(rows, self.eos)
        looks = _STEPS_BETWEEN_LOOKS.get(rows.device.type, 8)

        for slot in range(max_len + 1):
            logits = self.decoder.step(last, slot, state)
            shares = None if scores is None else logits.float().log_softmax(dim=-1)
            if slot == max_len:
                chosen = torch.full_like(last, self.eos)
            else:
                chosen = self._choose(logits, slot < min_len, banned, languages, sampling, generator)
            last = chosen.masked_fill(finished, self.pad)
            tokens[rows, slot] = last
            if scores is not None and shares is not None:
                found = shares.gather(1, chosen.unsqueeze(1)).squeeze(1)
                scores[rows, slot] = found.masked_fill(finished, 0)
            finished = finished | (chosen == self.eos)
            if slot % looks == looks - 1 or slot == max_len:
                left = int((~finished).sum())
                if left == 0:
                    break
                kept = -(-left // _ROWS) * _ROWS
                if kept <= _SHARE_KEPT * len(rows):
                    keep = finished.to(torch.uint8).argsort(stable=True)[:kept]  # unfinished rows first
                    state = state.select(keep, slot + 1)
                    rows, last, languages, finished = rows[keep], last[keep], languages[keep], finished[keep]

        lengths = tokens.ne(self.pad).sum(dim=1)
        width = min(slot + 1, int(lengths.max()))
        return Hypotheses(tokens[:, :width], lengths, None if scores is None else scores[:, :width])

    def _choose(self, logits, too_short: bool, banned, languages, sampling, generator) -> Tensor:
        """Logits (B, V), which are overwritten -> tokens (B,) int64, never padding."""
        if sampling is not None:
            logits = logits.nan_to_num(0.0)  # a model that has diverged: any token that may be written
        if banned is not None:
            logits.masked_fill_(banned[languages], -torch.inf)
        logits[:, self.pad] = -torch.inf
        if too_short:
            logits[:, self.eos] = -torch.inf
        return logits.argmax(dim=-1) if sampling is None else sampling.draw(logits, generator)
