"""Opening binarized text, with every way that it can be wrong told in one line."""

import os
import re
import struct
from typing import Optional

import numpy as np
from fairseq.data import Dictionary, data_utils, indexed_dataset

from mass_plugins.data.languages import side_names
from mass_plugins.data.symbols import MASK
from mass_plugins.errors import InputError

_CHUNK = 1 << 24  # tokens scanned at a time
_DTYPES = {1: "u1", 2: "i1", 3: "i2", 4: "i4", 5: "i8", 6: "f4", 7: "f8", 8: "u2", 9: "u4", 10: "u8"}


def load_joint_dictionary(data_path: str, languages: list[str]) -> Dictionary:
    """The one dictionary that all languages share, with ``[MASK]`` in it.

    Raises:
        InputError: a language without a dictionary, dictionaries that differ, no ``[MASK]``.
    """
    first: Optional[Dictionary] = None
    for language in languages:
        path = os.path.join(data_path, f"dict.{language}.txt")
        if not os.path.isfile(path):
            raise InputError(
                f"{path} doesn't exist: no data for the language {language!r}; "
                f"prepare its text into {data_path} or take it out of --langs"
            )
        dictionary = _load_dictionary(path)
        if first is None:
            first, first_path = dictionary, path
        elif dictionary != first:
            raise InputError(
                f"{path} differs from {first_path}; all languages share one joint dictionary: prepare them together"
            )
    assert first is not None, "languages is empty"
    if MASK not in first.indices:
        raise InputError(
            f"{first_path} has no {MASK}; prepare the data with preprocess/prepare.py, "
            f"or add the line '{MASK} 1' to it before you binarize"
        )
    return first


def _load_dictionary(path: str) -> Dictionary:
    """Raises InputError: not UTF-8, a line without a count, a symbol twice."""
    try:
        return Dictionary.load(path)
    except Exception as error:  # fairseq raises ValueError, RuntimeError and Exception itself
        raise InputError(
            f"{path} is not a dictionary of fairseq-preprocess ({' '.join(str(error).split())}); prepare the data again"
        ) from None


def check_shards(folders: list[str], dictionary: Dictionary) -> None:
    """That the shards of a data set have one dictionary, before the first of them is trained on.

    Raises:
        InputError: a folder that isn't there or has no dictionary, or another one than ``dictionary``.
    """
    for folder in folders[1:]:
        for language in find_languages(folder):
            path = os.path.join(folder, f"dict.{language}.txt")
            if _load_dictionary(path) != dictionary:
                raise InputError(
                    f"{path} differs from the dictionary of {folders[0]}; shards share one: prepare them with "
                    f"prepare.py --like {folders[0]}, or fairseq-preprocess --srcdict and --tgtdict of it"
                )


def find_languages(data_path: str) -> list[str]:
    """Codes of all ``dict.<code>.txt`` in a data folder, sorted."""
    if not os.path.isdir(data_path):
        raise InputError(f"{data_path} is not a folder; give the data-bin that prepare.py wrote")
    found = (re.fullmatch(r"dict\.(.+)\.txt", name) for name in os.listdir(data_path))
    languages = sorted(match[1] for match in found if match)
    if not languages:
        raise InputError(f"{data_path} holds no dict.<language>.txt; give the data-bin of prepare.py")
    return languages


def monolingual_languages(data_path: str, split: str) -> list[str]:
    """Languages with monolingual text in a data folder, sorted.

    Raises:
        InputError: there is none.
    """
    names = os.listdir(data_path) if os.path.isdir(data_path) else []
    found = (re.fullmatch(rf"{re.escape(split)}\.(.+)-None\.\1\.idx", name) for name in names)
    languages = sorted(match[1] for match in found if match)
    if not languages:
        raise InputError(
            f"{data_path} has no {split} text ({split}.<language>-None.<language>.idx); give the folder that "
            "preprocess/prepare.py or prepare_encoder.py wrote"
        )
    return languages


def open_monolingual(data_path: str, split: str, language: str, dictionary: Dictionary, flag: str = "--langs"):
    """``<split>.<l>-None.<l>``, as ``fairseq-preprocess --only-source`` writes it; ``flag`` named the language."""
    prefix = _monolingual_prefix(data_path, split, language)
    if not indexed_dataset.dataset_exists(prefix, "mmap"):
        missing = ".idx" if os.path.exists(prefix + ".bin") else ".bin"
        raise InputError(
            f"{prefix}{missing} doesn't exist: no monolingual {split} text for {language!r}; "
            f"prepare it, or leave the language out of {flag}"
        )
    return open_checked(prefix, dictionary)


def has_pairs(data_path: str, split: str, source: str, target: str) -> bool:
    """Whether there are pairs of a direction, whichever way round they were binarized."""
    first = side_names((source, target))[0]
    prefixes = (os.path.join(data_path, f"{split}.{pair}.{first}") for pair in _pair_names(source, target))
    return any(indexed_dataset.dataset_exists(prefix, "mmap") for prefix in prefixes)


def _pair_names(source: str, target: str) -> tuple[str, str]:
    return f"{source}-{target}", f"{target}-{source}"


