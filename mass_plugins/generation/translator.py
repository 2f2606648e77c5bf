"""Raw text in, raw text out, from Python: ``mass_plugins.load(path).translate([...])``."""

import math
import os
from contextlib import nullcontext
from typing import Any, Optional, Sequence

import numpy as np
import torch
from fairseq import checkpoint_utils, utils
from fairseq.dataclass.configs import GenerationConfig
from torch import Tensor

from mass_plugins.data.binarized import find_languages
from mass_plugins.data.collate import batches_by_length, pad_right
from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.data.streams import cut
from mass_plugins.devices import choose_device
from mass_plugins.errors import InputError
from mass_plugins.generation.batch_decoder import check_lengths, check_temperature


class Translator:
    """A trained model with its languages, dictionary and text pipeline.

    Attributes:
        languages: codes that ``source`` and ``target`` may take.
    """

    def __init__(self, model, task, device: torch.device, dtype: Optional[torch.dtype] = None):
        if task.codec is None:
            raise InputError(f"{task.cfg.data} has no text.json, so raw text can't be read; use prepare.py")
        self.model, self.task, self.device, self.codec = model.to(device).eval(), task, device, task.codec
        self.dtype = dtype

    @property
    def data_folder(self) -> str:
        """The data-bin, or its first shard: dictionary, ``text.json`` and, of dialogues, ``dialogue.json``."""
        return utils.split_paths(self.task.cfg.data)[0]

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
        min_len: int = 1,
        no_repeat_ngram: int = 0,
        truncate: Optional[int] = None,
        keep_end: Optional[bool] = None,
    ) -> list[str]:
        """Translate raw lines.

        Args:
            lines: detokenized sentences; one without any text stays empty.
            source, target: language codes, equal for summarization or dialogue.
            beam: width of the beam search, 1 is greedy.
            length_penalty: exponent of the length that scores are divided by.
            max_len_a, max_len_b: a translation has at most ``a * length + b`` sub-words, of the longest line that is
                translated at once with it (as in fairseq).
            batch_tokens: source sub-words (padding included) times beam translated at once.
            sampling: draw from the model (of the ``sampling_topk`` likeliest tokens or the
                ``sampling_topp`` share of probability) from torch's random state, instead of searching. Without
                ``no_repeat_ngram`` never ``[MASK]``, ``<unk>`` or what fills up the dictionary.
            temperature: divides the logits.
            min_len: a translation has at least so many sub-words.
            no_repeat_ngram: no n-gram of this length comes twice in a translation; 0: any may.
            truncate: longer lines are cut to so many sub-words, ``</s>`` included; default: they are an error, but of
                dialogues, whose contexts are cut as in training.
            keep_end: they lose their beginning, not their end; default: as in training, which is so of dialogues.

        Returns:
            one detokenized line for each of ``lines``, in their order.

        Raises:
            InputError: an unknown language, a line beyond the model's positions, a setting that nothing meets.
        """
        self._indices(source, target)
        _check_lines(lines)
        search = self.search(
            beam, length_penalty, max_len_a, max_len_b, sampling, sampling_topk, sampling_topp, temperature,
            min_len, no_repeat_ngram,
        )  # fmt: skip
        if truncate is not None or DialogueSettings.are_in(self.data_folder):
            truncate = self.longest_source(truncate)
        rows = self.encode(lines, source, truncate, keep_end=keep_end)
        filled = [number for number, row in enumerate(rows) if len(row) > 1]
        found = self.generate(search, [rows[number] for number in filled], source, target, batch_tokens)
        translations = [""] * len(lines)
        for number, tokens in zip(filled, found):
            translations[number] = self.codec.decode(self.task.dictionary.string(tokens), target)
        return translations

    def summarize(
        self,
        lines: Sequence[str],
        language: Optional[str] = None,
        beam: int = 5,
        length_penalty: float = 1.0,
        min_len: int = 1,
        max_len: int = 200,
        no_repeat_ngram: int = 3,
        truncate: Optional[int] = None,
        batch_tokens: int = 4000,
    ) -> list[str]:
        """Summarize documents, a line each.

        Args:
            lines: raw documents; one without any text stays empty.
            language: of documents and summaries; may be left out where the model has only one.
            beam, length_penalty, batch_tokens: as of :meth:`translate`.
            min_len, max_len: a summary has so many sub-words (CNN/DailyMail, paper: at least 50).
            no_repeat_ngram: no n-gram of this length comes twice (paper: 3); 0: any may.
            truncate: documents are cut to so many sub-words, ``</s>`` included; default: as in training.

        Returns:
            one detokenized line for each of ``lines``, in their order.

        Raises:
            InputError: an unknown language, or a setting that nothing meets.
        """
        language = self.only_language(language)
        check_lengths(min_len, max_len, self.model.max_positions()[1], ("min_len=", "max_len="))
        return self.translate(
            lines, language, language, beam, length_penalty, 0.0, max_len, batch_tokens,
            min_len=min_len, no_repeat_ngram=no_repeat_ngram, truncate=self.longest_source(truncate),
        )  # fmt: skip

    def only_language(self, language: Optional[str] = None) -> str:
        """The language that was asked for, or the model's only one.

        Raises:
            InputError: unknown, or left out where there are several.
        """
        if language is None and len(self.languages) > 1:
            raise InputError(
                f"the model has the languages {','.join(self.languages)}; say which one: language, --language"
            )
        language = language or self.languages[0]
        self.task.language_index(language, "language")
        return language

    def longest_source(self, truncate: Optional[int] = None) -> int:
        """Sub-words of a source that is cut: as asked for, as in training, or all that the model has positions for."""
        positions = self.model.max_positions()[0]
        if truncate is not None and truncate < 2:
            raise InputError(f"truncate={truncate} leaves nothing but </s>; set it to 2 or more")
        return min(truncate or self.task.cfg.get("truncate_source") or positions, positions)

    def search(
        self,
        beam: int = 5,
        length_penalty: float = 1.0,
        max_len_a: float = 1.5,
        max_len_b: int = 20,
        sampling: bool = False,
        sampling_topk: int = -1,
        sampling_topp: float = -1.0,
        temperature: float = 1.0,
        min_len: int = 1,
        no_repeat_ngram: int = 0,
    ):
        """The generator that finds or draws translations, for :meth:`generate`; arguments as of :meth:`translate`.

        Raises:
            InputError: a setting that nothing meets.
        """
        for name, value, least in (
            ("beam", beam, 1), ("max_len_a", max_len_a, 0), ("max_len_b", max_len_b, 0), ("min_len", min_len, 0),
            ("no_repeat_ngram", no_repeat_ngram, 0),
        ):  # fmt: skip
            if value < least:
                raise InputError(f"{name}={value} is below {least}")
        for name, value in (("length_penalty", length_penalty), ("max_len_a", max_len_a)):
            if not math.isfinite(value):
                raise InputError(f"{name}={value} is not a finite number; leave it out")
        check_lengths(min_len, math.inf if max_len_a else max_len_b, self.model.max_positions()[1])
        check_temperature(temperature)
        options = GenerationConfig(
            beam=1 if sampling else beam,
            max_len_a=max_len_a,
            max_len_b=max_len_b,
            lenpen=length_penalty,
            temperature=temperature,
            sampling=sampling,
            sampling_topk=sampling_topk,
            sampling_topp=sampling_topp,
            min_len=min_len,
            no_repeat_ngram_size=no_repeat_ngram,
        )
        return self.task.build_generator([self.model], options).to(self.device)

    def generate(
        self, search, rows: Sequence[np.ndarray], source: str, target: str, batch_tokens: int = 4000
    ) -> list[Tensor]:
        """Translate rows of token ids, those of a length together.

        Args:
            search: of :meth:`search`.
            rows: token ids of each sentence, with its closing ``</s>``.
            source, target: language codes.
            batch_tokens: source sub-words (padding included) times beam translated at once.

        Returns:
            of each row in their order, the best translation's ids (T,) int64 with its ``</s>``, on the CPU.

        Raises:
            InputError: an unknown language.
        """
        indices = self._indices(source, target)
        found: list[Tensor] = [torch.empty(0)] * len(rows)
        lengths, at_once = list(map(len, rows)), batch_tokens // search.beam_size
        for numbers in batches_by_length(lengths, at_once, longest_first=False):
            for number, tokens in zip(numbers, self._generate(search, [rows[n] for n in numbers], indices)):
                found[number] = tokens
        return found

    def _indices(self, source: str, target: str) -> tuple[int, int]:
        return self.task.language_index(source, "source"), self.task.language_index(target, "target")

    def encode(
        self,
        lines: Sequence[str],
        language: str,
        truncate: Optional[int] = None,
        limit: Optional[int] = None,
        keep_end: Optional[bool] = None,
    ) -> list[np.ndarray]:
        """Raw lines -> token ids of each, (L,) int64 with its ``</s>``.

        Args:
            truncate: longer lines are cut to so many.
            keep_end: they lose their beginning; default: as in training, of dialogues.
            limit: of longer ones one is named in an error; default: the source positions of the model.
        """
        limit = self.model.max_positions()[0] if limit is None else limit
        keep_end = DialogueSettings.are_in(self.data_folder) if keep_end is None else keep_end
        rows = []
        for number, line in enumerate(lines, start=1):
            pieces = self.codec.encode(line, language)
            tokens = self.task.dictionary.encode_line(pieces, add_if_not_exist=False).numpy()
            if truncate is not None:
                tokens = cut(tokens, min(truncate, limit), keep_end)
            if len(tokens) > limit:
                raise InputError(
                    f"line {number} has {len(tokens)} sub-words, more than the model's {limit} positions; split it"
                )
            rows.append(tokens)
        return rows

    def _generate(self, search, rows: list, languages: tuple[int, int]) -> list[Tensor]:
        tokens, lengths = pad_right(rows, self.task.vocabulary.pad)
        longest = int(search.max_len_a * tokens.shape[1] + search.max_len_b)
        names = ("min_len=", "max_len_a * length + max_len_b = ")
        check_lengths(search.min_len, longest, self.model.max_positions()[1], names)
        net_input = {
            "src_tokens": torch.from_numpy(tokens).to(self.device),
            "src_lengths": torch.from_numpy(lengths).to(self.device),
            "source_language": torch.full((len(rows),), languages[0], device=self.device),
            "target_language": torch.full((len(rows),), languages[1], device=self.device),
        }
        with self.precision():
            beams = self.task.inference_step(search, [self.model], {"net_input": net_input})
        return [hypotheses[0]["tokens"].cpu() for hypotheses in beams]

    def precision(self):
        """The precision that was asked for; None leaves it to the task."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def _check_lines(lines: Sequence[str]) -> None:
    """Raises InputError: one string in place of several, or something that isn't text."""
    if isinstance(lines, str):
        raise InputError(f"one string was given where a list of lines is expected; write [{lines[:20]!r}]")
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, str):
            raise InputError(f"line {number} is {line!r}, not a string")


