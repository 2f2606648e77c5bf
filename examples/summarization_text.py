"""Documents and summaries in the forms in which they are published -> text, a document a line.

python summarization_text.py aeslc ARCHIVE-OR-FOLDER OUT       e-mails and subject lines
python summarization_text.py scitldr FOLDER OUT                abstracts and one-sentence summaries
python summarization_text.py scifact FILE > abstracts          abstracts alone, a sentence a line
python summarization_text.py gigaword ARCHIVE OUT              first sentences and headlines
python summarization_text.py cnndm CNN DAILYMAIL LISTS OUT     news and highlights
python summarization_text.py wikipedia FILE... > paragraphs    articles, a paragraph a line
python summarization_text.py sample N FOLDER OUT               N of train.source and train.target, at even distances
python summarization_text.py lead N < documents > summaries    their first N sentences, or --words; --lowercase

OUT gets train.source and train.target, the same of valid and test, and train.text, a sentence a line, to pre-train on.
"""

import argparse
import ast
import csv
import hashlib
import json
import random
import re
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401  starts without torch

from mass_plugins.data.text_files import open_text
from mass_plugins.errors import InputError

_AESLC = re.compile(r"@(subject|ann\d)\n")
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ENDS = (".", "!", "?", "...", "'", "`", '"', "''", "\u2019", "\u201d", ")")  # of abisee/cnn-dailymail
SEED = 1  # of the order of training pairs, so that the first N are a sample


class Pair(NamedTuple):
    source: list[str]  # sentences, or what stands on a line
    targets: list[str]  # summaries, any of which is right


def one_line(text: str) -> str:
    return " ".join(text.split())


def write(folder: Path, split: str, pairs: list[Pair]) -> None:
    """``split.source``, ``split.target`` with references between tabs (of training: one), and ``split.text``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        open(folder / f"{split}.source", "w", encoding="utf-8") as sources,
        open(folder / f"{split}.target", "w", encoding="utf-8") as targets,
        open(folder / f"{split}.text", "w", encoding="utf-8") as texts,
    ):
        for pair in pairs:
            lines = [line for sentence in pair.source if (line := one_line(sentence))]
            chosen = pair.targets[:1] if split == "train" else pair.targets
            sources.write(" ".join(lines) + "\n")
            targets.write("\t".join(map(one_line, chosen)) + "\n")
            texts.writelines(line + "\n" for line in lines)


def shuffled(pairs: list[Pair]) -> list[Pair]:
    random.Random(SEED).shuffle(pairs)
    return pairs


def find(folder: Path, name: str) -> Path:
    """``name``, plain or packed."""
    for suffix in ("", ".xz", ".gz"):
        if (folder / (name + suffix)).is_file():
            return folder / (name + suffix)
    raise InputError(f"{folder} has no {name}, nor {name}.xz or .gz")


def json_lines(path: Path) -> Iterator[dict]:
    with open_text(path) as file:
        yield from map(json.loads, file)


# --- the sets -----------------------------------------------------------------------------------


def aeslc(place: Path, out: Path, valid: int) -> None:
    """Of the validation set the first ``valid`` e-mails choose checkpoints and the others are the test."""
    if place.is_dir():
        splits = {
            split: [(row["id"], row["body"], row["subject"]) for row in json_lines(find(place, f"{split}.jsonl"))]
            for split in ("train", "dev")
        }
    else:
        splits = aeslc_archive(place)
    pairs = {split: [Pair(body.split("\n"), [subject]) for _, body, subject in rows] for split, rows in splits.items()}
    write(out, "train", shuffled(pairs["train"]))
    write(out, "valid", pairs["dev"][:valid])
    write(out, "test", pairs["dev"][valid:])


def aeslc_archive(path: Path) -> dict[str, list[tuple[str, str, str]]]:
    """(name, body, subject) of training and validation set, without those whose body is in the test set."""
    splits: dict[str, list[tuple[str, str, str]]] = {"train": [], "dev": [], "test": []}
    with tarfile.open(path) as archive:
        for member in archive:
            parts = member.name.split("/")
            if member.isfile() and parts[-1].endswith(".subject") and parts[-2] in splits:
                body, *marked = _AESLC.split(archive.extractfile(member).read().decode("utf-8"))
                fields = dict(zip(marked[::2], marked[1::2]))
                splits[parts[-2]].append((parts[-1].removesuffix(".subject"), body.strip(), fields["subject"].strip()))
    held_out = {words_of(body) for _, body, _ in splits.pop("test")}
    return {split: sorted(row for row in rows if words_of(row[1]) not in held_out) for split, rows in splits.items()}


def words_of(text: str) -> str:
    """By which two e-mails are the same."""
    return " ".join(re.findall(r"\w+", text.lower()))


def scitldr(folder: Path, out: Path, valid: int) -> None:
    """As :func:`aeslc`."""
    rows = {split: list(json_lines(find(folder, f"{split}.jsonl"))) for split in ("train", "dev")}
    pairs = {split: [Pair(row["source"], row["target"]) for row in found] for split, found in rows.items()}
    write(out, "train", shuffled(pairs["train"]))
    write(out, "valid", pairs["dev"][:valid])
    write(out, "test", pairs["dev"][valid:])


def scifact(path: Path) -> Iterator[str]:
    """Sentences of all abstracts, from the release's archive or from the corpus as a table."""
    if ".csv" not in path.name:
        with tarfile.open(path) as archive:
            for line in archive.extractfile("data/corpus.jsonl"):
                yield from map(one_line, json.loads(line)["abstract"])
        return
    csv.field_size_limit(10**9)
    with open_text(path) as file:
        for row in csv.DictReader(line.decode("utf-8") for line in file):
            yield from (one_line(ast.literal_eval(text)) for text in _STRING.findall(row["abstract"]))


