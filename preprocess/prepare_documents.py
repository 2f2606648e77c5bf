"""Documents -> a folder of units and documents, for MSM and CMLM.

    python preprocess/prepare_documents.py --documents en=wiki.jsonl.xz de=a.txt --like data-bin --destdir docs

LANGUAGE=FILE [FILE ...] names documents: JSON lines ({"text": "a line\\nanother"} or {"lines": [...]}), where the name
has .jsonl in it, else text with empty lines between documents, one sentence or paragraph per line. Plain, .gz, .xz and
.bz2 files are read in a stream, twice: first to tell whether DESTDIR was made of them. In memory are a few million
characters, or one document of up to 16 million, and the lengths of all units. --workers counts processes that look
through the files, and threads of the tokenizer (sub-words of prepare.py are made in one process). Consecutive lines
are packed into units, consecutive units are a document. Nothing is held out: text to validate on is --valid-documents;
without it train with --disable-validation.
"""

import argparse
import json
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterable, Iterator, Optional

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401

import numpy as np
import torch
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder

from mass_plugins.data.documents import counts_file
from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.data.progress import Progress
from mass_plugins.errors import InputError
from preprocess.corpora import Corpus, inspect_corpora, parse_mono
from preprocess.destination import Found, already_done, building, move_into_place
from preprocess.documents import DocumentMaker, read_documents
from preprocess.report import differences
from preprocess.streaming import Parser, add_run_flags, exit_status, positive

NAME = "prepare_documents.py"
REPORT_FILE = "documents.json"
_AT_A_TIME = 1 << 22  # characters of documents; the tokenizers package shares their lines out among its threads


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument_group("documents").add_argument
    add("--documents", nargs="+", action="extend", default=[], metavar="L=FILE", help="for training")
    add("--valid-documents", nargs="+", action="extend", default=[], metavar="L=FILE", help="for validation")
    add("--like", type=Path, required=True, metavar="FOLDER", help="take the tokenizer of this data-bin or model")
    add("--destdir", type=Path, required=True, help="the folder to make")
    add("--overwrite", action="store_true", help="replace a DESTDIR made from other text or flags")
    add = parser.add_argument_group("units").add_argument
    add(
        "--unit-tokens", type=positive, default=63, metavar="N", help="of a unit, [SEP]s counted (default: %(default)s)"
    )
    add("--units", type=positive, default=32, metavar="N", help="of a document (default: %(default)s)")
    add(
        "--min-units", type=positive, metavar="N",
        help="keep the rest of a document, and shorter documents, from this many on (default: as --units, so none)",
    )  # fmt: skip
    add("--no-packing", action="store_true", help="each line is one unit (longer ones are cut)")
    add_run_flags(parser.add_argument_group("running"))
    return parser


def read_flags(args) -> tuple[list[Corpus], dict]:
    """The files, and the flags that change what is written.

    Raises:
        InputError: no documents, or flags that can't be.
    """
    corpora = parse_mono(args.documents, "train", "--documents")
    corpora += parse_mono(args.valid_documents, "valid", "--valid-documents")
    if not args.documents:
        raise InputError("no documents; give --documents LANGUAGE=FILE")
    minimum = args.min_units or args.units
    if minimum > args.units:
        raise InputError(f"--min-units {minimum} is more than --units {args.units}")
    if args.unit_tokens < 2:
        raise InputError(f"--unit-tokens {args.unit_tokens} has no room for a token and [SEP]; the paper's is 63")
    flags = {"unit_tokens": args.unit_tokens, "units": args.units, "min_units": minimum}
    return corpora, {**flags, "packing": not args.no_packing}


def write_documents(corpus: Corpus, made: Iterable[list[np.ndarray]], folder: Path, dtype) -> int:
    """The units' ``.bin`` and ``.idx``, and the documents' lengths; returns how many documents.

    Raises:
        InputError: there is none.
    """
    language = corpus.name
    prefix = folder / f"{corpus.split}.{language}-None.{language}"
    builder, counts = MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype), []
    for units in made:
        for unit in units:
            builder.add_item(torch.from_numpy(unit))
        counts.append(len(units))
    if not counts:
        raise InputError(
            f"{corpus.flag} {language}: no document has enough units; set --min-units or --units lower, or "
            "--unit-tokens (their order matters, so short documents can't be joined)"
        )
    builder.finalize(f"{prefix}.idx")
    np.save(counts_file(str(folder), corpus.split, language), np.array(counts, dtype=np.int32))
    return len(counts)


