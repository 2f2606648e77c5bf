"""Clean lines -> an encoder's token ids in fairseq's binary files, ``[SEP]`` behind each line."""

from collections import Counter
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Iterator, Optional

import numpy as np
import torch
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder

from mass_plugins.data.encoder_text import ENCODER_FILE, TOKENIZER_FILE, TokenizerText
from mass_plugins.data.progress import Progress
from mass_plugins.errors import InputError
from preprocess.report import REPORT_FILE
from preprocess.stages import Cleaned, Encoded
from preprocess.subwords import picked

_AT_A_TIME = 10_000  # lines; the tokenizers package shares them out among its threads


class _Writer:
    """``PREFIX.bin`` and ``PREFIX.idx``."""

    def __init__(self, prefix: Path, dtype):
        self.prefix, self.lines = prefix, 0
        self._builder = MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype)

    def add(self, ids: np.ndarray) -> None:
        self._builder.add_item(torch.from_numpy(ids))
        self.lines += 1

    def close(self) -> None:
        self._builder.finalize(f"{self.prefix}.idx")


def binarize(
    cleaned: Cleaned, text: TokenizerText, shards: list[Path], hold_out: int, max_pieces: int, progress: Optional[bool]
) -> Encoded:
    """Lines -> ids, training lines dealt out to the shards in turn, ``hold_out`` of them at even distances kept for
    validation. Training lines of more than ``max_pieces`` tokens (0: any) are dropped.

    Raises:
        InputError: a shard would be empty.
    """
    corpus, language = cleaned.corpus, cleaned.corpus.name
    training = corpus.split == "train"
    folders = shards if training else shards[:1]
    dtype = np.uint16 if len(text.dictionary) < 2**16 else np.int32
    writers = [_Writer(folder / f"{corpus.split}.{language}-None.{language}", dtype) for folder in folders]
    held_out = _Writer(shards[0] / f"valid.{language}-None.{language}", dtype) if hold_out else None
    result = Encoded(corpus, folders, [], 0, tokens={language: Counter()})
    end, unknown, index = np.array([text.vocabulary.eos]), text.dictionary.unk(), 0
    counts = result.tokens[language]
    with ExitStack() as stack:
        stream = stack.enter_context(open(cleaned.file(language), encoding="utf-8", newline="\n"))
        bar = stack.enter_context(Progress(f"encode {corpus.split} {language}", progress, cleaned.lines))
        for lines in _chunks(stream):
            for ids in text.pieces(lines, language):
                index += 1
                if training and max_pieces and len(ids) > max_pieces:
                    result.too_long += 1
                    continue
                if held_out is not None and picked(index - 1, hold_out, cleaned.lines):
                    writer = held_out
                else:
                    writer = writers[sum(w.lines for w in writers) % len(writers)]
                writer.add(np.concatenate([ids, end]))
                missing = int((ids == unknown).sum())
                counts["tokens"] += len(ids) - missing
                counts["<unk>"] += missing
            bar.add(len(lines))
    for writer in [*writers, *([held_out] if held_out else [])]:
        if writer.lines == 0:
            raise InputError(
                f"{corpus.flag} {language}: {result.too_long} lines have over {max_pieces} tokens and too few are "
                "left; raise --max-pieces or give shorter lines"
            )
        writer.close()
    result.lines = [writer.lines for writer in writers]
    result.held_out_lines = held_out.lines if held_out else 0
    return result


def _chunks(stream) -> Iterator[list[str]]:
    while lines := [line.rstrip("\n") for line in islice(stream, _AT_A_TIME)]:
        yield lines


def files_of_encoder(report: dict) -> set[str]:
    """Every file of a finished data-bin, as paths in it."""
    shards = [f"{i}/" for i in range(report["shards"])] if report["shards"] > 1 else [""]
    files = {REPORT_FILE, *(f"{shard}{name}" for shard in shards for name in (ENCODER_FILE, TOKENIZER_FILE))}
    for row in report["corpora"]:
        name = f"{row['corpus']}-None.{row['corpus']}"
        prefixes = {f"{shard}{row['split']}" for shard in (shards if row["split"] == "train" else shards[:1])}
        prefixes |= {f"{shards[0]}valid"} if row["held_out_lines"] else set()
        files |= {f"{prefix}.{name}.{end}" for prefix in prefixes for end in ("bin", "idx")}
    return files
