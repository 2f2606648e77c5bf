"""A large monolingual corpus -> synthetic pairs for a later training: offline back-translation.

The model translates real text. The translation is the source of a pair, the real line its target (Sennrich et al.
2016). Sources may be drawn instead of searched for (Edunov et al. 2018) and begin with a tag, by which the model
that is trained on them tells them from real ones (Caswell et al. 2019).
"""

import dataclasses
import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from mass_plugins.data.progress import Progress
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.seen_hashes import SeenHashes, hash_lines
from mass_plugins.data.symbols import MASK, UNUSED
from mass_plugins.data.text_files import WHOLE, Shard, count_lines, digest, read_lines, reading
from mass_plugins.errors import InputError
from mass_plugins.generation.pair_files import PairFiles, Record, complete, find_record
from mass_plugins.generation.translator import Translator

NAME = "bt"


@dataclass(frozen=True)
class Settings:
    """What decides the pairs. A run that was cut off goes on with the same settings only.

    Attributes:
        source: language of the real text.
        target: language that it is translated into.
        beam: width of the search, 1 is greedy.
        sampling: draw instead of searching, as ``Translator.translate`` does; with ``temperature``,
            ``sampling_topk`` (0: of all tokens), ``sampling_topp`` (1: of all), and ``seed``.
        max_len_a, max_len_b: a translation that doesn't end within ``a * source length + b`` sub-words is left out.
        max_pieces: longer lines (in sub-words) are left out; default: what the model has positions for.
        tag: stands before each translation.
        raw: write detokenized text, and the real lines as they came; default: sub-words on both sides.
        drop_copies: leave out translations that are equal to what they translate.
        shard: the lines to translate.
    """

    source: str
    target: str
    beam: int = 1
    sampling: bool = False
    temperature: float = 1.0
    sampling_topk: int = 0
    sampling_topp: float = 1.0
    seed: int = 1
    max_len_a: float = 1.5
    max_len_b: int = 20
    max_pieces: Optional[int] = None
    tag: Optional[str] = None
    raw: bool = False
    drop_copies: bool = False
    shard: Shard = WHOLE

    def __post_init__(self):
        if self.source == self.target:
            raise InputError(f"--source and --target are both {self.source}; name the language to translate into")
        if self.sampling and self.beam > 1:
            raise InputError(f"--beam {self.beam} is a search, --sampling draws; leave one of them out")
        for name in ("temperature", "sampling_topk", "sampling_topp", "seed"):
            if not self.sampling and getattr(self, name) != getattr(type(self), name):
                raise InputError(f"{_flag(name)} does nothing without --sampling; add that or leave it out")
        if not 0 <= self.max_len_a < float("inf"):
            raise InputError(f"--max-len-a {self.max_len_a} is not a length; set it to 1.5 or so")
        if self.max_len_b < 1:
            raise InputError(f"--max-len-b {self.max_len_b} is not 1 or more; set it to 20 or so")

    def as_flags(self) -> dict[str, Any]:
        """Flag -> value, as a record holds them."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {_flag(name): str(value) if name == "shard" else value for name, value in values.items()}

    @property
    def name(self) -> str:
        """Of the files, without their endings."""
        return NAME + self.shard.suffix


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


class Pairs(NamedTuple):
    """What became of a chunk of lines."""

    synthetic: list[str]
    real: list[str]
    hashes: np.ndarray  # (N,) uint64, of the lines that weren't there before
    copies: int
    left_out: Counter  # reason -> lines


class PairMaker:
    """Real lines -> pairs.

    Raises:
        InputError: the model doesn't know a language or the tag, or has fewer positions than asked for.
    """

    def __init__(self, translator: Translator, settings: Settings, batch_tokens: int):
        self.translator, self.settings, self.batch_tokens = translator, settings, batch_tokens
        task = translator.task
        for language, flag in ((settings.source, "--source"), (settings.target, "--target")):
            task.language_index(language, flag)
        self.codec, self.symbols, self.indices = translator.codec, task.dictionary.symbols, task.dictionary.indices
        self.unknown, self.eos = task.dictionary.unk(), task.dictionary.eos()
        positions = min(translator.model.max_positions())
        self.max_len = positions - 1
        self.max_pieces = _max_pieces(settings.max_pieces, positions)
        self._check_tag(task.cfg.data)
        self.reserved = {*self.symbols[: task.dictionary.nspecial], MASK, *self.codec.settings.reserve}
        if settings.tag:
            self.reserved.add(settings.tag)
        self.ordinary = task.vocabulary.ordinary_table(len(self.symbols))  # tokens that a translation may hold
        self.ordinary[[self.indices[symbol] for symbol in self.reserved if symbol in self.indices]] = False
        self.search = translator.search(
            beam=settings.beam,
            max_len_a=settings.max_len_a,
            max_len_b=settings.max_len_b,
            sampling=settings.sampling,
            sampling_topk=settings.sampling_topk or -1,
            sampling_topp=settings.sampling_topp if settings.sampling else -1.0,
            temperature=settings.temperature,
        )

    def _check_tag(self, data: str) -> None:
        tag = self.settings.tag
        if tag is None:
            return
        if tag in self.symbols[:4] or tag == MASK:
            raise InputError(f"--tag {tag} has a meaning of its own; choose another")
        if tag not in self.indices:
            unused = [symbol for symbol in self.symbols if symbol.startswith(UNUSED)]
            instead = f"give an entry of it that no text uses, --tag {unused[0]}, or " if unused else ""
            raise InputError(
                f"--tag {tag} is not in the dictionary of {data}; {instead}pre-train with data from "
                f"prepare.py --reserve '{tag}'"
            )
        if self.settings.raw and tag not in self.codec.settings.reserve:
            raise InputError(
                f"--tag {tag} would be cut into sub-words when the --raw text is prepared; leave out --raw, or "
                f"pre-train with data from prepare.py --reserve"
            )

    def pairs(self, lines: Sequence[str], seen: SeenHashes, key: int) -> Pairs:
        """Translate a chunk of lines; pairs come in their order.

        Args:
            lines: real text.
            seen: lines that were translated before; these are added.
            key: of the draws.
        """
        left_out: Counter = Counter()
        candidates = list(self._encode(lines, left_out))
        hashes = hash_lines([pieces for _, pieces in candidates])
        new = seen.add(hashes)
        left_out["duplicates"] += len(candidates) - int(new.sum())
        candidates = [candidate for candidate, fresh in zip(candidates, new) if fresh]
        rows = [self._ids(pieces) for _, pieces in candidates]
        synthetic, real, copies = [], [], 0
        for (line, pieces), row, tokens in zip(candidates, rows, self._translate(rows, key)):
            ids = tokens[:-1].numpy()
            translation = " ".join(self.symbols[token] for token in ids.tolist())
            reason = self._reason_to_drop(ids, translation, len(row))
            if not reason and translation == pieces:
                copies += 1
                reason = "copies" if self.settings.drop_copies else ""
            if reason:
                left_out[reason] += 1
                continue
            if self.settings.raw:
                translation = self.codec.decode(translation, self.settings.target)
            synthetic.append(f"{self.settings.tag} {translation}" if self.settings.tag else translation)
            real.append(line if self.settings.raw else pieces)
        return Pairs(synthetic, real, hashes[new], copies, +left_out)

    def _encode(self, lines: Sequence[str], left_out: Counter) -> Iterator[tuple[str, str]]:
        """Lines and their sub-words joined by spaces."""
        for line in lines:
            pieces = self.codec.encode(line, self.settings.source)
            listed = pieces.split()
            if not listed:
                left_out["empty"] += 1
            elif len(listed) > self.max_pieces:
                left_out[f"over {self.max_pieces} sub-words"] += 1
            elif MASK in line or not self.reserved.isdisjoint(listed):
                left_out["with a reserved symbol"] += 1
            else:
                yield line, pieces

    def _ids(self, pieces: str) -> np.ndarray:
        return np.array([*(self.indices.get(piece, self.unknown) for piece in pieces.split()), self.eos])

    def _translate(self, rows: list[np.ndarray], key: int) -> list[Tensor]:
        device = self.translator.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(key)
            try:
                return self.translator.generate(
                    self.search, rows, self.settings.source, self.settings.target, self.batch_tokens
                )
            except torch.OutOfMemoryError:
                raise InputError(
                    f"--batch-tokens {self.batch_tokens} is too much for the memory of {device}; lower it and "
                    "re-run the command, which resumes where it stopped"
                ) from None

    def _reason_to_drop(self, ids: np.ndarray, translation: str, source_length: int) -> str:
        """Of a translation without its ``</s>``; the same in whichever batch it was made. Empty: it stays."""
        longest = min(int(self.settings.max_len_a * source_length + self.settings.max_len_b), self.max_len)
        if len(ids) >= longest:
            return "translations that did not end"
        if not self.ordinary[ids].all():
            return "translations with special symbols"
        return "" if self.codec.join(translation) else "empty translations"


def _max_pieces(asked: Optional[int], positions: int) -> int:
    """Most sub-words of a line: with ``</s>`` they need positions, in this model and in one trained on the pairs."""
    if asked is not None and asked >= positions:
        raise InputError(f"--max-pieces {asked} and </s> are more than the model's {positions} positions; lower it")
    return asked or positions - 1


def run(
    translator: Translator,
    checkpoint: Path,
    inputs: Sequence[Path],
    destdir: Path,
    settings: Settings,
    batch_tokens: int = 4000,
    buffer: int = 5000,
    overwrite: bool = False,
    progress: Optional[bool] = None,
) -> str:
    """Translate files into ``destdir``, going on where an earlier run stopped; returns a report.

    Args:
        checkpoint: the file that the translator was loaded from.
        inputs: text, one sentence a line; plain, .gz, .xz or .bz2.
        batch_tokens: source sub-words (padding included) times beam translated at once.
        buffer: lines that are sorted by length, translated and kept together.
        overwrite: give up pairs that were made with other settings.
        progress: show a bar; default: if stderr is a terminal.

    Raises:
        InputError: input that doesn't fit, pairs made otherwise, no pair in the end.
    """
    prefix, languages = destdir / settings.name, (settings.target, settings.source)
    maker = PairMaker(translator, settings, batch_tokens)
    flags = {**settings.as_flags(), "--input": [f"{path.name} ({_size(path)} bytes)" for path in inputs]}
    flags |= {"CHECKPOINT": digest(checkpoint), "the text pipeline": _digest_of_codec(translator.codec)}
    record = find_record(prefix, languages, flags, overwrite)
    if record is not None and record.finished:
        complete(prefix, languages)
        return f"{_report(prefix, languages, record, settings)}\nnothing to do: this was made before"
    if record is None:
        record = Record(flags, _count(inputs, settings.shard, progress))
    read, start = record.read, time.monotonic()
    with PairFiles(prefix, languages, record) as files:
        _translate_rest(maker, inputs, files, buffer, progress)
        if record.pairs == 0:
            files.discard()
            raise InputError(f"no pair came of {record.read} lines: {_reasons(record)}; give other text or settings")
        files.finish()
    rate = f"{(record.read - read) / (time.monotonic() - start):.1f} lines per second"
    rest = f" ({record.read - read} lines in this run)" if read else ""
    return f"{_report(prefix, languages, record, settings)}\n{rate}{rest}"


def _translate_rest(
    maker: PairMaker, inputs: Sequence[Path], files: PairFiles, buffer: int, progress: Optional[bool]
) -> None:
    settings, record = maker.settings, files.record
    seen = SeenHashes()
    for hashes in files.seen_hashes():
        seen.add(hashes)
    lines = read_lines(inputs, "--input", settings.shard, skip=record.position)
    label = f"{settings.source} -> {settings.target}" + (f", {settings.shard}" if settings.shard.count > 1 else "")
    with Progress(label, progress, record.total, record.read) as bar:
        while chunk := list(islice(lines, buffer)):
            # Draws depend on the chunk's place alone, so that a run that goes on draws what it would have drawn.
            key = sentence_keys(settings.seed, settings.shard.index, np.array([record.position]))[0]
            made = maker.pairs([line for _, line in chunk], seen, int(key) >> 1)
            record.position = chunk[-1][0]
            record.count(len(chunk), len(made.real), made.copies, made.left_out)
            files.commit((made.synthetic, made.real), made.hashes)
            bar.add(len(chunk))
    if record.read != record.total:
        raise InputError(
            f"--input has {record.read} lines where it had {record.total} at the beginning; "
            "give --overwrite to start over"
        )


def _size(path: Path) -> int:
    with reading(path, "--input"):
        return path.stat().st_size


def _digest_of_codec(codec) -> str:
    return hashlib.blake2b(repr(codec.settings).encode("utf-8") + codec.model, digest_size=16).hexdigest()


def _count(inputs: Sequence[Path], shard: Shard, progress: Optional[bool]) -> int:
    with Progress("look through", progress) as bar:
        count = count_lines(inputs, "--input", shard, bar)
    if count == 0:
        raise InputError(f"no line of --input falls to --shard {shard}; use fewer shards")
    return count


def _reasons(record: Record) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in record.left_out.items()) or "none"


def _report(prefix: Path, languages: tuple[str, str], record: Record, settings: Settings) -> str:
    synthetic, real = languages
    lines = [
        f"{prefix}.{synthetic} (translations), {prefix}.{real} (real text): {record.pairs} pairs",
        f"{record.read} lines read, {sum(record.left_out.values())} left out: {_reasons(record)}",
    ]
    if record.copies and not settings.drop_copies:
        lines.append(f"{record.copies} translations are copies of their line; --drop-copies leaves such pairs out")
    return "\n".join(lines)
