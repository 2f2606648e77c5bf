"""Sub-word perplexity of given targets: exp of their sub-words' mean negative log-likelihood, ``</s>`` included."""

import math
from typing import NamedTuple, Optional, Sequence

import torch

from mass_plugins.data.collate import batches_by_length, pad_right, shift_right
from mass_plugins.errors import InputError
from mass_plugins.generation.translator import Translator


class Perplexity(NamedTuple):
    """``perplexity`` over ``tokens`` sub-words; comparable only where the signature, so the sub-words, are equal.

    ``unknown`` of them are ``<unk>``: a stretch of characters that the sub-words lack counts as one, and an easy one.
    """

    perplexity: float
    tokens: int
    unknown: int
    lines: int
    signature: str


@torch.no_grad()
def perplexity(
    translator: Translator,
    sources: Sequence[str],
    targets: Sequence[str],
    source: str,
    target: str,
    truncate: Optional[int] = None,
    batch_tokens: int = 4000,
) -> Perplexity:
    """Of raw ``targets``, each given its raw source.

    Args:
        source, target: language codes.
        truncate: sources are cut to so many sub-words; default: as in training.
        batch_tokens: sub-words, padding included, at once.

    Raises:
        InputError: an unknown language, no line at all, or a target beyond the model's positions.
    """
    if not targets:
        raise InputError("there is no line to score; give a text")
    task, eos, pad = translator.task, translator.task.vocabulary.eos, translator.task.vocabulary.pad
    indices = task.language_index(source, "source"), task.language_index(target, "target")
    longest = translator.longest_source(truncate)
    rows = translator.encode(sources, source, longest)
    wanted = translator.encode(targets, target, limit=translator.model.max_positions()[1])
    loss, tokens = 0.0, 0
    for numbers in batches_by_length([max(map(len, pair)) for pair in zip(rows, wanted)], batch_tokens):
        source_tokens, lengths = pad_right([rows[number] for number in numbers], pad)
        gold, _ = pad_right([wanted[number] for number in numbers], pad)
        net_input = {
            "src_tokens": torch.from_numpy(source_tokens),
            "src_lengths": torch.from_numpy(lengths),
            "prev_output_tokens": torch.from_numpy(shift_right(gold, eos)),
            "source_language": torch.full((len(numbers),), indices[0]),
            "target_language": torch.full((len(numbers),), indices[1]),
        }
        with translator.precision():
            logits, _ = translator.model(**{name: value.to(translator.device) for name, value in net_input.items()})
        answers = torch.from_numpy(gold).to(translator.device)
        real = answers.ne(pad)
        shares = logits.float().log_softmax(dim=-1).gather(2, answers.unsqueeze(2)).squeeze(2)
        loss -= float(shares[real].double().sum())
        tokens += int(real.sum())
    unknown = sum(int((row == task.dictionary.unk()).sum()) for row in wanted)
    said = signature(translator, tokens, unknown, longest, logits.dtype)
    return Perplexity(math.exp(loss / tokens), tokens, unknown, len(wanted), said)


def signature(translator: Translator, tokens: int, unknown: int, longest: int, dtype: torch.dtype) -> str:
    """What the value rests on: the sub-words that are counted (their kind, the dictionary's fingerprint, how many there
    are, and ``<unk>``), where sources are cut, and the precision of the computation."""
    kind, dictionary = translator.codec.settings.subwords, translator.task.state_dict()["dictionary"]
    counted = f"ppl:subword|eos:yes|subwords:{kind}|dict:{dictionary}|tokens:{tokens}|unk:{unknown}"
    return f"{counted}|source:{longest}|dtype:{str(dtype).removeprefix('torch.')}"
