"""The two passes over a corpus: raw text -> words (cleaning), words -> sub-words (encoding)."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional

import numpy as np

from mass_plugins.data.progress import Progress
from mass_plugins.data.seen_hashes import SeenHashes, hash_lines
from mass_plugins.data.symbols import MASK
from mass_plugins.data.text import TextSettings, WordPipeline
from mass_plugins.data.text_files import open_text
from mass_plugins.errors import InputError
from preprocess.corpora import Corpus
from preprocess.filter import Limits, reason_to_drop
from preprocess.streaming import Chunk, describe_counts, read_aligned
from preprocess.subwords import picked
from preprocess.vocabulary import Vocabulary
from preprocess.workers import ordered_map

_TAKEN = frozenset(["<s>", "<pad>", "</s>", MASK])  # as sub-words they would be more than text


class Rows(NamedTuple):
    """A piece of a corpus on its way through a stage."""

    rows: list[tuple[str, ...]]  # per line, one text a language
    read: int
    dropped: Counter
    hashes: Optional[np.ndarray]  # (rows,) uint64, to find duplicates
    tokens: dict[str, Counter]  # side -> sub-word of the dictionary, or <unk> -> how often
    cut: int = 0


@dataclass
class Cleaned:
    """What the first pass left of a corpus."""

    corpus: Corpus
    prefix: Path  # PREFIX.<side>: words joined by spaces
    lines: int
    read: int
    dropped: Counter

    def file(self, side: str) -> Path:
        return Path(f"{self.prefix}.{side}")


@dataclass
class Encoded:
    """What the second pass wrote."""

    corpus: Corpus
    shards: list[Path]  # prefixes of sub-word text; valid and test have one
    lines: list[int]  # per shard
    too_long: int
    held_out: Optional[Path] = None  # prefix of the lines kept back for validation
    held_out_lines: int = 0
    cut: int = 0  # sources of one-language pairs that lost their end
    tokens: dict[str, Counter] = field(default_factory=dict)  # side -> sub-word or <unk> -> how often


@dataclass(frozen=True)
class Cleaning:
    """How text is cleaned; the limits and duplicates concern training text only."""

    settings: TextSettings
    limits: Limits
    keep_duplicates: bool

    def limits_of(self, corpus: Corpus) -> Limits:
        """A document may have any length, and any ratio to its summary; encoding cuts it where it is too long."""
        if corpus.of_one_language:
            return replace(self.limits, max_words=0, max_characters=0, max_ratio=0)
        return self.limits


def clean(
    corpus: Corpus, total: int, prefix: Path, how: Cleaning, workers: int, progress: Optional[bool]
) -> Cleaned:  # fmt: skip
    """Normalize, filter and tokenize a corpus of ``total`` lines into ``PREFIX.<side>``.

    Lines of validation and test text all stay, so that they keep fitting to their references.

    Raises:
        InputError: no line is left.
    """
    training = corpus.split == "train"
    seen = SeenHashes() if training and not how.keep_duplicates else None
    for language in corpus.languages:
        WordPipeline(how.settings).words("", language)  # imports what it needs before the processes fork
    result = Cleaned(corpus, prefix, 0, 0, Counter())
    arguments = (how.settings, corpus.languages, how.limits_of(corpus) if training else None, seen is not None)
    with ExitStack() as stack:
        outputs = [stack.enter_context(_create(result.file(side))) for side in corpus.sides]
        bar = stack.enter_context(Progress(f"clean {corpus.split} {corpus.name}", progress, total))
        for batch in ordered_map(_make_cleaner, arguments, _read_raw(corpus), workers):
            rows = batch.rows
            if seen is not None:
                rows = [row for row, new in zip(rows, seen.add(batch.hashes)) if new]
                result.dropped["duplicates"] += len(batch.rows) - len(rows)
            for row in rows:
                for output, text in zip(outputs, row):
                    output.write(text + "\n")
            result.lines += len(rows)
            result.read += batch.read
            result.dropped += batch.dropped
            bar.add(batch.read)
    if result.lines == 0:
        raise InputError(
            f"{corpus.flag} {corpus.name}: no text is left ({describe_counts(result.read, result.dropped)}); "
            "give other files or loosen the limits"
        )
    return result


def _make_cleaner(
    settings: TextSettings, languages: tuple[str, ...], limits: Optional[Limits], hashed: bool
) -> Callable[[tuple[Chunk, ...]], Rows]:
    pipeline = WordPipeline(settings)

    def clean_chunk(chunks: tuple[Chunk, ...]) -> Rows:
        columns = [chunk.lines() for chunk in chunks]
        dropped, kept = Counter(), []
        for cells in zip(*columns):
            cells = list(map(pipeline.normalize, cells, languages))
            reason = reason_to_drop(cells, languages, limits) if limits else None
            if reason:
                dropped[reason] += 1
            else:
                kept.append(cells)
        hashes = hash_lines(["\t".join(cells) for cells in kept]) if hashed else None
        rows = [tuple(map(pipeline.tokenize, cells, languages)) for cells in kept]
        return Rows(rows, len(columns[0]), dropped, hashes, {})

    return clean_chunk


def encode(
    cleaned: Cleaned, folder: Path, vocabulary: Vocabulary, shards: int, hold_out: int, max_pieces: int,
    running_text: bool, keep_end: bool, workers: int, progress: Optional[bool],
) -> Encoded:  # fmt: skip
    """Words -> sub-words, training lines dealt out to the shards in turn.

    ``hold_out`` lines at even distances become validation text. Of running text each shard is a
    stretch, and the validation text its end. Training lines of more than ``max_pieces`` sub-words
    (0: no limit) are dropped; of pairs of one language, whose source is a document or the context of
    an answer, a longer source is cut, in validation and test text, too: its end, or its beginning.
    """
    corpus, training = cleaned.corpus, cleaned.corpus.split == "train"
    prefixes = [folder / f"{corpus.split}{i}.{corpus.name}" for i in range(shards if training else 1)]
    result = Encoded(corpus, prefixes, [0] * len(prefixes), 0, tokens={side: Counter() for side in corpus.sides})
    if hold_out:
        result.held_out = folder / f"valid0.{corpus.name}"
    with ExitStack() as stack:
        bar = stack.enter_context(Progress(f"encode {corpus.split} {corpus.name}", progress, cleaned.lines))

        def create(prefix: Path):
            return [stack.enter_context(_create(f"{prefix}.{side}")) for side in corpus.sides]

        outputs = [create(prefix) for prefix in prefixes]
        kept_back = create(result.held_out) if hold_out else []
        index = 0
        arguments = (vocabulary, corpus.sides, max_pieces if training else 0, max_pieces * corpus.of_one_language,
                     keep_end)  # fmt: skip
        for batch in ordered_map(_make_encoder, arguments, _read_words(cleaned), workers):
            for row in batch.rows:
                index += 1
                if not row:
                    result.too_long += 1
                    continue
                rest = cleaned.lines - hold_out  # of running text, for training
                if index > rest if running_text else picked(index - 1, hold_out, cleaned.lines):
                    result.held_out_lines += 1
                    chosen = kept_back
                else:
                    in_turn = sum(result.lines) % len(prefixes)
                    shard = (index - 1) * len(prefixes) // rest if running_text else in_turn
                    result.lines[shard] += 1
                    chosen = outputs[shard]
                for output, text in zip(chosen, row):
                    output.write(text + "\n")
            for side, tokens in batch.tokens.items():
                result.tokens[side] += tokens
            result.cut += batch.cut
            bar.add(batch.read)
    return result


def _make_encoder(
    vocabulary: Vocabulary, sides: tuple[str, ...], max_pieces: int, longest_source: int, keep_end: bool
) -> Callable[[tuple[Chunk, ...]], Rows]:
    codec, known = vocabulary.codec, frozenset(vocabulary.symbols)

    def encode_chunk(chunks: tuple[Chunk, ...]) -> Rows:
        columns = [chunk.lines() for chunk in chunks]
        tokens, rows, cut = {side: Counter() for side in sides}, [], 0
        for words in zip(*columns):
            row = tuple(map(codec.segment, words))
            pieces = [text.split() for text in row]
            if longest_source and len(pieces[0]) > longest_source:
                pieces[0] = pieces[0][-longest_source:] if keep_end else pieces[0][:longest_source]
                row = (" ".join(pieces[0]), *row[1:])
                cut += 1
            if max_pieces and max(map(len, pieces)) > max_pieces:
                rows.append(())
                continue
            for side, found, text in zip(sides, pieces, words):
                if not _TAKEN.isdisjoint(found):
                    raise InputError(
                        f"{chunks[0].name} has a reserved symbol ({', '.join(sorted(_TAKEN.intersection(found)))}) "
                        f"in the line {text[:60]!r}; take it out of the text"
                    )
                tokens[side].update(piece if piece in known else "<unk>" for piece in found)
            rows.append(row)
        return Rows(rows, len(columns[0]), Counter(), None, tokens, cut)

    return encode_chunk


def _read_raw(corpus: Corpus) -> Iterator[tuple[Chunk, ...]]:
    for part in corpus.parts:
        with ExitStack() as stack:
            streams = [stack.enter_context(open_text(path)) for path in part]
            yield from read_aligned(streams, list(map(str, part)))


def _read_words(cleaned: Cleaned) -> Iterator[tuple[Chunk, ...]]:
    corpus = cleaned.corpus
    with ExitStack() as stack:
        streams = [stack.enter_context(open(cleaned.file(side), "rb")) for side in corpus.sides]
        yield from read_aligned(streams, [f"{corpus.flag} {corpus.name}"] * len(streams))


def _create(path):
    return open(path, "w", encoding="utf-8", newline="\n")