def encode(corpus: Corpus, maker: DocumentMaker, progress: Optional[bool]) -> Iterator[list[np.ndarray]]:
    """The documents made of a corpus, in order."""
    paths = [part[0] for part in corpus.parts]
    documents = read_documents(paths, corpus.flag)
    with Progress(f"documents {corpus.split} {corpus.name}", progress) as bar:
        for chunk in chunks_of(documents, _AT_A_TIME):
            yield from maker(chunk)
            bar.add(sum(map(len, chunk)))


def chunks_of(documents: Iterable[list[str]], characters: int) -> Iterator[list[list[str]]]:
    """Documents in a row, as many as have ``characters`` together; the last one may have more."""
    chunk: list[list[str]] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += sum(map(len, document)) + 1
        if size >= characters:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def build(corpora: list[Corpus], flags: dict, text: EncoderText, folder: Path, progress: Optional[bool]) -> list[dict]:
    """Fill ``folder``; returns a row of the report for each corpus."""
    dtype = np.uint16 if len(text.dictionary) < 2**16 else np.int32
    rows = []
    for corpus in corpora:
        maker = DocumentMaker(
            text, flags["unit_tokens"], flags["units"], flags["min_units"], flags["packing"], corpus.name
        )
        write_documents(corpus, encode(corpus, maker, progress), folder, dtype)
        files = [path.name for part in corpus.parts for path in part]
        rows.append({"language": corpus.name, "split": corpus.split, "files": files, "counts": dict(maker.counts)})
    text.save(folder)
    return rows


def find_report(folder: Path, made_of: dict, text: EncoderText) -> Optional[Found]:
    """What a finished folder says of itself beside this text and these flags; None if it isn't one."""
    try:
        report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
        old, rows = report["made of"], report["corpora"]
        names = {name for row in rows for name in _names(row["split"], row["language"])}
        changed = differences(old["flags"], made_of["flags"], _digests(old), _digests(made_of))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Found(changed, {REPORT_FILE, *names, *_pipeline_files(text)})


def _digests(made_of: dict) -> dict:
    return {**made_of["text"], "tokenizer": made_of["tokenizer"]}


def _names(split: str, language: str) -> list[str]:
    """The files of one corpus."""
    return [*(f"{split}.{language}-None.{language}.{end}" for end in ("bin", "idx")), counts_file("", split, language)]


def _pipeline_files(text: EncoderText) -> set[str]:
    """What ``text.save`` writes."""
    with TemporaryDirectory() as folder:
        text.save(folder)
        return {path.name for path in Path(folder).iterdir()}


def format_report(rows: list[dict], destdir: Path) -> str:
    """A few lines for each language: what was made, what was dropped."""
    lines = [f"{destdir}:"]
    for row in rows:
        counts = Counter(row["counts"])
        kept = counts["units made"] - sum(n for name, n in counts.items() if name.startswith("units dropped"))
        lines.append(
            f"{row['split']} {row['language']}: {counts['documents made']} documents with {kept} units, of "
            f"{counts['documents read']} documents with {counts['lines read']} lines"
        )
        lines += [
            f"  {count} {name}" for name, count in counts.items() if count and ("dropped" in name or "cut" in name)
        ]
    return "\n".join(lines)


def main(argv: Optional[list[str]] = None) -> int:
    args = make_parser().parse_args(argv)
    corpora, flags = read_flags(args)
    os.environ.setdefault("RAYON_NUM_THREADS", str(args.workers))  # of the tokenizers package
    try:
        text = EncoderText.load(args.like.parent if args.like.is_file() else args.like)
    except InputError as error:
        raise InputError(f"--like: {error}") from None
    with Progress("look through", args.progress) as bar:
        found = inspect_corpora(corpora, args.workers, bar.add, allow_mask=True)  # dropped where it is a token
    digests = {f"{c.flag} {c.name}": [found[part[0]].digest for part in c.parts] for c in corpora}
    made_of = {"flags": flags, "text": digests, "tokenizer": text.fingerprint()}
    look = partial(find_report, made_of=made_of, text=text)
    if already_done(NAME, args.destdir, REPORT_FILE, look, args.overwrite):
        print(f"{args.destdir} is ready already, from the same documents and flags; nothing to do")
        return 0
    with building(NAME, args.destdir) as folder:
        made = folder / "documents"
        made.mkdir()
        rows = build(corpora, flags, text, made, args.progress)
        report = json.dumps({"made of": made_of, "corpora": rows}, indent=1, ensure_ascii=False)
        (made / REPORT_FILE).write_text(report + "\n", encoding="utf-8")
        move_into_place(made, args.destdir)
    print(format_report(rows, args.destdir))
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(NAME, main))
