"""Public text with an order of sentences -> the files that the recipes of MSM read.

    python examples/msm_text.py FOLDER OUT LANGUAGES [PICTURE [XQUAD]]      each like de,en,es

FOLDER holds the downloads (see msm_small/run.sh), plain or packed, in any folder below it. OUT gets
documents.<language>.jsonl, a document a line; text.<language>.txt, the same text, a sentence a line; for the test
tatoeba/<language>.{source,english} of every language that has a test set there (LONG_CODES), xquad/<language>.json of
the languages XQUAD, and verses/<language>.txt, line n of one the translation of line n of the others; for a picture of
the languages PICTURE parallel.<language>.txt; and groups.jsonl, English queries with their passages to fine-tune on
(the training sides of MedQuAD and SciFact, and SciFact's titles). What is missing ends it with one line.

    bible          book, chapter, verse, text: a chapter is a document, a verse a line; bible.<language>.tsv, or the CSV
                   of the version that VERSIONS names, as scrollmapper/bible_databases has it. HELD_OUT books are in no
                   document: verses/ and parallel. are of these
    python-docs    a file of the documentation is a document, a paragraph a line; JSON lines {"doc": .., "en": .., ..},
                   or python-docs-<language>.zip of gettext's files, as the translators' repositories are
    scifact        English abstracts: each is a document, a sentence a line
    tatoeba        tatoeba-v1.tar, or its files
"""

import csv
import json
import re
import sys
import tarfile
import zipfile
from itertools import groupby
from pathlib import Path
from typing import Iterator, Optional, Sequence

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

import retrieval_text  # noqa: E402

from mass_plugins.data.text_files import open_text  # noqa: E402

# of Tatoeba's files
LONG_CODES = {
    "ar": "ara", "bn": "ben", "cs": "ces", "de": "deu", "el": "ell", "es": "spa", "et": "est", "fi": "fin", "fr": "fra",
    "hi": "hin", "it": "ita", "ja": "jpn", "ko": "kor", "nl": "nld", "pl": "pol", "pt": "por", "ru": "rus", "sw": "swh",
    "tr": "tur", "vi": "vie", "zh": "cmn",
}  # fmt: skip

# of the Bible, in the public domain but for Portuguese (CC BY 3.0 BR)
VERSIONS = {
    "cs": "CzeBKR", "de": "GerElb1871", "el": "GreVamvas", "en": "ASV", "es": "SpaRV", "fr": "FrePGR", "ja": "JapBungo",
    "ko": "KorRV", "nl": "DutSVV", "pt": "PorBLivre", "vi": "Viet", "zh": "ChiUn",
}  # fmt: skip
# to test on: their verses are the same in all these versions, and little of them is told in other books, too
HELD_OUT = ("Ruth", "Esther", "Proverbs", "Daniel", "James")
# of the picture: as many verses in all these versions, and unlike Genesis 1 none that says what another does
PARALLEL = ("Esther", "1")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}  # of gettext
_EAST_ASIAN = "\u3000-\u30ff\u3400-\u9fff\uff00-\uffef"
_SPACE_BETWEEN = re.compile(f"(?<=[{_EAST_ASIAN}])\\s+(?=[{_EAST_ASIAN}])")


def find(folder: Path, name: str) -> Optional[Path]:
    """A file, packed or not, in a folder or below it."""
    return next((path for end in ("", ".xz", ".gz") for path in sorted(folder.rglob(name + end))), None)


def lines_of(path: Path) -> Iterator[str]:
    with open_text(path) as stream:
        for line in stream:
            yield line.decode("utf-8").rstrip("\r\n")


def verses(folder: Path, language: str) -> Iterator[tuple[str, str, str, str]]:
    """(book, chapter, verse, text) of each verse, in order; none without a file."""
    path = find(folder, f"bible.{language}.tsv")
    if path is not None:
        rows: Iterator[list[str]] = (line.split("\t") for line in lines_of(path))
    elif (path := find(folder, f"{VERSIONS.get(language)}.csv")) is not None:
        rows = csv.reader(lines_of(path))
        next(rows, None)  # the header
    else:
        return
    for row in rows:
        if len(row) == 4 and row[3].strip():
            yield row[0], row[1], row[2], _SPACE_BETWEEN.sub("", row[3].strip())


