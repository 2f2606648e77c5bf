"""Raw text in, raw text out, from Python: ``mass_plugins.load(path).translate([...])``."""

import os
from typing import Any, Optional, Sequence

import torch
from fairseq import checkpoint_utils
from fairseq.dataclass.configs import GenerationConfig

from mass_plugins.data.binarized import find_languages
from mass_plugins.data.collate import pad_right
from mass_plugins.errors import InputError


class Translator:
    """A trained model with its languages, dictionary and text pipeline.

    Attributes:
        languages: codes that ``source`` and ``target`` may take.
    """

    def __init__(self, model, task, device: torch.device):
        if task.codec is None:
            raise InputError(f"{task.cfg.data} has no text.json, so raw text can't be read; use prepare.py")
        self.model, self.task, self.device, self.codec = model.to(device).eval(), task, device, task.codec

    @property
    def languages(self) -> list[str]:
        return self.task.languages

    def translate(
        self,
        lines: Sequence[str],
        source: str,
        target: str,
        beam: int = 5,
        length_penalty: float = 1.0,
        max_len_a: float = 1.5,
        max_len_b: int = 20,
        batch_tokens: int = 4000,
        sampling: bool = False,
        sampling_topk: int = -1,
        sampling_topp: float = -1.0,
        temperature: float = 1.0,
    ) -> list[str]:
        """Translate raw lines.

        Args:
            lines: detokenized sentences; one without any text stays empty.
            source, target: language codes, equal for summarization or dialogue.
            beam: width of the beam search, 1 is greedy.
            length_penalty: exponent of the length that scores are divided by.
            max_len_a, max_len_b: a translation has at most ``a * source length + b`` sub-words.
            batch_tokens: source sub-words (padding included) times beam translated at once.
            sampling: draw from the model (of the ``sampling_topk`` likeliest tokens or the
                ``sampling_topp`` share of probability) from torch's random state, instead of searching.
            temperature: divides the logits.

        Returns:
            one detokenized line for each of ``lines``, in their order.

        Raises:
            InputError: an unknown language, or a line beyond the model's positions.
        """
        indices = self.task.language_index(source, "source"), self.task.language_index(target, "target")
        rows = self._encode(lines, source)
        options = GenerationConfig(
            beam=1 if sampling else beam,
            max_len_a=max_len_a,
            max_len_b=max_len_b,
            lenpen=length_penalty,
            temperature=temperature,
            sampling=sampling,
            sampling_topk=sampling_topk,
            sampling_topp=sampling_topp,
        )
        generator = self.task.build_generator([self.model], options).to(self.device)
        translations = [""] * len(lines)
        order = sorted((n for n, row in enumerate(rows) if len(row) > 1), key=lambda n: len(rows[n]))
        for numbers in _batches(order, rows, max(1, batch_tokens // (1 if sampling else beam))):
            for number, text in zip(numbers, self._generate(generator, [rows[n] for n in numbers], indices)):
                translations[number] = self.codec.decode(text, target)
        return translations

    def _encode(self, lines: Sequence[str], source: str) -> list:
        limit = self.model.max_positions()[0]
        rows = []
        for number, line in enumerate(lines, start=1):
            pieces = self.codec.encode(line, source)
            tokens = self.task.dictionary.encode_line(pieces, add_if_not_exist=False).numpy()
            if len(tokens) > limit:
                raise InputError(
                    f"line {number} has {len(tokens)} sub-words, more than the model's {limit} positions; split it"
                )
            rows.append(tokens)
        return rows

    def _generate(self, generator, rows: list, languages: tuple[int, int]) -> list[str]:
        tokens, lengths = pad_right(rows, self.task.vocabulary.pad)
        net_input = {
            "src_tokens": torch.from_numpy(tokens).to(self.device),
            "src_lengths": torch.from_numpy(lengths).to(self.device),
            "source_language": torch.full((len(rows),), languages[0], device=self.device),
            "target_language": torch.full((len(rows),), languages[1], device=self.device),
        }
        beams = self.task.inference_step(generator, [self.model], {"net_input": net_input})
        return [self.task.dictionary.string(hypotheses[0]["tokens"].cpu()) for hypotheses in beams]


def _batches(order: list[int], rows: list, max_tokens: int) -> list[list[int]]:
    """Numbers of rows, sorted by length, in batches of at most ``max_tokens`` with padding."""
    batches: list[list[int]] = []
    for number in order:
        if not batches or (len(batches[-1]) + 1) * len(rows[number]) > max_tokens:
            batches.append([])
        batches[-1].append(number)
    return batches


def load(checkpoint: str, data: Optional[str] = None, device: Optional[str] = None) -> Translator:
    """Load a checkpoint for translation.

    Args:
        checkpoint: a ``checkpoint_*.pt`` of ``seq2seq_finetuning`` (or of ``mass_pretraining``).
        data: the data-bin with dictionary and ``text.json``; default the checkpoint's own folder if it
            holds a dictionary, else the folder that it was trained on.
        device: default ``cuda`` if there is one, else ``cpu``.

    Raises:
        InputError: no such file, a broken or foreign checkpoint, a data folder that doesn't fit.
    """
    if not os.path.isfile(checkpoint):
        raise InputError(f"{checkpoint} doesn't exist; give a checkpoint_*.pt")
    beside = os.path.dirname(os.path.abspath(checkpoint))
    if data is None and any(n.startswith("dict.") for n in os.listdir(beside)):
        data = beside
    overrides: dict[str, Any] = {"pretrained_checkpoint": None, "eval_bleu": False, "langs": None}
    if data is not None:
        find_languages(data)  # says at once what is wrong with the folder
        overrides["data"] = data
    models, _, task = checkpoint_utils.load_model_ensemble_and_task([checkpoint], arg_overrides=overrides)
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return Translator(models[0], task, chosen)
