"""Raw lines <-> what a text encoder reads: ``[CLS] .. [SEP]`` as token ids.

Two kinds of text pipeline have one interface, :class:`EncoderText`: a tokenizer file of Hugging Face's ``tokenizers``
(``tokenizer.json`` and ``encoder_text.json``; ids are the tokenizer's own, so nothing of an imported model is
re-ordered), and the sub-words of ``preprocess/prepare.py`` (``text.json``, its model file, ``dict.<language>.txt``).
The files lie in a data-bin and beside checkpoints.
"""

import json
import os
import re
from abc import ABC, abstractmethod
from hashlib import blake2b
from pathlib import Path
from typing import Iterable, NamedTuple, Optional, Sequence

import numpy as np
from fairseq.data import Dictionary

from mass_plugins.data.binarized import find_languages, load_joint_dictionary
from mass_plugins.data.json_file import write_json
from mass_plugins.data.symbols import MASK, UNUSED, unused_symbol
from mass_plugins.data.text import SETTINGS_FILE, SPACE_SIGN, TextCodec, open_tokenizer
from mass_plugins.data.text_files import whole_file, write_whole
from mass_plugins.data.vocabulary import Vocabulary, WordMarks
from mass_plugins.errors import InputError

VERSION = 1
MANY_UNKNOWN = 0.1  # share of tokens from which on a tokenizer is likely to be another language's
TOKENIZER_FILE = "tokenizer.json"
ENCODER_FILE = "encoder_text.json"
# role -> names that tokenizers give it
SPECIALS = {
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "mask": (MASK, "<mask>"),
}
# Characters of the languages of data/text.py's WITHOUT_SPACES and their punctuation: Thai, Lao, Tibetan, Burmese,
# Khmer, Japanese and Chinese; explicit ranges, as there.
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\u2e80-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\uff01-\uff9f\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)


class EncoderDictionary(Dictionary):
    """fairseq's dictionary with the ids of a tokenizer: special symbols are wherever that has them.

    Args:
        symbols: in the order of their ids.
        specials: role -> symbol, of the roles of ``SPECIALS``; ``bos`` is the CLS and ``eos`` the SEP.
    """

    def __init__(self, symbols: Sequence[str], specials: dict[str, str]):
        names = {"bos": specials["cls"], "pad": specials["pad"], "eos": specials["sep"], "unk": specials["unk"]}
        super().__init__(**names, add_special_symbols=False)
        for symbol in symbols:
            self.add_symbol(symbol)
        self.bos_index, self.pad_index = self.indices[specials["cls"]], self.indices[specials["pad"]]
        self.eos_index, self.unk_index = self.indices[specials["sep"]], self.indices[specials["unk"]]
        self.nspecial = 0


class TextCounts(NamedTuple):
    """Of texts that were encoded: those that were cut, all tokens without CLS and SEP, the unknown ones."""

    cut: int = 0
    tokens: int = 0
    unknown: int = 0

    def plus(self, other: "TextCounts") -> "TextCounts":
        return TextCounts(*(a + b for a, b in zip(self, other)))

    @property
    def warning(self) -> Optional[str]:
        """A line, if so many tokens are unknown that vectors tell little of the texts."""
        share = self.unknown / max(self.tokens, 1)
        if share <= MANY_UNKNOWN:
            return None
        return f"{100 * share:.0f} % of the texts' tokens are unknown to the tokenizer; is it made for this language?"