def gigaword(path: Path, out: Path) -> None:
    """Sides are line by line in org_data of UniLM's archive; of the test set, pairs without a source are left out."""
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path) as archive:
        for split, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
            count = 0
            with (
                archive.open(f"org_data/{name}.src.txt") as sources,
                archive.open(f"org_data/{name}.tgt.txt") as targets,
                open(out / f"{split}.source", "w", encoding="utf-8") as left,
                open(out / f"{split}.target", "w", encoding="utf-8") as right,
            ):
                for source, target in zip(sources, targets, strict=True):
                    pair = one_line(source.decode("utf-8")), one_line(target.decode("utf-8"))
                    if all(pair) and (split != "test" or pair[0] != "<unk>"):
                        left.write(unknown_words(pair[0]) + "\n")
                        right.write(unknown_words(pair[1]) + "\n")
                        count += 1
            print(f"{split}: {count} pairs", file=sys.stderr)


def unknown_words(text: str) -> str:
    """Gigaword's mark of a rare word, as a word that isn't the dictionary's own symbol."""
    return text.replace("<unk>", "UNK")


def cnndm(cnn: Path, dailymail: Path, lists: Path, out: Path) -> None:
    """Stories by the SHA-1 of their addresses, as the lists divide them (See et al. 2017)."""
    splits = {}
    for split, name in (("train", "all_train.txt"), ("valid", "all_val.txt"), ("test", "all_test.txt")):
        addresses = (lists / name).read_text(encoding="utf-8").split()
        splits |= {hashlib.sha1(address.encode()).hexdigest(): split for address in addresses}
    out.mkdir(parents=True, exist_ok=True)
    files = {
        (split, side): open(out / f"{split}.{side}", "w", encoding="utf-8")
        for split in ("train", "valid", "test")
        for side in ("source", "target")
    }
    counts = dict.fromkeys(("train", "valid", "test"), 0)
    for path in (cnn, dailymail):
        with tarfile.open(path) as archive:
            for member in archive:
                split = splits.get(Path(member.name).stem)
                if split and member.isfile() and member.name.endswith(".story"):
                    article, highlights = story(archive.extractfile(member).read().decode("utf-8"))
                    if article and highlights:
                        files[split, "source"].write(article + "\n")
                        files[split, "target"].write(highlights + "\n")
                        counts[split] += 1
    for file in files.values():
        file.close()
    print(", ".join(f"{split}: {count} pairs" for split, count in counts.items()), file=sys.stderr)


