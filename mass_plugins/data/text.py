"""Raw text <-> sub-words, the same functions for training text, validation and inference.

    raw line --normalize--> line --tokenize--> words --segment--> sub-words joined by spaces
    raw line <---------- detokenize ---------- words <---join---- sub-words joined by spaces

``WordPipeline`` is the part that needs no learned model; ``TextCodec`` adds the sub-words and is
stored beside the binarized text as ``text.json`` and a model file. This file imports neither torch
nor fairseq, so that the tools in ``preprocess/`` start at once.
"""

import dataclasses
import functools
import io
import json
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Sequence

from mass_plugins.data.json_file import write_json
from mass_plugins.data.text_files import write_whole
from mass_plugins.errors import InputError

VERSION = 1
SETTINGS_FILE = "text.json"
# tokenizer: a Hugging Face tokenizer.json, for models that come from elsewhere; nothing here learns one
MODEL_FILES = {"subword-nmt": "bpe.codes", "sentencepiece": "sentencepiece.model", "tokenizer": "tokenizer.json"}
UNICODE_FORMS = ("NFC", "NFKC", "none")
TOKENIZERS = ("moses", "none")
WORD_CACHE = 500_000  # words whose BPE is remembered; more would grow with the text

# Written without spaces between words: Moses doesn't segment them, and its punctuation rules would
# turn half of their punctuation into ASCII.
WITHOUT_SPACES = frozenset("zh zho yue wuu ja jpn th tha lo lao km khm my mya bo bod dz dzo".split())

# sentencepiece writes a space as this sign (U+2581) and can't tell the two apart. In raw text it is nearly
# always left over from such sub-words, so it is white space here, for every kind of sub-words.
SPACE_SIGN = "\u2581"

# Control characters, invisible format characters, surrogates and private use. Explicit ranges, not
# unicodedata's: those change with the version of Python. Kept on purpose: white space (collapsed
# later), the two joiners U+200C and U+200D (Persian, Indic scripts, emoji), Arabic number signs.
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u070f\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f\U000f0000-\U000ffffd\U00100000-\U0010fffd]"
)


@dataclass(frozen=True)
class TextSettings:
    """What ``text.json`` says; fields and values are explained in ``preprocess/README.md``."""

    unicode: str = "NFC"  # NFC | NFKC | none
    normalize: bool = True  # Moses punctuation normalization
    tokenizer: str = "moses"  # moses | none
    lowercase: bool = False
    subwords: str = "subword-nmt"  # subword-nmt | sentencepiece | tokenizer
    # Tokens that stay whole at the beginning of a line, like a tag of synthetic text. A vocabulary without any is
    # what it was before there were such: neither its repr nor its text.json tells of them.
    reserve: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    def __post_init__(self):
        object.__setattr__(self, "reserve", tuple(self.reserve))  # a list in JSON
        for name, known in (("unicode", UNICODE_FORMS), ("tokenizer", TOKENIZERS), ("subwords", tuple(MODEL_FILES))):
            if getattr(self, name) not in known:
                raise InputError(f"{name}={getattr(self, name)!r} is unknown; choose from {', '.join(known)}")
        for name in ("normalize", "lowercase"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name}={getattr(self, name)!r} is not true or false; fix {SETTINGS_FILE}")
        for token in self.reserve:
            if not isinstance(token, str) or len(token.split()) != 1 or token != token.strip() or SPACE_SIGN in token:
                raise InputError(f"reserve={token!r} is not one token without white space; write it like <BT>")

    def as_dict(self) -> dict[str, Any]:
        """Field -> value, without ``reserve`` where nothing is."""
        values = dataclasses.asdict(self)
        if not self.reserve:
            del values["reserve"]
        return values


def base_language(language: str) -> str:
    """``zh_CN`` -> ``zh``: what the rules for a language go by."""
    return re.split("[-_]", language.lower(), maxsplit=1)[0]


def has_spaces(language: str) -> bool:
    """False for languages that are written without spaces between words."""
    return base_language(language) not in WITHOUT_SPACES


def split_reserved(text: str, reserved: Sequence[str]) -> tuple[str, str]:
    """The reserved token that a text begins with, or nothing, and the rest."""
    if reserved and (words := text.split(maxsplit=1)) and words[0] in reserved:
        return words[0], words[1] if len(words) > 1 else ""
    return "", text


def _after_reserved(function):
    """A step of the pipeline that lets a reserved token at the beginning be; one that stands alone is no text."""

    @functools.wraps(function)
    def step(self, text: str, *language: str) -> str:
        token, rest = split_reserved(text, self.settings.reserve)
        result = function(self, rest, *language)
        return f"{token} {result}" if token and result else result

    return step


