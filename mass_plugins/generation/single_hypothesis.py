"""The batch decoder in the place of fairseq's ``SequenceGenerator``, where one hypothesis a sentence is asked for."""

from dataclasses import fields
from typing import Optional

import torch
from fairseq.dataclass.configs import GenerationConfig
from torch import Tensor

from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.generation.batch_decoder import BatchDecoder, Sampling

# Options that this generator has, or that change nothing with one hypothesis; any other that isn't at its default
# needs fairseq's.
_SUPPORTED = {
    *("beam", "max_len_a", "max_len_b", "min_len", "lenpen", "unnormalized"),
    *("sampling", "sampling_topk", "sampling_topp", "temperature"),
    *("sacrebleu", "print_step", "no_early_stop", "no_beamable_mm", "no_seed_provided"),
}


class SingleHypothesisGenerator:
    """Greedy decoding or sampling with the interface and the results of ``SequenceGenerator`` at beam 1.

    Args:
        model: a ``MassTransformer``.
        dictionary: the joint dictionary.
        max_len_a, max_len_b: a hypothesis has at most ``a * width of the batch + b`` tokens.
        min_len: and at least this many, ``</s>`` apart.
        len_penalty: exponent of the length that scores are divided by; 0: they are summed.
        sampling: draw, from torch's random state, instead of taking the likeliest; never a symbol that no text has.
    """

    beam_size = 1

    def __init__(
        self,
        model,
        dictionary,
        max_len_a: float = 0.0,
        max_len_b: int = 200,
        min_len: int = 1,
        len_penalty: float = 1.0,
        sampling: Optional[Sampling] = None,
    ):
        self.model, self.pad, self.eos = model, dictionary.pad(), dictionary.eos()
        self.max_len_a, self.max_len_b, self.min_len = max_len_a, max_len_b, min_len
        self.len_penalty, self.sampling = len_penalty, sampling
        self.allowed: Optional[Tensor] = None  # (1, V) bool
        if sampling is not None:
            self.allowed = torch.zeros(1, len(dictionary), dtype=torch.bool)
            self.allowed[0, Vocabulary.of(dictionary).ordinary] = True
            self.allowed[0, self.eos] = True

    @classmethod
    def from_options(cls, models, dictionary, options) -> Optional["SingleHypothesisGenerator"]:
        """From fairseq's generation options; None where they ask for more than this generator can do."""
        defaults = {f.name: f.default for f in fields(GenerationConfig)}
        others = [name for name in defaults if name not in _SUPPORTED and not name.startswith("_")]
        changed = [name for name in others if getattr(options, name, defaults[name]) != defaults[name]]

        def get(name: str):
            return getattr(options, name, defaults[name])

        greedy_with_temperature = get("temperature") != 1 and not get("sampling")
        if len(models) != 1 or get("beam") != 1 or changed or greedy_with_temperature:
            return None
        sampling = None
        if get("sampling"):
            topk, topp = get("sampling_topk"), get("sampling_topp")
            sampling = Sampling(get("temperature"), max(topk, 0), topp if topp > 0 else 1.0)
        penalty = 0.0 if get("unnormalized") else get("lenpen")
        return cls(models[0], dictionary, get("max_len_a"), get("max_len_b"), get("min_len"), penalty, sampling)

    def to(self, device) -> "SingleHypothesisGenerator":
        """As ``SequenceGenerator``, a module, has it."""
        self.model.to(device)
        return self

    def generate(self, models, sample, prefix_tokens=None, constraints=None, bos_token=None, **kwargs) -> list:
        """A batch -> for each sentence a list of one hypothesis, a dictionary as fairseq's.

        Raises:
            ValueError: a prefix, constraints or another first token are asked for.
        """
        if prefix_tokens is not None or constraints is not None or bos_token not in (None, self.eos):
            raise ValueError("prefixes, constraints and a first token need fairseq's SequenceGenerator")
        self.model.eval()
        net_input = sample["net_input"]
        max_len = int(self.max_len_a * net_input["src_tokens"].shape[1] + self.max_len_b)
        decoder = BatchDecoder(self.model, self.pad, self.eos)
        allowed = None
        if self.allowed is not None:
            languages = net_input["target_language"]
            allowed = self.allowed.to(languages.device).expand(int(languages.max()) + 1, -1)
        found = decoder.generate(net_input, max_len, self.min_len, self.sampling, allowed=allowed, with_scores=True)
        return [
            [self._hypothesis(tokens[:length], scores[:length])]
            for tokens, scores, length in zip(found.tokens, found.scores, found.lengths.tolist())
        ]

    def _hypothesis(self, tokens: Tensor, scores: Tensor) -> dict[str, Tensor]:
        return {
            "tokens": tokens,
            "score": scores.sum() / len(tokens) ** self.len_penalty,
            "positional_scores": scores,
            "attention": torch.empty(0),
            "alignment": torch.empty(0),
        }
