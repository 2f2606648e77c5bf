"""The files that the recipes of MSM read, tiny: made-up text under the real names and in the real formats."""

import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

from tests import tiny

LASER = "facebookresearch/LASER/74bc6ae7ffb7cba670fe0f428d0ede9f666fb821/data/tatoeba/v1"
LAREQA = "google-research-datasets/lareqa/9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c/xquad-r"
LONG = {"de": "deu", "fr": "fra"}


BOOKS = ("Genesis", "Esther")  # that the Bible in DATA has, too: it lacks others


def bible(language: str, chapters: int = 3, verses: int = 24) -> list[list[str]]:
    """(book, chapter, verse, text) of each of BOOKS."""
    rows = []
    for book in BOOKS:
        for chapter in range(1, chapters + 1):
            text = tiny.sentences(verses, [language], f"{book} {chapter}")[language]
            rows += [[book, str(chapter), str(verse), line] for verse, line in enumerate(text, 1)]
    return rows


def python_docs(lines: int = 30) -> list[dict[str, str]]:
    """One file of documentation; the last half isn't translated."""
    text = tiny.sentences(lines, ["en", "fr"], "documentation")
    pairs = enumerate(zip(text["en"], text["fr"]))
    return [{"doc": "about.po", "en": en} | ({"fr": fr} if n < lines // 2 else {}) for n, (en, fr) in pairs]


def tatoeba(languages, pairs: int = 12) -> dict[str, bytes]:
    """Name -> content of its files."""
    files = {}
    for language in languages:
        text = tiny.sentences(pairs, [language, "en"], f"tatoeba {language}")
        for side, end in ((language, LONG[language]), ("en", "eng")):
            files[f"tatoeba.{LONG[language]}-eng.{end}"] = "".join(line + "\n" for line in text[side]).encode()
    return files


def xquad(language: str, paragraphs: int = 3) -> dict:
    """XQuAD-R's form: paragraphs of two sentences, the answer in the second."""
    found = []
    for number in range(paragraphs):
        first, second, question = tiny.sentences(3, [language], f"paragraph {number}")[language]
        start = len(first) + 1
        answer = {"answer_start": start, "text": second[:4]}
        breaks = [[0, len(first)], [start, start + len(second)]]
        found.append({"context": f"{first} {second}", "sentence_breaks": breaks,
                      "qas": [{"id": f"q{number}", "question": question, "answers": [answer]}]})  # fmt: skip
    return {"data": [{"paragraphs": found}]}


def scifact() -> dict[str, str]:
    """Name -> content of its files."""
    texts = tiny.sentences(60, ["en"], "questions")["en"]
    rows = "".join(f"{n},{texts[n]},\"['{texts[n + 5]}' '{texts[n + 6]}']\",False\n" for n in range(1, 20))
    claims = "".join(f"{n},{texts[n + 5][:30]},{n},SUPPORT,[1],[{n}]\n" for n in range(1, 12))
    header = "id,claim,evidence_doc_id,evidence_label,evidence_sentences,cited_doc_ids\n"
    return {"corpus_train.csv": "doc_id,title,abstract,structured\n" + rows, "claims_train.csv": header + claims}


def medquad() -> list[dict[str, str]]:
    texts = tiny.sentences(60, ["en"], "questions")["en"]
    return [{"focus": f"subject {n}", "question": texts[n], "answer": texts[n + 25]} for n in range(30)]


def write_small(folder: Path) -> None:
    """DATA of examples/msm_small, of de, en and fr, in one file each."""
    folder.mkdir()
    for language in tiny.LANGUAGES:
        rows = "".join("\t".join(row) + "\n" for row in bible(language))
        (folder / f"bible.{language}.tsv").write_text(rows)
    for name, rows in (("python-docs.en-fr-es-ja", python_docs()), ("medquad.train", medquad())):
        write_packed(folder / f"{name}.jsonl.xz", "".join(json.dumps(row) + "\n" for row in rows), lzma.compress)
    with tarfile.open(folder / "tatoeba-v1.tar.xz", "w:xz") as archive:
        for name, content in tatoeba(LONG).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    for language in ("en", "de"):
        write_packed(folder / "xquad-r" / f"{language}.json", json.dumps(xquad(language)), bytes)
    for name, content in scifact().items():
        (folder / name).write_text(content)


def gettext(rows: list[dict[str, str]]) -> str:
    """A file of translations: a header, long texts in several pieces, an uncertain translation at the end."""
    blocks = ['msgid ""\nmsgstr ""\n"Language: fr\\n"']
    for row in rows:
        begin, end = row["en"][:9], row["en"][9:]
        blocks.append(f'#: about.rst\nmsgid ""\n"{begin}"\n"{end}"\nmsgstr "{row.get("fr", "")}"')
    blocks.append('#, fuzzy\nmsgid "say \\"no\\""\nmsgstr "uncertain"')
    return "\n\n".join(blocks) + "\n"


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def as_csv(rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["Book", "Chapter", "Verse", "Text"], *rows])
    return buffer.getvalue()


VERSIONS = {"en": "ASV", "de": "GerElb1871", "fr": "FrePGR"}


def medquad_files() -> dict[str, str]:
    """The XML of its archive."""
    pair = "<QAPair><Question>{question}</Question><Answer>{answer}</Answer></QAPair>"
    return {
        f"MedQuAD/{n}.xml": f"<Document><Focus>{row['focus']}</Focus><QAPairs>{pair.format(**row)}</QAPairs></Document>"
        for n, row in enumerate(medquad())
    }


def write_small_mirror(mirror: Path) -> None:
    """MIRROR of examples/msm_small: the same as its authors publish it."""
    raw = mirror / "raw.githubusercontent.com"
    commits = {
        "bible": "scrollmapper/bible_databases/a228a19a29099a41c196c2a310cd93e50a390e30/formats/csv",
        "scifact": "sumithra-p-v/claimverifier/b42f1c3444b28884ddcfadffafbfe223646c6c37/data",
    }
    for language, version in VERSIONS.items():
        write_packed(raw / commits["bible"] / f"{version}.csv", as_csv(bible(language)), bytes)
    docs = zipped({"python-docs-fr-b279/about.po": gettext(python_docs())})
    github = mirror / "github.com"
    archives = {
        "python/python-docs-fr/archive/b279d876e2a3381605d38ea62b863f60abadc92c.zip": docs,
        "abachaa/MedQuAD/archive/577bd37b96c02d1833b2c9eed2de9f96964e96cb.zip": zipped(medquad_files()),
    }
    for name, content in archives.items():
        (github / name).parent.mkdir(parents=True)
        (github / name).write_bytes(content)
    (raw / commits["scifact"]).mkdir(parents=True)
    (raw / commits["scifact"] / "scifact.zip").write_bytes(zipped({f"scifact/{n}": c for n, c in scifact().items()}))
    (raw / LASER).mkdir(parents=True)
    for name, content in tatoeba(LONG).items():
        (raw / LASER / name).write_bytes(content)
    for language in ("en", "de"):
        write_packed(raw / LAREQA / f"{language}.json", json.dumps(xquad(language)), bytes)


def write_packed(path: Path, content: str, pack) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pack(content.encode()))