class WordPipeline:
    """Raw line -> normalized line -> words, and words -> raw line. Everything Moses is sacremoses."""

    def __init__(self, settings: TextSettings):
        self.settings = settings
        self._punctuation: dict[str, Callable[[str], str]] = {}
        self._tokenizers: dict[str, Any] = {}
        self._detokenizers: dict[str, Any] = {}

    @_after_reserved
    def normalize(self, line: str, language: str) -> str:
        """One line of clean text: Unicode form, no control characters, Moses punctuation, single spaces."""
        settings = self.settings
        line = line.replace(SPACE_SIGN, " ")
        if settings.unicode != "none":
            # Composed letters first, Moses' rules go by letter; compatibility forms after Moses,
            # because NFKC takes away the non-breaking spaces that its rules for quotes look for.
            line = unicodedata.normalize("NFC", INVISIBLE.sub("", line))
        if settings.normalize and has_spaces(language):
            line = self._normalizer(language)(line)
        if settings.unicode == "NFKC":
            line = unicodedata.normalize("NFKC", line)
        if settings.lowercase:
            line = line.lower()
        return " ".join(line.split())  # every kind of white space: fairseq splits at all of them

    @_after_reserved
    def tokenize(self, text: str, language: str) -> str:
        """Normalized text -> words joined by single spaces."""
        if self.settings.tokenizer == "none":
            return text
        code = base_language(language)
        if code not in self._tokenizers:
            self._tokenizers[code] = _moses_tokenizer(code)
        return self._tokenizers[code].tokenize(text, escape=False, return_str=True)

    def words(self, line: str, language: str) -> str:
        """Raw line -> words joined by single spaces."""
        return self.tokenize(self.normalize(line, language), language)

    @_after_reserved
    def detokenize(self, words: str, language: str) -> str:
        """Words joined by spaces -> text as people write it."""
        if self.settings.tokenizer == "none":
            return words
        code = base_language(language)
        if code not in self._detokenizers:
            from sacremoses import MosesDetokenizer

            self._detokenizers[code] = MosesDetokenizer(code)
        return self._detokenizers[code].detokenize(words.split(), unescape=False)

    def _normalizer(self, language: str) -> Callable[[str], str]:
        code = base_language(language)
        if code not in self._punctuation:
            from sacremoses import MosesPunctNormalizer

            rules = [(re.compile(rule), new) for rule, new in MosesPunctNormalizer(code).substitutions]

            def normalize(line: str) -> str:
                for rule, new in rules:
                    line = rule.sub(new, line)
                return line

            self._punctuation[code] = normalize
        return self._punctuation[code]


def _moses_tokenizer(code: str):
    """sacremoses' tokenizer, with its tables as sets: it builds two sets of 100 000 characters at
    every abbreviation, which costs 2 ms per line (removable when sacremoses keeps them itself)."""
    from sacremoses import MosesTokenizer

    class WithSets(MosesTokenizer):
        def __init__(self, lang: str):
            super().__init__(lang)
            self.letters, self.lower = frozenset(self.IsAlpha), frozenset(self.IsLower)
            self.NONBREAKING_PREFIXES = frozenset(self.NONBREAKING_PREFIXES)  # type: ignore[has-type]

        def isanyalpha(self, text: str) -> bool:
            return not self.letters.isdisjoint(text)

        def islower(self, text: str) -> bool:
            return self.lower.issuperset(text)

    return WithSets(code)