def load(
    checkpoint: str,
    data: Optional[str] = None,
    device: Optional[str] = None,
    dtype: Optional[torch.dtype] = None,
) -> Translator:
    """Load a checkpoint for translation.

    Args:
        checkpoint: a ``checkpoint_*.pt`` of ``seq2seq_finetuning`` (or of ``mass_pretraining``).
        data: the data-bin with dictionary and ``text.json``; default the checkpoint's own folder if it
            holds a dictionary, else the folder that it was trained on.
        device: default ``cuda`` if there is one, else ``cpu``.
        dtype: precision of the computation, float32, bfloat16 or, on a GPU, float16; default bfloat16 for
            a model that was trained with ``--autocast-bfloat16``, else float32.

    Raises:
        InputError: no such file, a broken or foreign checkpoint, a data folder that doesn't fit.
    """
    if not os.path.isfile(checkpoint):
        what = "is a folder" if os.path.isdir(checkpoint) else "doesn't exist"
        raise InputError(f"{checkpoint} {what}; give a checkpoint_*.pt")
    beside = os.path.dirname(os.path.abspath(checkpoint))
    if data is None and any(n.startswith("dict.") for n in os.listdir(beside)):
        data = beside
    chosen = choose_device(device, dtype)
    overrides: dict[str, Any] = {"pretrained_checkpoint": None, "eval_bleu": False, "eval_rouge": False, "langs": None}
    if data is not None:
        find_languages(data)  # says at once what is wrong with the folder
        overrides["data"] = data
    if dtype is not None:
        overrides["autocast_bfloat16"] = False  # the translator's own comes instead
    state = checkpoint_utils.load_checkpoint_to_cpu(checkpoint, overrides)
    trained_on = utils.split_paths(state["cfg"]["task"]["data"])[0]
    if not os.path.isdir(trained_on):
        raise InputError(
            f"{checkpoint} was trained on {trained_on}, which is not a folder here; give the data-bin with data= or "
            "--data, or put its dict.*.txt and text.json beside the checkpoint"
        )
    models, _, task = checkpoint_utils.load_model_ensemble_and_task([checkpoint], overrides, state=state)
    return Translator(models[0], task, chosen, dtype)
