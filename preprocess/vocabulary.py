"""The vocabulary of a data-bin: newly learned, that of another data-bin, or from files made elsewhere."""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Optional

from mass_plugins.data.text import SETTINGS_FILE, TextCodec, TextSettings
from mass_plugins.errors import InputError
from preprocess.subwords import model_symbols, read_dictionary, write_dictionary

_MISSING = 0.3  # of the codes' symbols; more can't be rare ones that the training text happened not to hold


@dataclass
class Vocabulary:
    """A text codec and the dictionary that belongs to it."""

    codec: TextCodec
    symbols: list[str]  # of the dictionary, without fairseq's own
    dictionary: Optional[Path] = None  # an existing one; None: it is made from ``symbols``
    languages: tuple[str, ...] = field(default=())  # that the other data-bin has a dictionary for

    def write_dictionary(self, path: Path, counts: Counter) -> int:
        """Write ``dict.txt``; an existing one stays byte for byte. Returns its size with fairseq's own symbols."""
        if self.dictionary is None:
            return write_dictionary(path, self.symbols, counts, self.codec.settings.reserve)
        path.write_bytes(self.dictionary.read_bytes())
        return len(self.symbols) + 4

    def digest(self) -> str:
        """Changes when the vocabulary changes."""
        parts = [repr(self.codec.settings), "\n".join(self.symbols)]
        return blake2b("\n".join(parts).encode("utf-8") + self.codec.model, digest_size=16).hexdigest()


def vocabulary_like(folder: Path) -> Vocabulary:
    """The vocabulary of another data-bin (or of its first shard).

    Raises:
        InputError: not a folder that prepare.py wrote.
    """
    if not folder.is_dir():
        raise InputError(f"--like {folder} is not a folder; give the data-bin of the pre-trained model")
    if not (folder / SETTINGS_FILE).exists() and (folder / "0" / SETTINGS_FILE).exists():
        folder = folder / "0"
    try:
        codec = TextCodec.load(folder)
    except InputError as error:
        raise InputError(f"--like: {error}") from None
    dictionaries = sorted(folder.glob("dict.*.txt"))
    if not dictionaries:
        raise InputError(f"--like {folder} has no dict.<language>.txt; give the data-bin of the pre-trained model")
    different = [path for path in dictionaries if path.read_bytes() != dictionaries[0].read_bytes()]
    if different:
        raise InputError(f"--like: {different[0]} differs from {dictionaries[0]}; a joint dictionary is needed")
    languages = tuple(path.name[len("dict.") : -len(".txt")] for path in dictionaries)
    return _checked(Vocabulary(codec, read_dictionary(dictionaries[0], "--like"), dictionaries[0], languages))


def vocabulary_from_files(dictionary: Path, codes: Path, settings: TextSettings) -> Vocabulary:
    """A dictionary and codes that were made elsewhere.

    Raises:
        InputError: a missing or damaged file, no ``[MASK]``, a dictionary of other codes.
    """
    symbols = read_dictionary(dictionary)
    try:
        codec = TextCodec(settings, codes.read_bytes())
    except FileNotFoundError:
        raise InputError(f"--codes {codes} doesn't exist; check the path") from None
    except IsADirectoryError:
        raise InputError(f"--codes {codes} is a folder; name the file in it") from None
    except InputError as error:
        raise InputError(f"--codes {codes}: {error} (--subwords is {settings.subwords})") from None
    return _checked(Vocabulary(codec, symbols, dictionary), codes)


def _checked(vocabulary: Vocabulary, codes: Optional[Path] = None) -> Vocabulary:
    made, listed = model_symbols(vocabulary.codec), set(vocabulary.symbols)
    missing = len(made - listed) / max(1, len(made))
    if missing > _MISSING:
        raise InputError(
            f"{vocabulary.dictionary} does not fit {codes or 'the model beside it'}: it lacks {missing:.0%} of the "
            "sub-words that the codes make; give the dictionary that was made with these codes"
        )
    unknown = [token for token in vocabulary.codec.settings.reserve if token not in listed]
    if unknown:
        raise InputError(
            f"{vocabulary.dictionary} lacks {unknown[0]}, which is reserved; add the line '{unknown[0]} 1' at its end, "
            "which keeps the ids of all others"
        )
    return vocabulary