def bible(folder: Path, language: str) -> Iterator[list[str]]:
    for (book, _), chapter in groupby(verses(folder, language), key=lambda verse: verse[:2]):
        if book not in HELD_OUT:
            yield [text for *_, text in chapter]


def python_docs(folder: Path, language: str) -> Iterator[list[str]]:
    path = find(folder, "python-docs.en-fr-es-ja.jsonl")
    if path is not None:
        for _, rows in groupby(map(json.loads, lines_of(path)), key=lambda row: row["doc"]):
            yield [" ".join(row[language].split()) for row in rows if row.get(language, "").strip()]
        return
    path = find(folder, f"python-docs-{'fr' if language == 'en' else language}.zip")
    if path is not None:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(name for name in archive.namelist() if name.endswith(".po")):
                pairs = messages(archive.read(name).decode("utf-8"))
                yield [" ".join(pair[language != "en"].split()) for pair in pairs if pair[language != "en"].strip()]


def abstracts(folder: Path, language: str) -> Iterator[list[str]]:
    if language == "en":
        for passage in retrieval_text.scifact(folder).passages.values():
            yield [passage.title, *re.split(r"(?<=[.!?])\s+", passage.text)]


def messages(text: str) -> Iterator[tuple[str, str]]:
    """(English, translation) of a file of gettext's; an uncertain (fuzzy) translation is left empty."""
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in block.splitlines() if line and not line.startswith("#~")]
        parts: dict[str, str] = {}
        key = ""
        for line in lines:
            found = re.match(r'(?:(\w+)\s+)?"(.*)"$', line)
            if found:
                key = found[1] or key
                parts[key] = parts.get(key, "") + re.sub(r"\\(.)", lambda c: _ESCAPES.get(c[1], c[1]), found[2])
        if parts.get("msgid"):  # the first has none, but the file's header
            fuzzy = any(line.startswith("#,") and "fuzzy" in line for line in lines)
            yield parts["msgid"], "" if fuzzy else parts.get("msgstr", "")


SOURCES = (bible, python_docs, abstracts)


def write_documents(folder: Path, out: Path, language: str) -> int:
    """Documents, and the same as text; returns how many lines."""
    count = 0
    with (
        open(out / f"documents.{language}.jsonl", "w", encoding="utf-8") as documents,
        open(out / f"text.{language}.txt", "w", encoding="utf-8") as text,
    ):
        for lines in (document for read in SOURCES for document in read(folder, language)):
            lines = [" ".join(line.split()) for line in lines if line.strip() and "[MASK]" not in line]
            if lines:
                documents.write(json.dumps({"lines": lines}, ensure_ascii=False) + "\n")
                text.writelines(line + "\n" for line in lines)
                count += len(lines)
    return count


def write_parallel(folder: Path, out: Path, languages: list[str]) -> str:
    """parallel.<language>.txt: the verses of one chapter, line n of one the translation of line n of the others.

    Returns:
        what is wrong with them: a language that hasn't the chapter, or has another number of verses; "" if nothing.
    """
    counts = {}
    for language in languages:
        found = [text for *chapter, _, text in verses(folder, language) if tuple(chapter) == PARALLEL]
        (out / f"parallel.{language}.txt").write_text("".join(f"{text}\n" for text in found), encoding="utf-8")
        counts[language] = len(found)
    if 0 in counts.values() or len(set(counts.values())) > 1:
        return f"the Bibles in {folder} have different numbers of verses in {' '.join(PARALLEL)}: {counts}"
    return ""