def write_full(folder: Path) -> None:
    """MIRROR, MRTYDI and XOR of examples/msm_full: CC-100 in de and zh, DPR's questions, tests of de."""
    mirror = folder / "mirror"
    for language, name in (("de", "de"), ("fr", "zh-Hans")):
        lines = tiny.sentences(240, [language], f"crawl {name}")[language]
        text = "\n\n".join("\n".join(lines[begin : begin + 24]) for begin in range(0, 240, 24))
        write_packed(mirror / "data.statmt.org" / "cc-100" / f"{name}.txt.xz", text + "\n", lzma.compress)
    texts = tiny.sentences(40, ["en"], "nq")["en"]
    passages = [{"title": "a title", "text": text, "passage_id": str(n)} for n, text in enumerate(texts)]
    items = [{"question": f"{texts[n][:20]}?", "positive_ctxs": [passages[n]], "hard_negative_ctxs": [passages[-n - 1]],
              "negative_ctxs": [], "dataset": "nq"} for n in range(16)]  # fmt: skip
    items += [{**items[0], "hard_negative_ctxs": []}]
    address = mirror / "dl.fbaipublicfiles.com" / "dpr" / "data" / "retriever" / "biencoder-nq-train.json.gz"
    write_packed(address, json.dumps(items, indent=4), gzip.compress)
    raw = mirror / "raw.githubusercontent.com"
    pairs = tiny.sentences(9, ["de", "en"], "tatoeba")
    for language, end in (("de", "deu"), ("en", "eng")):
        content = "".join(line + "\n" for line in pairs[language])
        write_packed(raw / LASER / f"tatoeba.deu-eng.{end}", content, bytes)
    for language in ("de", "en"):
        write_packed(raw / LAREQA / f"{language}.json", json.dumps(xquad(language)), bytes)
    documents = tiny.sentences(12, ["de"], "mrtydi")["de"]
    rows = "".join(json.dumps({"id": f"{n}#0", "contents": text}) + "\n" for n, text in enumerate(documents))
    write_packed(folder / "mrtydi" / "german" / "corpus.jsonl.gz", rows, gzip.compress)
    write_packed(folder / "mrtydi" / "german" / "topics.test.tsv", f"1\t{documents[3]}\n2\t{documents[5]}\n", bytes)
    write_packed(folder / "mrtydi" / "german" / "qrels.test.txt", "1 Q0 3#0 1\n2 Q0 5#0 1\n", bytes)
    write_packed(folder / "xor" / "passages.tsv", "".join(f"{n}\ta title\t{t}\n" for n, t in enumerate(texts)), bytes)
    asked = [{"id": str(n), "question": documents[n], "lang": "de", "answers": [texts[n][:6]]} for n in range(3)]
    write_packed(folder / "xor" / "questions.jsonl", "".join(json.dumps(row) + "\n" for row in asked), bytes)