class EncoderText(ABC):
    """The text pipeline of an encoder.

    Attributes:
        dictionary: whose ``bos`` is the CLS and ``eos`` the SEP.
        vocabulary: ids of mask, padding, SEP, and of the tokens that are neither special nor unused.
        marks: where words begin.
    """

    dictionary: Dictionary
    vocabulary: Vocabulary
    marks: WordMarks

    @property
    def mask(self) -> int:
        """Id of the mask token."""
        return self.vocabulary.mask

    @property
    def cls(self) -> int:
        """Id of the token that a text begins with."""
        return self.dictionary.bos()

    @abstractmethod
    def pieces(self, lines: Sequence[str], language: Optional[str] = None) -> list[np.ndarray]:
        """Raw lines -> ids of each without CLS and SEP, int64."""

    @abstractmethod
    def check_language(self, language: Optional[str]) -> None:
        """Raise InputError if a user's ``language`` has no meaning for this pipeline."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes when a line may be encoded otherwise."""

    def equals(self, other: "EncoderText") -> bool:
        """Whether the other one has the same ids and gives them to every line."""
        same = self.dictionary.symbols == other.dictionary.symbols
        return same and self.fingerprint() == other.fingerprint()

    @abstractmethod
    def save(self, folder: str | os.PathLike) -> None:
        """Write the files into ``folder``, each whole or not at all."""

    def encode(
        self, lines: Iterable[str], max_tokens: Optional[int] = None, language: Optional[str] = None
    ) -> list[np.ndarray]:
        """Raw lines -> int64 ids of each, CLS first and SEP last; an empty line is these two.

        Args:
            max_tokens: longer ones lose their ends and keep their SEP; counts CLS and SEP, at least 2.
            language: of our own sub-words, whose cleaning goes by it; default the first.

        Raises:
            InputError: one line alone, an item that is no text or has half a surrogate pair in it, ``max_tokens``
                below 2, a language that means nothing.
        """
        lines = _checked(lines)
        if max_tokens is not None and max_tokens < 2:
            raise InputError(f"max_tokens={max_tokens} has no room for {self._ends()}; raise it")
        room = None if max_tokens is None else max_tokens - 2
        first, last = np.array([self.dictionary.bos()]), np.array([self.dictionary.eos()])
        return [np.concatenate([first, ids[:room], last]) for ids in self.pieces(lines, language)]

    def count(self, rows: Sequence[np.ndarray]) -> TextCounts:
        """Of what ``encode`` gave, not cut."""
        tokens = sum(map(len, rows)) - 2 * len(rows)
        return TextCounts(0, tokens, sum(int((row == self.dictionary.unk()).sum()) for row in rows))

    def _ends(self) -> str:
        return f"{self.dictionary[self.dictionary.bos()]} and {self.dictionary[self.dictionary.eos()]}"

    @staticmethod
    def is_in(folder: str | os.PathLike) -> bool:
        """Whether a folder holds a text pipeline."""
        return any((Path(folder) / name).is_file() for name in (ENCODER_FILE, SETTINGS_FILE))

    @staticmethod
    def load(folder: str | os.PathLike) -> "EncoderText":
        """Read what ``save`` or prepare.py wrote.

        Raises:
            InputError: no pipeline there, a damaged file, or one of a newer version.
        """
        if (Path(folder) / ENCODER_FILE).is_file():
            return TokenizerText.load(folder)
        if (Path(folder) / SETTINGS_FILE).is_file():
            return SubwordText.load(folder)
        raise InputError(
            f"{folder} has neither {ENCODER_FILE} nor {SETTINGS_FILE}, so raw text can't be read; prepare it with "
            "preprocess/prepare_encoder.py, or import a model with its tokenizer"
        )

    @staticmethod
    def load_shards(folders: Sequence[str]) -> "EncoderText":
        """The pipeline that the shards of a data set share.

        Raises:
            InputError: as ``load``, or a shard has another one.
        """
        text = EncoderText.load(folders[0])
        for folder in folders[1:]:
            if not text.equals(EncoderText.load(folder)):
                raise InputError(
                    f"{folder} was prepared with another tokenizer than {folders[0]}; shards share one: prepare them "
                    f"with --like {folders[0]}"
                )
        return text


