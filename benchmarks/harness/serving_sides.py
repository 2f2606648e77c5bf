"""The sides of the serving benchmark: the same sentences through fairseq, transformers and CTranslate2."""

from pathlib import Path
from typing import Callable, NamedTuple

import ctranslate2
import numpy as np
import torch
import transformers
from torch.nn.utils.rnn import pad_sequence

from mass_plugins.generation.translator import Translator
from mass_plugins.interop.ctranslate2 import export_ctranslate2
from mass_plugins.interop.huggingface_bart import export_bart

MAX_LEN_A, MAX_LEN_B = 1.5, 20  # a translation has at most a * source length + b sub-words, on all sides
Translate = Callable[[int], list[list[int]]]  # beam -> ids of each sentence, without </s>


class Work(NamedTuple):
    """Sentences as ids, sorted by length, and in batches of about ``batch_tokens``."""

    rows: list[list[int]]  # with </s>
    batches: list[list[int]]  # numbers of rows


def prepare(translator: Translator, lines: list[str], source: str, batch_tokens: int) -> Work:
    encode, dictionary = translator.codec.encode, translator.task.dictionary
    rows = [dictionary.encode_line(encode(line, source), add_if_not_exist=False).tolist() for line in lines]
    rows = sorted((row for row in rows if len(row) > 1), key=len)
    batches: list[list[int]] = []
    for number, row in enumerate(rows):
        if not batches or (len(batches[-1]) + 1) * len(row) > batch_tokens:
            batches.append([])
        batches[-1].append(number)
    return Work(rows, batches)


def fairseq_side(translator: Translator, work: Work, source: str, target: str, batch_tokens: int) -> Translate:
    """``mass_plugins.load(..).generate``: greedy by our batch decoder, a beam by fairseq's generator."""
    rows = [np.array(row) for row in work.rows]

    def translate(beam: int) -> list[list[int]]:
        search = translator.search(beam, max_len_a=MAX_LEN_A, max_len_b=MAX_LEN_B)
        found = translator.generate(search, rows, source, target, batch_tokens * beam)
        return [_until_end(tokens.tolist()) for tokens in found]

    return translate


def transformers_side(folder: Path, work: Work) -> Translate:
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    start = _start(folder)

    @torch.inference_mode()
    def translate(beam: int) -> list[list[int]]:
        result: list[list[int]] = []
        for numbers in work.batches:
            rows = [torch.tensor([*start, *work.rows[number]]) for number in numbers]
            tokens = pad_sequence(rows, batch_first=True, padding_value=1)
            width = tokens.shape[1] - len(start)
            found = model.generate(
                input_ids=tokens, attention_mask=tokens.ne(1).long(), num_beams=beam,
                max_length=None, max_new_tokens=_limit(width),
            )  # fmt: skip
            result += [_until_end(row[1:]) for row in found.tolist()]
        return result

    return translate


def ctranslate2_side(folder: Path, work: Work, compute: str, threads: int) -> Translate:
    engine = ctranslate2.Translator(str(folder), device="cpu", compute_type=compute, intra_threads=threads)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    start = tokenizer.convert_ids_to_tokens(_start(folder))
    pieces = [start + tokenizer.convert_ids_to_tokens(row) for row in work.rows]

    def translate(beam: int) -> list[list[int]]:
        result: list[list[int]] = []
        for numbers in work.batches:
            found = engine.translate_batch(
                [pieces[number] for number in numbers], beam_size=beam,
                max_decoding_length=_limit(len(work.rows[numbers[-1]])),
            )  # fmt: skip
            result += [tokenizer.convert_tokens_to_ids(one.hypotheses[0]) for one in found]
        return result

    return translate


def _limit(width: int) -> int:
    """Most sub-words, </s> apart, of the translations of a batch; fairseq ends those that reach it."""
    return int(MAX_LEN_A * width + MAX_LEN_B)


def _start(folder: Path) -> list[int]:
    """Ids that the tokenizer puts before each source."""
    return transformers.AutoTokenizer.from_pretrained(folder).encode("")[:-1]


def _until_end(tokens: list[int]) -> list[int]:
    return tokens[: tokens.index(2)] if 2 in tokens else [token for token in tokens if token != 1]


def engines(
    translator: Translator, work: Work, source: str, target: str, folder: Path, threads: int, batch_tokens: int
) -> dict[str, Translate]:
    """Name -> the engine; exports into ``folder`` what they need."""
    export_bart(translator, source, target, str(folder / "bart"))
    sides = {
        "fairseq": fairseq_side(translator, work, source, target, batch_tokens),
        "transformers": transformers_side(folder / "bart", work),
    }
    for compute in ("float32", "int8"):
        export_ctranslate2(translator, source, target, str(folder / compute), quantization=compute)
        side = ctranslate2_side(folder / compute, work, compute, threads)
        sides[f"CTranslate2 {compute}"] = side
    return sides
