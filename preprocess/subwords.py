"""Joint sub-words: learned on a sample that is balanced over the languages, and the one dictionary.

Everything here is deterministic: lines are drawn at even distances, never at random.
"""

import io
from collections import Counter
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, Optional, Sequence

from mass_plugins.data.symbols import MASK, SPECIAL, unused_symbol
from mass_plugins.data.text import TextCodec, TextSettings, split_reserved
from mass_plugins.errors import InputError

RESERVED = len(SPECIAL) + 1  # entries of a dictionary that no sub-word gets: these and [MASK]
MULTIPLE = 8  # of which the dictionary's size is one, as tensor cores like it
_THREADS = 16  # of sentencepiece; fixed, because its sums depend on it in the last digits


@dataclass(frozen=True)
class SampleFlags:
    """How the text to learn from is drawn."""

    lines: int  # at most, of all languages together
    alpha: float  # a language of n lines gets a share proportional to n ** alpha
    coverage: Optional[float]  # of all characters; None: all, while they take half of the vocabulary at most


def picked(index: int, count: int, total: int) -> int:
    """How many times line ``index`` of ``total`` is drawn, so that ``count`` are drawn at even distances."""
    return (index + 1) * count // total - index * count // total


def quotas(sizes: Sequence[int], flags: SampleFlags) -> list[int]:
    """Lines to draw of each language; a small one may be drawn more often than it has lines."""
    weights = [size**flags.alpha for size in sizes]
    total = min(sum(sizes), flags.lines)
    return [max(1, round(total * weight / sum(weights))) for weight in weights]


class Sample:
    """The lines to learn from, without reserved tokens; can be iterated several times without being in memory."""

    def __init__(
        self, files: dict[str, list[Path]], sizes: dict[str, int], flags: SampleFlags, reserved: Sequence[str] = ()
    ):
        self._files, self._sizes, self._reserved = files, sizes, reserved
        self.quotas = dict(zip(sizes, quotas(list(sizes.values()), flags)))

    def __iter__(self) -> Iterator[str]:
        for language, files in self._files.items():
            for index, line in enumerate(_lines(files)):
                for _ in range(picked(index, self.quotas[language], self._sizes[language])):
                    yield split_reserved(line, self._reserved)[1]


def _lines(files: list[Path]) -> Iterator[str]:
    for file in files:
        with open(file, encoding="utf-8", newline="\n") as stream:
            for line in stream:
                yield line.rstrip("\n")


def learn(settings: TextSettings, sample: Sample, size: int, flags: SampleFlags) -> tuple[TextCodec, list[str]]:
    """Learn sub-words for a dictionary of ``size`` entries, special ones included.

    Returns: the codec, and every symbol that it can produce from the characters it knows.

    Raises:
        InputError: ``size`` has no room for the characters.
    """
    if settings.subwords == "sentencepiece":
        return _learn_sentencepiece(settings, sample, size, flags)
    return _learn_bpe(settings, sample, size, flags)