class TokenizerText(EncoderText):
    """A tokenizer file of Hugging Face's.

    Args:
        tokenizer: content of ``tokenizer.json``; kept byte for byte.
        specials: role -> symbol; default: the usual names, as far as the tokenizer has them.
        size: entries of the vocabulary; the model may have more than the tokenizer.

    Raises:
        InputError: not a tokenizer file, a missing special token, more tokens than ``size``.
    """

    def __init__(self, tokenizer: bytes, specials: Optional[dict[str, str]] = None, size: Optional[int] = None):
        self.content = tokenizer
        self.tokenizer = open_tokenizer(tokenizer)
        ids = self.tokenizer.get_vocab(with_added_tokens=True)
        self.specials = _find_specials(ids, specials or {})
        symbols = _symbols_by_id(ids, size)
        self.dictionary = EncoderDictionary(symbols, self.specials)
        settings = json.loads(tokenizer)
        added = {token["content"] for token in settings.get("added_tokens", []) if token.get("special")}
        special = added | set(self.specials.values())
        ordinary = [i for i, s in enumerate(symbols) if s not in special and not s.startswith(("[unused", UNUSED))]
        self.vocabulary = Vocabulary(
            mask=self.dictionary.index(self.specials["mask"]),
            pad=self.dictionary.pad(),
            eos=self.dictionary.eos(),
            ordinary=np.array(ordinary, dtype=np.int64),
        )
        self.special_ids = np.array([i for i, symbol in enumerate(symbols) if symbol in special], dtype=np.int64)
        self.marks = _marks(settings, symbols, special)

    @property
    def is_sentencepiece(self) -> bool:
        """Whether tokens mark spaces as sentencepiece does, not as WordPiece or byte-level BPE do."""
        return any(symbol.startswith(SPACE_SIGN) for symbol in self.dictionary.symbols)

    def __reduce__(self):
        return TokenizerText, (self.content, self.specials, len(self.dictionary))

    def pieces(self, lines: Sequence[str], language: Optional[str] = None) -> list[np.ndarray]:
        try:
            encoded = self.tokenizer.encode_batch_fast(list(lines), add_special_tokens=False)
        except (TypeError, UnicodeError):
            number = next((i for i, line in enumerate(_checked(lines), start=1) if _is_half(line)), 0)
            raise InputError(f"line {number} has half a surrogate pair in it; mend it") from None
        return [np.array(row.ids, dtype=np.int64) for row in encoded]

    def check_language(self, language: Optional[str]) -> None:
        if language is not None:
            raise InputError(
                f"language {language!r}: the model's tokenizer reads text of all languages alike; leave --language out"
            )

    def fingerprint(self) -> str:
        return _digest(self.content, repr(self.specials).encode("utf-8"))

    def save(self, folder: str | os.PathLike) -> None:
        content = {"version": VERSION, "specials": self.specials, "size": len(self.dictionary)}
        write_whole(Path(folder) / TOKENIZER_FILE, self.content)
        write_json(Path(folder) / ENCODER_FILE, content)

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "TokenizerText":
        """Read what ``save`` wrote."""
        path, tokenizer = Path(folder) / ENCODER_FILE, Path(folder) / TOKENIZER_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["version"] != VERSION:
                raise InputError(f"version {content['version']} is not {VERSION}; update mass_plugins")
            return cls(tokenizer.read_bytes(), dict(content["specials"]), int(content["size"]))
        except FileNotFoundError as error:
            raise InputError(f"{error.filename} doesn't exist, {path} needs it; prepare or import it again") from None
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is damaged ({error!r}); prepare or import it again") from None


