"""Text of the Mirror-BERT recipes: fetching, sentences, strings to learn from.

python mirror_bert_text.py get OUT NAME=ADDRESS ...         files, from their addresses or from DATA=FOLDER
python mirror_bert_text.py sentences OUT FILE=READER ...    text of all kinds -> train.txt, valid.txt
python mirror_bert_text.py strings OUT PAIRS --number N     strings from the texts of scored pairs, scores left out
python mirror_bert_text.py words OUT TEXT --number N        the most frequent words
"""

import argparse
import bz2
import gzip
import hashlib
import html
import http.client
import io
import json
import lzma
import os
import random
import re
import sys
import time
import urllib.request
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import preprocess.as_script  # noqa: E402,F401  without torch and fairseq, which take seconds to import
from mass_plugins.data.text_files import read_lines  # noqa: E402
from mass_plugins.errors import InputError  # noqa: E402

TRIES, TIMEOUT, PAUSE = 3, 60, 2  # of a download; seconds without a byte; seconds before the next try
OPENERS = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(A-Z0-9])")
ESCAPE = re.compile(r"&#?\w+;")
SPLIT = re.compile(r" @([-,.])@ ")  # within a word or number, as Moses and WikiText set it apart
HEADING = re.compile(r"\s*=\s.*\s=\s*")  # WikiText's
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def write(path: Path, lines: Iterable[str]) -> None:
    """A line each, whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    temporary.replace(path)


# --- files ---------------------------------------------------------------------------------------


class Known(NamedTuple):
    """What is known of a file's content: a line of the table that --sums names."""

    lines: int
    checksum: str
    copy: str  # address, DATA or any


def known_files(path: Path | None) -> dict[str, list[Known]]:
    """By name; a file has two contents where a DATA folder's copy differs from the one at its address."""
    found: dict[str, list[Known]] = {}
    for _, line in read_lines([path], "--sums") if path else ():
        if not line.startswith("#"):
            name, lines, checksum, copy = line.split("\t")
            found.setdefault(name, []).append(Known(int(lines), checksum, copy))
    return found


def get(options) -> None:
    """Each NAME into OUT, unpacked. With the variable DATA, the file of this name that lies anywhere in it.

    The content is checked as far as --sums knows it; of the others the checksum is printed.
    """
    known, copy = known_files(options.sums), "DATA" if os.environ.get("DATA") else "address"
    for item in options.files:
        name, _, address = item.partition("=")
        target = options.out / name
        if target.exists():
            continue
        good = [one.checksum for one in known.get(name, []) if copy == "DATA" or one.copy != "DATA"]
        content = local(name, good) if copy == "DATA" else fetched(address)
        checksum = hashlib.sha256(content).hexdigest()
        if good and checksum not in good:
            raise InputError(f"{address} has another checksum than the {name} of this recipe ({options.sums.name})")
        temporary = target.with_name(target.name + ".tmp")
        temporary.write_bytes(content)
        temporary.replace(target)
        print(f"{name}: {len(content)} bytes, sha256 {checksum}")


def local(name: str, good: Sequence[str] = ()) -> bytes:
    """The file of this name in DATA, packed or not; where ``good`` checksums are known, one that has one of them."""
    folder = Path(os.environ["DATA"])
    found = sorted(path for suffix in ("", *OPENERS) for path in folder.rglob(name + suffix) if path.is_file())
    if not found:
        raise InputError(f"DATA={folder} has no {name} in it, nor {name}.gz, .xz or .bz2")
    for path in found:
        opener = OPENERS[path.suffix] if path.name != name else open
        with opener(path, "rb") as stream:
            content = stream.read()
        if not good or hashlib.sha256(content).hexdigest() in good:
            return content
    raise InputError(
        f"{', '.join(map(str, found))}: another checksum than the {name} of this recipe; give its own file"
    )


def fetched(address: str) -> bytes:
    """Of ADDRESS, ADDRESS.gz (unpacked) or ADDRESS.zip#MEMBER; tried three times."""
    address, _, member = address.partition("#")
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(address, timeout=TIMEOUT) as stream:
                packed = stream.read()
            if member:
                with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                    return archive.read(member)
            return gzip.decompress(packed) if address.endswith(".gz") else packed
        except ValueError:
            raise InputError(f"{address!r} is no address; name a folder with the files by DATA=folder") from None
        except (OSError, EOFError, http.client.HTTPException, zipfile.BadZipFile, zlib.error, KeyError) as error:
            if attempt + 1 == TRIES:
                raise InputError(
                    f"{address} can't be fetched ({getattr(error, 'reason', error)}); try again later, or name a "
                    "folder with the file by DATA=folder"
                ) from None
            time.sleep(PAUSE * 2**attempt)
    raise AssertionError("a try returns or raises")