def covered_characters(counts: Counter, room: int, coverage: Optional[float]) -> list[str]:
    """The characters that get a sub-word of their own, most frequent first.

    ``room``: how many may have one. Without a coverage, they take half of it at most.
    """
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    if coverage is None:
        return ranked[: max(1, room // 2)]
    kept, seen, total = [], 0, sum(counts.values())
    for character in ranked:
        if seen >= coverage * total:
            break
        kept.append(character)
        seen += counts[character]
    if len(kept) >= room:
        raise InputError(
            f"--vocab-size has room for {max(room, 0)} characters but the text has {len(kept)}; raise it, "
            "or lower --character-coverage"
        )
    return kept


def _learn_sentencepiece(settings, sample: Sample, size: int, flags: SampleFlags) -> tuple[TextCodec, list[str]]:
    import sentencepiece

    characters = Counter()
    for line in sample:
        characters.update(line)
    del characters[" "]
    room = size - RESERVED - len(settings.reserve)
    kept = covered_characters(characters, room - 1, flags.coverage)
    others = str.maketrans(dict.fromkeys(set(characters).difference(kept), " "))
    lines = (line.translate(others) for line in sample) if others else iter(sample)
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=lines, model_writer=model,  # paths would be stored in the model
            model_type="unigram", vocab_size=room + 1, hard_vocab_limit=False,  # + 1: <unk>
            bos_id=-1, eos_id=-1, normalization_rule_name="identity", max_sentence_length=1 << 16,
            character_coverage=1.0, required_chars="".join(kept),  # its coverage is a 32-bit float
            num_threads=_THREADS, minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:
        raise too_little_text(size, str(error).split("] ")[-1]) from None
    codec = TextCodec(settings, model.getvalue())
    return codec, sentencepiece_symbols(codec)


def too_little_text(size: int, why: str) -> InputError:
    return InputError(
        f"--vocab-size {size}: no sub-words can be learned from this text ({why}); give more text or raise it"
    )


def sentencepiece_symbols(codec: TextCodec) -> list[str]:
    """Every piece of the model, without its special ones."""
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_proto=codec.model)
    ids = range(model.get_piece_size())
    return [model.id_to_piece(i) for i in ids if not (model.is_unknown(i) or model.is_control(i))]


def _learn_bpe(settings, sample: Sample, size: int, flags: SampleFlags) -> tuple[TextCodec, list[str]]:
    from subword_nmt.learn_bpe import learn_bpe

    words, characters = Counter(), Counter()
    for line in sample:
        words.update(line.split())
    for word, count in words.items():
        for character in word:
            characters[character] += count
    symbols = size - RESERVED - len(settings.reserve)
    room = symbols // 2  # a character has two forms, at the end of a word and inside
    kept = covered_characters(characters, room, flags.coverage)
    merges, known = symbols - 2 * len(kept), set(kept)
    vocabulary = [f"{word} {count}\n" for word, count in sorted(words.items()) if known.issuperset(word)]
    codes = io.StringIO()
    try:
        with redirect_stderr(io.StringIO()):  # its own progress bar
            learn_bpe(vocabulary, codes, merges, is_dict=True)
    except ValueError:  # no word of two characters
        codes.truncate(0)
    if codes.getvalue().count("\n") < 2:
        raise too_little_text(size, "no two of the letters that it has room for stand together twice")
    codec = TextCodec(settings, codes.getvalue().encode("utf-8"))
    return codec, [form for character in kept for form in (character, character + "@@")] + bpe_symbols(codec)


def bpe_symbols(codec: TextCodec) -> list[str]:
    """What the merges make: ``abc`` at the end of a word, ``abc@@`` elsewhere."""
    merged = (line.replace(" ", "") for line in codec.model.decode("utf-8").split("\n")[1:] if line)
    return [symbol[: -len("</w>")] if symbol.endswith("</w>") else symbol + "@@" for symbol in merged]


def model_symbols(codec: TextCodec) -> set[str]:
    """Every symbol of more than one character that a codec can produce (and its pieces of one)."""
    if codec.settings.subwords == "sentencepiece":
        return set(sentencepiece_symbols(codec))
    if codec.settings.subwords == "tokenizer":
        return codec.vocabulary()
    return set(bpe_symbols(codec))


def write_dictionary(path: Path, symbols: Iterable[str], counts: Counter, reserved: Sequence[str] = ()) -> int:
    """``[MASK] 1``, the reserved tokens, the symbols by falling count, and fairseq's padding; returns the size with
    special ones."""
    ranked = sorted(set(symbols).difference(SPECIAL, [MASK], reserved), key=lambda s: (-counts[s], s))
    lines = [*(f"{symbol} 1" for symbol in (MASK, *reserved)), *(f"{symbol} {counts[symbol]}" for symbol in ranked)]
    missing = -(len(SPECIAL) + len(lines)) % MULTIPLE
    lines += [f"{unused_symbol(i)} 0" for i in range(missing)]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return len(SPECIAL) + len(lines)


def read_dictionary(path: Path, flag: str = "--dictionary") -> list[str]:
    """The symbols of an existing dictionary, in its order.

    Raises:
        InputError: not a dictionary, a symbol twice, or no ``[MASK]``.
    """
    try:
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except FileNotFoundError:
        raise InputError(f"{flag} {path} doesn't exist; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{flag} {path} is a folder; name the file in it") from None
    except UnicodeDecodeError:
        raise InputError(f"{flag} {path} is not UTF-8; give a dict.<language>.txt of fairseq's") from None
    symbols: dict[str, int] = dict.fromkeys(SPECIAL, 0)
    for number, line in enumerate(lines, start=1):
        symbol, _, count = line.removesuffix(" #fairseq:overwrite").rpartition(" ")
        if not symbol or not count.lstrip("-").isdigit():
            raise InputError(f"{flag} {path}, line {number} is not '<symbol> <count>': {line[:40]!r}; fix it")
        if symbol in symbols:
            raise InputError(f"{flag} {path}, line {number} has {symbol!r} a second time; take the line out")
        symbols[symbol] = number
    if MASK not in symbols:
        raise InputError(
            f"{flag} {path} lacks {MASK}; add the line '{MASK} 1' at its end, which keeps the ids of all others"
        )
    return list(symbols)[len(SPECIAL) :]