def open_parallel(data_path: str, split: str, source: str, target: str, dictionary: Dictionary):
    """Both sides of a pair, whichever way round it was binarized; ``en-en`` has the sides source and target."""
    names = side_names((source, target))
    for pair in _pair_names(source, target):
        prefix = os.path.join(data_path, f"{split}.{pair}")
        if indexed_dataset.dataset_exists(f"{prefix}.{names[0]}", "mmap"):
            sides = [open_checked(f"{prefix}.{side}", dictionary) for side in names]
            if len(sides[0]) != len(sides[1]):
                raise InputError(
                    f"{prefix}.{names[0]} has {len(sides[0])} lines and {prefix}.{names[1]} "
                    f"{len(sides[1])}; prepare the pair again"
                )
            return sides
    files = dict.fromkeys(f"{split}.{pair}.{names[0]}.bin" for pair in _pair_names(source, target))
    raise InputError(
        f"{data_path} has no {split} pairs for {source}-{target} ({' or '.join(files)}); "
        f"prepare them or change --directions"
    )


def open_checked(prefix: str, dictionary: Dictionary):
    """Memory-map ``prefix.{bin,idx}`` and read it through once, before any update is made.

    fairseq touches every page of the file when it opens it, so the scan adds little (over 1 GB/s).

    Raises:
        InputError: empty, truncated or corrupted files, ids beyond the dictionary, ``[MASK]`` in the text.
    """
    dtype, sizes = _read_index(prefix)
    if len(sizes) == 0:
        raise InputError(f"{prefix}.bin holds no sentence; prepare text that isn't empty")
    expected, found = int(sizes.sum(dtype=np.int64)) * dtype.itemsize, os.path.getsize(prefix + ".bin")
    if expected != found or int(sizes.min()) < 1:
        raise InputError(
            f"{prefix}.bin has {found} bytes where its index asks for {expected}: "
            "truncated or of another run; binarize it again"
        )
    _check_tokens(prefix, dtype, dictionary)
    return data_utils.load_indexed_dataset(prefix, dictionary, dataset_impl="mmap")


def _monolingual_prefix(data_path: str, split: str, language: str) -> str:
    return os.path.join(data_path, f"{split}.{language}-None.{language}")


def flat_tokens(data_path: str, split: str, language: str) -> np.ndarray:
    """(T,) all tokens of a language's monolingual text, memory-mapped; its files have been opened before."""
    prefix = _monolingual_prefix(data_path, split, language)
    return np.memmap(prefix + ".bin", dtype=_read_index(prefix)[0], mode="r")


def count_tokens(data_path: str, split: str, language: str, dictionary: Dictionary) -> np.ndarray:
    """(V,) int64: how often each token occurs in a language's monolingual text, whose files have been opened before."""
    tokens = flat_tokens(data_path, split, language)
    counts = np.zeros(len(dictionary), dtype=np.int64)
    for start in range(0, len(tokens), _CHUNK):
        counts += np.bincount(tokens[start : start + _CHUNK], minlength=len(dictionary))
    return counts


def _read_index(prefix: str) -> tuple[np.dtype, np.ndarray]:
    """dtype of the tokens and length of each sentence, after checking the ``.idx`` file, which holds
    magic (9 bytes), version 1 (8), dtype code (1), count (8), count int32 lengths, count int64 pointers.
    """
    path = prefix + ".idx"
    header = struct.Struct("<9sQBQ")
    with open(path, "rb") as file:
        head = file.read(header.size)
        rest = os.path.getsize(path) - header.size
        magic, version, code, count = header.unpack(head) if rest >= 0 else (b"", 0, 0, 0)
        sizes = np.fromfile(file, dtype=np.int32, count=count) if rest == 12 * count else None
        pointers = np.fromfile(file, dtype=np.int64)
    if magic != b"MMIDIDX\x00\x00" or version != 1 or code not in _DTYPES or sizes is None:
        raise InputError(f"{path} is truncated or not an index of fairseq-preprocess; binarize it again")
    dtype = np.dtype(_DTYPES[code])
    ends = np.cumsum(sizes, dtype=np.int64) * dtype.itemsize
    if not np.array_equal(pointers[1:], ends[:-1]) or pointers[:1].any():
        raise InputError(f"{path} is corrupted: its lengths and its pointers disagree; binarize it again")
    return dtype, sizes


def _check_tokens(prefix: str, dtype: np.dtype, dictionary: Dictionary) -> None:
    tokens = np.memmap(prefix + ".bin", dtype=dtype, mode="r")
    mask_index = dictionary.indices.get(MASK, -1)
    for start in range(0, len(tokens), _CHUNK):
        chunk = tokens[start : start + _CHUNK]
        if int(chunk.max()) >= len(dictionary) or int(chunk.min()) < 0:
            raise InputError(
                f"{prefix}.bin holds the token id {int(chunk.max())} but the dictionary has only "
                f"{len(dictionary)} entries; binarize it with the dictionary beside it"
            )
        if (chunk == mask_index).any():
            raise InputError(
                f"{prefix}.bin holds {MASK} in the text itself, which pre-training reserves; "
                "remove it from the text (preprocess/filter.py does) and binarize again"
            )