class SubwordText(EncoderText):
    """The sub-words of preprocess/prepare.py; ``<s>`` is the CLS and ``</s>`` the SEP."""

    def __init__(self, codec: TextCodec, dictionary: Dictionary, languages: Sequence[str]):
        self.codec, self.dictionary, self.languages = codec, dictionary, list(languages)
        self.vocabulary = Vocabulary.of(dictionary)
        self.special_ids = np.array([*range(dictionary.nspecial), self.vocabulary.mask], dtype=np.int64)
        marks, unspaced = WordMarks.of(dictionary.symbols), _unspaced(dictionary.symbols)
        begins = marks.begins | unspaced
        begins[self.special_ids] = True
        self.marks = WordMarks(begins, marks.continued & ~unspaced)

    def __reduce__(self):
        return SubwordText, (self.codec, self.dictionary, self.languages)

    def pieces(self, lines: Sequence[str], language: Optional[str] = None) -> list[np.ndarray]:
        self.check_language(language)
        chosen = language or self.languages[0]
        index = self.dictionary.index
        rows = ([index(piece) for piece in self.codec.encode(line, chosen).split()] for line in lines)
        return [np.array(row, dtype=np.int64) for row in rows]

    def check_language(self, language: Optional[str]) -> None:
        if language is not None and language not in self.languages:
            raise InputError(f"language {language!r} is unknown; the model's are {','.join(self.languages)}")

    def fingerprint(self) -> str:
        settings = repr(self.codec.settings.as_dict()).encode("utf-8")
        return _digest(self.codec.model, settings, "\n".join(self.dictionary.symbols).encode("utf-8"))

    def save(self, folder: str | os.PathLike) -> None:
        for language in self.languages:
            with whole_file(Path(folder) / f"dict.{language}.txt") as temporary:
                self.dictionary.save(str(temporary))
        self.codec.save(folder)  # in the end: by its settings a folder is known to hold a pipeline

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "SubwordText":
        """Read what ``save`` or prepare.py wrote."""
        languages = find_languages(str(folder))
        return cls(TextCodec.load(folder), load_joint_dictionary(str(folder), languages), languages)


def _find_specials(ids: dict[str, int], given: dict[str, str]) -> dict[str, str]:
    found = {}
    for role, names in SPECIALS.items():
        wanted = [given[role]] if role in given else list(names)
        known = [name for name in wanted if name in ids]
        if not known:
            raise InputError(f"the tokenizer has no {' or '.join(wanted)}; a text encoder needs a {role} token")
        found[role] = known[0]
    return found


def _symbols_by_id(ids: dict[str, int], size: Optional[int]) -> list[str]:
    """Symbols in the order of their ids; where there is none, an unused one."""
    needed = max(ids.values()) + 1
    if size is not None and needed > size:
        raise InputError(f"the tokenizer has {needed} tokens and the model only {size}; give the model's own tokenizer")
    by_id = {number: symbol for symbol, number in ids.items()}
    return [by_id.get(number, unused_symbol(number)) for number in range(size or needed)]


def _marks(settings: dict, symbols: Sequence[str], special: set[str]) -> WordMarks:
    """Where words begin, by the signs of WordPiece, sentencepiece or byte-level BPE."""
    model = settings["model"]
    prefix = model.get("continuing_subword_prefix") or ""
    if prefix:
        begins = [not symbol.startswith(prefix) or symbol in special for symbol in symbols]
    else:
        byte_level = "\u0120"  # a space there
        sign = next((sign for sign in (SPACE_SIGN, byte_level) if any(s.startswith(sign) for s in symbols)), "")
        begins = [symbol.startswith(sign) or symbol in special for symbol in symbols]
    return WordMarks(np.array(begins) | _unspaced(symbols, prefix), np.zeros(len(symbols), dtype=bool))


def _unspaced(symbols: Sequence[str], prefix: str = "") -> np.ndarray:
    """(V,) bool: pieces in a script without spaces, each a word: by the spaces a whole sentence would be one."""
    return np.array([bool(_WITHOUT_SPACES.match(s.removeprefix(prefix).removeprefix(SPACE_SIGN))) for s in symbols])


def _digest(*parts: bytes) -> str:
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "little") + part)
    return hashed.hexdigest()


def _checked(lines: Iterable[str]) -> list[str]:
    """A list of texts; a tokenizer would take an item of two for a pair."""
    if isinstance(lines, (str, bytes)) or not isinstance(lines, Iterable):
        raise InputError(f"the lines are a value of type {type(lines).__name__}; give a list of texts")
    lines = list(lines)
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, str):
            raise InputError(f"line {number} is no text but of type {type(line).__name__}; give a list of texts")
    return lines


def _is_half(line: str) -> bool:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