def story(text: str) -> tuple[str, str]:
    """Article and highlights of a .story; lines get the full stop that they lack."""
    article, highlights, highlight = [], [], False
    for line in filter(None, map(one_line, text.split("\n"))):
        if line == "@highlight":
            highlight = True
        else:
            (highlights if highlight else article).append(line if line.endswith(_ENDS) else line + " .")
    return " ".join(article), " ".join(highlights)


def wikipedia(files: Iterable[str]) -> Iterator[str]:
    """Paragraphs of all articles of Wikimedia's parquet files; a heading is one, too.

    Those with ``[MASK]`` are left out: the article on BERT has some, and ``prepare.py`` refuses them.
    """
    from pyarrow import parquet

    for name in files:
        for batch in parquet.ParquetFile(name).iter_batches(columns=["text"], batch_size=1000):
            for text in batch.column(0).to_pylist():
                yield from (line for line in map(one_line, text.split("\n")) if line and "[MASK]" not in line)


# --- what is done with them ---------------------------------------------------------------------


def sample(count: int, folder: Path, out: Path) -> None:
    """``count`` training pairs at even distances, or all if there are fewer."""
    with open(folder / "train.source", "rb") as file:
        total = sum(1 for _ in file)
    count = min(count, total)
    for side in ("source", "target"):
        with open(folder / f"train.{side}", "rb") as lines, open(out / f"train.{side}", "wb") as chosen:
            for index, line in enumerate(lines):
                if (index + 1) * count // total > index * count // total:
                    chosen.write(line)


def lead(line: str, count: int, words: bool, lowercase: bool) -> str:
    parts = line.split() if words else _SENTENCE_END.split(line)
    start = " ".join(parts[:count])
    return start.lower() if lowercase else start


_PLACES = {
    "aeslc": ("place", "out"),
    "scitldr": ("place", "out"),
    "scifact": ("place",),
    "gigaword": ("place", "out"),
    "cnndm": ("place", "dailymail", "lists", "out"),
    "wikipedia": (),
    "sample": ("place", "out"),
    "lead": (),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, places in _PLACES.items():
        command = commands.add_parser(name)
        if name in ("sample", "lead"):
            command.add_argument("count", type=int)
        for place in places:
            command.add_argument(place, type=Path)
        if name == "wikipedia":
            command.add_argument("files", nargs="+")
        if name == "lead":
            command.add_argument("--words", action="store_true")
            command.add_argument("--lowercase", action="store_true")
        if name in ("aeslc", "scitldr"):
            command.add_argument("--valid", type=int, required=True)
    options = parser.parse_args()
    lines = run(options)
    sys.stdout.buffer.writelines(line.encode("utf-8") + b"\n" for line in lines or ())


def run(options) -> Iterable[str] | None:
    match options.command:
        case "aeslc":
            return aeslc(options.place, options.out, options.valid)
        case "scitldr":
            return scitldr(options.place, options.out, options.valid)
        case "scifact":
            return scifact(options.place)
        case "gigaword":
            return gigaword(options.place, options.out)
        case "cnndm":
            return cnndm(options.place, options.dailymail, options.lists, options.out)
        case "wikipedia":
            return wikipedia(options.files)
        case "sample":
            return sample(options.count, options.place, options.out)
    lines = (line.decode("utf-8").rstrip("\n") for line in sys.stdin.buffer)
    return (lead(line, options.count, options.words, options.lowercase) for line in lines)


if __name__ == "__main__":
    try:
        main()
    except (InputError, OSError, zipfile.BadZipFile, tarfile.ReadError) as error:
        sys.exit(f"error: {error}")
    except (EOFError, zlib.error) as error:
        sys.exit(f"error: a file is cut off or damaged ({error}); fetch it again")
    except (KeyError, ValueError, csv.Error) as error:  # ValueError: no JSON, no UTF-8, no number
        sys.exit(f"error: the text isn't in the form in which it is published ({error!r}); fetch it again")