# --- sentences -----------------------------------------------------------------------------------


def texts_of(path: Path, reader: str) -> Iterator[str]:
    """Pieces of running text: ``lines``; ``tsv:N``, column N; ``json:KEY``, JSON lines; ``turns``, dialogues."""
    kind, _, which = reader.partition(":")
    for _, line in read_lines([path], "sentences"):
        if kind == "lines":
            yield line
        elif kind == "tsv":
            yield line.split("\t")[int(which)]
        elif kind == "json":
            value = json.loads(line)[which]
            yield from value if isinstance(value, list) else value.split("\n")
        elif kind == "turns":
            yield from line.split("__eou__")
        else:
            raise InputError(f"reader {reader!r} is none of lines, tsv:N, json:KEY, turns")


def plain(text: str) -> str:
    """Without what made its file: escapes, signs set apart within words, headings.

    Spaces before punctuation may stay: the encoder's tokenizer parts it from words, too.
    """
    return "" if HEADING.fullmatch(text) else SPLIT.sub(r"\1", ESCAPE.sub(lambda found: html.unescape(found[0]), text))


def sentences(options) -> None:
    """Sentences of 3 to 100 words, each once, none that is to be scored; 1000 of them for validation."""
    left_out = {text.lower() for path in options.without for text in texts_of_pairs(path)}
    seen: dict[str, None] = {}
    for item in options.files:
        name, _, reader = item.partition("=")
        before = len(seen)
        for text in texts_of(Path(name), reader):
            for sentence in SENTENCE_END.split(" ".join(plain(text).split())):
                if 3 <= sentence.count(" ") + 1 <= 100 and sentence.lower() not in left_out:
                    seen[sentence] = None
        print(f"{Path(name).name}: {len(seen) - before} sentences")
    lines = list(seen)
    random.Random(1).shuffle(lines)
    held = min(1000, len(lines) // 10)
    write(options.out / "valid.txt", lines[:held])
    write(options.out / "train.txt", lines[held:])
    print(f"{len(lines)} sentences, {sum(line.count(' ') + 1 for line in lines)} words")


def texts_of_pairs(path: Path) -> list[str]:
    """All texts of a folder's (or file's) sets of scored pairs."""
    from mass_plugins.scoring.similarity_sets import find_sets, read_file, read_set

    if not path.exists():
        raise InputError(f"{path} doesn't exist; give a file of scored pairs, or a folder with some")
    if path.is_file():
        sets = [read_file(path)]
    else:
        sets = [read_set(name, parts) for name, parts in find_sets([path]).items()]
    return [text for pairs in sets for text in (*pairs.first, *pairs.second)]


# --- strings to learn from -----------------------------------------------------------------------


def strings(options) -> None:
    """NUMBER different texts of the pairs, drawn by the seed."""
    found = sorted(set(texts_of_pairs(options.pairs)))
    random.Random(options.seed).shuffle(found)
    if len(found) < options.number:
        raise InputError(f"{options.pairs} has only {len(found)} different texts, not {options.number}")
    write(options.out / "strings.txt", found[: options.number])


def words(options) -> None:
    """The NUMBER most frequent words, lower-cased, the most frequent first."""
    counts: Counter[str] = Counter()
    for _, line in read_lines([options.text], "words"):
        counts.update(WORD.findall(line.lower()))
    write(options.out / "strings.txt", [word for word, _ in counts.most_common(options.number)])
    print(f"{len(counts)} different words, {min(options.number, len(counts))} kept")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for function, arguments in (
        (get, [("files", {"nargs": "+"}), ("--sums", {"type": Path})]),
        (sentences, [("files", {"nargs": "+"}), ("--without", {"nargs": "*", "type": Path, "default": []})]),
        (strings, [("pairs", {"type": Path}), ("--number", {"type": int, "default": 10_000}),
                   ("--seed", {"type": int, "default": 1})]),
        (words, [("text", {"type": Path}), ("--number", {"type": int, "default": 10_000})]),
    ):  # fmt: skip
        command = commands.add_parser(function.__name__.replace("_", "-"), help=function.__doc__.split("\n")[0])
        command.add_argument("out", type=Path)
        for name, settings in arguments:
            command.add_argument(name, **settings)
        command.set_defaults(function=function)
    options = parser.parse_args(argv)
    try:
        if not options.out.is_dir():
            raise InputError(f"{options.out} is no folder; make it first, it is where the files go")
        options.function(options)
    except InputError as error:
        print(f"mass_plugins: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
