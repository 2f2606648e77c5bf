"""Public text with an order of sentences -> the files that the recipes of MSM read.

    python examples/msm_text.py FOLDER OUT de,en,es,...

FOLDER holds the downloads (see msm_small/README.md), plain or packed, in any folder below it. OUT gets
documents.<language>.jsonl, a document a line; text.<language>.txt, the same text, a sentence a line; for the test
tatoeba/<language>.{source,english} and xquad/<language>.json; and for a picture parallel.<language>.txt. A language
without documents ends it with one line.

    bible          book, chapter, verse, text: a chapter is a document, a verse a line
    python-docs    {"doc": .., "en": .., "fr": ..}: a file of the documentation is a document, a paragraph a line
"""

import json
import sys
import tarfile
from itertools import groupby
from pathlib import Path
from typing import Iterator, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mass_plugins.data.text_files import open_text  # noqa: E402

# of Tatoeba's files
LONG_CODES = {
    "ar": "ara", "bn": "ben", "cs": "ces", "de": "deu", "el": "ell", "es": "spa", "et": "est", "fi": "fin", "fr": "fra",
    "hi": "hin", "it": "ita", "ja": "jpn", "ko": "kor", "nl": "nld", "pl": "pol", "pt": "por", "ru": "rus", "sw": "swh",
    "tr": "tur", "vi": "vie", "zh": "cmn",
}  # fmt: skip


def find(folder: Path, name: str) -> Optional[Path]:
    """A file, packed or not, in a folder or below it."""
    return next((path for end in ("", ".xz", ".gz") for path in sorted(folder.rglob(name + end))), None)


def lines_of(path: Path) -> Iterator[str]:
    with open_text(path) as stream:
        for line in stream:
            yield line.decode("utf-8").rstrip("\r\n")


def bible(folder: Path, language: str) -> Iterator[list[str]]:
    path = find(folder, f"bible.{language}.tsv")
    if path is None:
        return
    rows = (line.split("\t") for line in lines_of(path))
    for _, verses in groupby((row for row in rows if len(row) == 4), key=lambda row: row[:2]):
        yield [row[3] for row in verses if row[3].strip()]


def python_docs(folder: Path, language: str) -> Iterator[list[str]]:
    path = find(folder, "python-docs.en-fr-es-ja.jsonl")
    if path is None:
        return
    for _, rows in groupby(map(json.loads, lines_of(path)), key=lambda row: row["doc"]):
        yield [" ".join(row[language].split()) for row in rows if row.get(language, "").strip()]


def write_documents(folder: Path, out: Path, language: str) -> int:
    """Documents, and the same as text; returns how many lines."""
    count = 0
    with (
        open(out / f"documents.{language}.jsonl", "w", encoding="utf-8") as documents,
        open(out / f"text.{language}.txt", "w", encoding="utf-8") as text,
    ):
        for lines in (document for read in (bible, python_docs) for document in read(folder, language)):
            lines = [" ".join(line.split()) for line in lines if "[MASK]" not in line]
            if lines:
                documents.write(json.dumps({"lines": lines}, ensure_ascii=False) + "\n")
                text.writelines(line + "\n" for line in lines)
                count += len(lines)
    return count


def write_parallel(folder: Path, out: Path, languages: list[str]) -> None:
    """parallel.<language>.txt: the first verses of Ruth, line n of one the translation of line n of the others."""
    for language in languages:
        path = find(folder, f"bible.{language}.tsv")
        if path is not None:
            rows = (line.split("\t") for line in lines_of(path))
            verses = [row[3] for row in rows if len(row) == 4 and row[:2] == ["Ruth", "1"]]
            (out / f"parallel.{language}.txt").write_text("".join(verse + "\n" for verse in verses), encoding="utf-8")


def write_tatoeba(folder: Path, out: Path, languages: list[str]) -> list[str]:
    """The pairs of the languages that there are; returns these."""
    archive, found = find(folder, "tatoeba-v1.tar"), []
    assert archive is not None  # main has looked
    (out / "tatoeba").mkdir()
    with tarfile.open(archive) as tar:
        members = {Path(member.name).name: member for member in tar.getmembers() if member.isfile()}
        for language in languages:
            code = LONG_CODES.get(language)
            names = [f"tatoeba.{code}-eng.{code}", f"tatoeba.{code}-eng.eng"]
            if all(name in members for name in names):
                for name, end in zip(names, ("source", "english")):
                    stream = tar.extractfile(members[name])
                    assert stream is not None
                    (out / "tatoeba" / f"{language}.{end}").write_bytes(stream.read())
                found.append(language)
    return found


def main(source: Path, out: Path, languages: list[str]) -> int:
    for language in languages:
        count = write_documents(source, out, language)
        if count == 0:
            print(f"error: {source} has no documents in {language} (bible.{language}.tsv)", file=sys.stderr)
            return 1
        print(f"{language}: {count} lines")
    write_parallel(source, out, languages)
    if find(source, "tatoeba-v1.tar") is None:
        print(f"error: {source} has no tatoeba-v1.tar.xz", file=sys.stderr)
        return 1
    print("tatoeba:", ",".join(write_tatoeba(source, out, languages)))
    (out / "xquad").mkdir()
    for language in languages:
        path = find(source, f"xquad-r/{language}.json")
        if path is not None:
            with open_text(path) as stream:
                (out / "xquad" / f"{language}.json").write_bytes(stream.read())
            print(f"xquad-r: {language}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(",")))