def write_verses(folder: Path, out: Path, languages: list[str]) -> int:
    """The verses of the books held out that all languages have; returns how many."""
    held_out = [
        {tuple(place): text for *place, text in verses(folder, language) if place[0] in HELD_OUT}
        for language in languages
    ]
    places = [place for place in held_out[0] if all(place in found for found in held_out)]
    (out / "verses").mkdir(exist_ok=True)
    for language, found in zip(languages, held_out):
        (out / "verses" / f"{language}.txt").write_text("".join(found[place] + "\n" for place in places), "utf-8")
    return len(places)


def write_tatoeba(folder: Path, out: Path, languages: list[str]) -> list[str]:
    """The pairs of the languages that have a test set.

    Returns:
        names of the files that are missing.
    """
    archive, files = find(folder, "tatoeba-v1.tar"), {}
    if archive is not None:
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                stream = tar.extractfile(member) if member.isfile() else None
                if stream is not None:
                    files[Path(member.name).name] = stream.read()
    else:
        files = {path.name: path.read_bytes() for path in folder.rglob("tatoeba.*-eng.*")}
    missing = []
    (out / "tatoeba").mkdir(exist_ok=True)
    for language, code in ((language, LONG_CODES[language]) for language in languages if language in LONG_CODES):
        for name, end in ((f"tatoeba.{code}-eng.{code}", "source"), (f"tatoeba.{code}-eng.eng", "english")):
            if name in files:
                (out / "tatoeba" / f"{language}.{end}").write_bytes(files[name])
            else:
                missing.append(name)
    return missing


def write_xquad(folder: Path, out: Path, languages: Sequence[str]) -> list[str]:
    """XQuAD-R's files of the languages, unpacked; returns names of the files that are missing."""
    missing = []
    (out / "xquad").mkdir(exist_ok=True)
    for language in languages:
        path = find(folder, f"xquad-r/{language}.json")
        if path is None:
            missing.append(f"xquad-r/{language}.json")
        else:
            with open_text(path) as stream:
                (out / "xquad" / f"{language}.json").write_bytes(stream.read())
    return missing


def write_groups(folder: Path, out: Path) -> dict[str, int]:
    """English queries with their passages, as groups; returns how many of each kind.

    They are those of dupmae_small's training: questions of MedQuAD and claims of SciFact (the sides that it tests on
    are left out), and the titles of SciFact's abstracts, as queries of these.
    """
    counts = {"MedQuAD's questions": 0, "SciFact's claims": 0, "SciFact's titles": 0}
    with open(out / "groups.jsonl", "w", encoding="utf-8") as file:
        for collection in (retrieval_text.scifact(folder), retrieval_text.medquad(folder)):
            for group in retrieval_text.groups_of(collection):
                file.write(group.as_json() + "\n")
                kind = "titles" if group.query.id.startswith("scifact-title-") else "claims"
                counts["MedQuAD's questions" if collection.name == "medquad" else f"SciFact's {kind}"] += 1
    return counts


def main(source: Path, out: Path, languages: list[str], picture: Sequence[str] = (), xquad: Sequence[str] = ()) -> int:
    missing = write_tatoeba(source, out, languages) + write_xquad(source, out, xquad)
    if missing:  # a test of fewer languages would be another test
        names = f"{', '.join(missing[:3])}{' ..' if len(missing) > 3 else ''}"
        print(
            f"error: {source} lacks {names} of the tests (Tatoeba's may be in tatoeba-v1.tar); put what is missing "
            "there, or take the languages out of config.sh",
            file=sys.stderr,
        )
        return 1
    for language in languages:
        count = write_documents(source, out, language)
        if count == 0:
            print(f"error: {source} has no documents in {language} (bible.{language}.tsv)", file=sys.stderr)
            return 1
        print(f"{language}: {count} lines")
    print(f"{write_verses(source, out, languages)} verses to test on")
    wrong = write_parallel(source, out, list(picture))
    if wrong:
        print(f"error: {wrong}; choose other languages for the picture (PICTURE)", file=sys.stderr)
        return 1
    counts = write_groups(source, out)
    print(f"{sum(counts.values())} English queries:", ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 0


if __name__ == "__main__":
    source, out, *lists = sys.argv[1:]
    sys.exit(main(Path(source), Path(out), *(names.split(",") for names in lists)))