class TextCodec(WordPipeline):
    """Raw line <-> sub-words joined by spaces.

    Args:
        settings: how the text is treated before the sub-words.
        model: the content of the model file (BPE codes, a sentencepiece model, a tokenizer.json). It is kept, so
            that ``save`` works anywhere and a codec can be sent to another process.

    Raises:
        InputError: the model is not of the kind that the settings name.
    """

    def __init__(self, settings: TextSettings, model: bytes):
        super().__init__(settings)
        self.model = model
        if settings.subwords == "sentencepiece":
            self._pieces = _open_sentencepiece(model)
        elif settings.subwords == "tokenizer":
            self._tokenizer = _open_tokenizer_with_decoder(model)
        else:
            self._bpe = _open_bpe(model)

    def __reduce__(self):
        return TextCodec, (self.settings, self.model)

    def encode(self, line: str, language: str) -> str:
        """Raw line -> sub-words joined by spaces."""
        return self.segment(self.words(line, language))

    def decode(self, pieces: str, language: str) -> str:
        """Sub-words joined by spaces -> raw (detokenized) line."""
        return self.detokenize(self.join(pieces), language)

    @_after_reserved
    def segment(self, words: str) -> str:
        """Words joined by spaces -> sub-words joined by spaces."""
        if not words:
            return ""
        if self.settings.subwords == "sentencepiece":
            return " ".join(self._pieces.encode(words, out_type=str))
        if self.settings.subwords == "tokenizer":
            return " ".join(self._tokenizer.encode(words, add_special_tokens=False).tokens)
        if len(self._bpe.cache) > WORD_CACHE:
            self._bpe.cache.clear()
        return self._bpe.segment(words)

    @_after_reserved
    def join(self, pieces: str) -> str:
        """Sub-words joined by spaces -> words joined by spaces."""
        if self.settings.subwords == "sentencepiece":
            return pieces.replace(" ", "").replace(SPACE_SIGN, " ").strip()
        if self.settings.subwords == "tokenizer":
            return self._tokenizer.decoder.decode(pieces.split()).strip()
        return (pieces + " ").replace("@@ ", "").strip()

    def vocabulary(self) -> set[str]:
        """Every piece that a tokenizer.json can produce."""
        return set(self._tokenizer.get_vocab(with_added_tokens=False))

    def save(self, folder: str | os.PathLike) -> None:
        """Write ``text.json`` and the model file into ``folder``, each whole or not at all."""
        name = MODEL_FILES[self.settings.subwords]
        content = {"version": VERSION, **self.settings.as_dict(), "model": name}
        write_whole(Path(folder) / name, self.model)
        write_json(Path(folder) / SETTINGS_FILE, content)

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "TextCodec":
        """Read what ``save`` wrote.

        Raises:
            InputError: a missing or damaged file, or one of a newer version.
        """
        path = Path(folder) / SETTINGS_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version, name = content.pop("version"), content.pop("model")
            if version != VERSION:  # before its settings, which may be others
                raise InputError(f"version {version} is not {VERSION}, which this program reads; update mass_plugins")
            if not isinstance(name, str) or name in ("", ".") or name != os.path.basename(name):
                raise InputError(f"the model {name!r} is not a file's name; put the model beside {SETTINGS_FILE}")
            settings = TextSettings(**content)
        except FileNotFoundError:
            raise InputError(f"{path} doesn't exist; prepare the text with preprocess/prepare.py") from None
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise InputError(f"{path} is damaged ({error}); prepare the text again") from None
        model = path.with_name(name)
        if not model.is_file():
            raise InputError(f"{model} doesn't exist, {SETTINGS_FILE} names it; prepare the text again")
        try:
            return cls(settings, model.read_bytes())
        except InputError as error:
            raise InputError(f"{model}: {error}") from None


def _open_sentencepiece(model: bytes):
    import sentencepiece

    try:
        if not model:  # sentencepiece takes it for no model yet
            raise RuntimeError
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError:
        raise InputError("not a sentencepiece model; give the .model file that sentencepiece wrote") from None


def open_tokenizer(content: bytes):
    """The tokenizer of a ``tokenizer.json``, which neither cuts nor pads.

    Raises:
        InputError: no such file's content, or the library is missing.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise InputError("the tokenizers package is missing; pip install 'mass_plugins[encoders]'") from None
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library raises a bare Exception, or its own panic, which isn't even one
        reason = (str(error).splitlines() or [""])[0][:200]
        raise InputError(
            f"tokenizer.json can't be read, it is not a tokenizer.json of Hugging Face's ({reason}); fetch it again"
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _open_tokenizer_with_decoder(content: bytes):
    tokenizer = open_tokenizer(content)
    if tokenizer.decoder is None:
        raise InputError("the tokenizer has no decoder, so its pieces can't be joined again; use one that has")
    return tokenizer


def _open_bpe(model: bytes):
    from subword_nmt.apply_bpe import BPE

    try:
        codes = model.decode("utf-8")
        merges = codes.rstrip("\n").split("\n")
        if merges[0].startswith("#version:"):
            del merges[0]
        if not merges or any(len(line.strip("\r ").split(" ")) != 2 for line in merges):
            raise ValueError  # BPE itself would end the process
        return BPE(io.StringIO(codes))
    except ValueError:  # UnicodeDecodeError is one, and so is BPE's of a version that is no number
        raise InputError(
            "not a file of BPE codes (two symbols per line); give what subword-nmt learn-bpe wrote"
        ) from None
