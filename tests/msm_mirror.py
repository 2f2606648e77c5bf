"""The files that the recipes of MSM read, tiny: made-up text under the real names and in the real formats."""

import io
import json
import lzma
import tarfile
from pathlib import Path

from tests import tiny

LONG = {"de": "deu", "fr": "fra"}


def write_bible(folder: Path, languages, chapters: int = 6, verses: int = 24) -> None:
    for language in languages:
        rows = []
        for chapter in range(1, chapters + 1):
            text = tiny.sentences(verses, [language], f"chapter {chapter}")[language]
            rows += [f"Ruth\t{chapter}\t{verse}\t{line}\n" for verse, line in enumerate(text, 1)]
        (folder / f"bible.{language}.tsv").write_text("".join(rows))


def write_python_docs(folder: Path, lines: int = 30) -> None:
    """One file of documentation; the last half isn't translated."""
    text = tiny.sentences(lines, ["en", "fr"], "documentation")
    rows = [
        {"doc": "about.po", "en": en} | ({"fr": fr} if n < lines // 2 else {})
        for n, (en, fr) in enumerate(zip(*text.values()))
    ]
    packed = lzma.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    (folder / "python-docs.en-fr-es-ja.jsonl.xz").write_bytes(packed)


def write_tatoeba(folder: Path, languages, pairs: int = 12) -> None:
    with tarfile.open(folder / "tatoeba-v1.tar.xz", "w:xz") as archive:
        for language in languages:
            text = tiny.sentences(pairs, [language, "en"], f"tatoeba {language}")
            for side, end in ((language, LONG[language]), ("en", "eng")):
                content = "".join(line + "\n" for line in text[side]).encode()
                member = tarfile.TarInfo(f"tatoeba.{LONG[language]}-eng.{end}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


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


def write_questions(folder: Path) -> None:
    """SciFact's and MedQuAD's files."""
    texts = tiny.sentences(60, ["en"], "questions")["en"]
    rows = "".join(f"{n},{texts[n]},\"['{texts[n + 5]}' '{texts[n + 6]}']\",False\n" for n in range(1, 20))
    (folder / "corpus_train.csv").write_text("doc_id,title,abstract,structured\n" + rows)
    rows = "".join(f"{n},{texts[n + 5][:30]},{n},SUPPORT,[1],[{n}]\n" for n in range(1, 12))
    header = "id,claim,evidence_doc_id,evidence_label,evidence_sentences,cited_doc_ids\n"
    (folder / "claims_train.csv").write_text(header + rows)
    pairs = [{"focus": f"subject {n}", "question": texts[n], "answer": texts[n + 25]} for n in range(30)]
    (folder / "medquad.train.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))


def write_small(folder: Path) -> None:
    """All that examples/msm_small reads, of de, en and fr."""
    folder.mkdir()
    write_bible(folder, tiny.LANGUAGES)
    write_python_docs(folder)
    write_tatoeba(folder, LONG)
    (folder / "xquad-r").mkdir()
    for language in ("en", "de"):
        (folder / "xquad-r" / f"{language}.json").write_text(json.dumps(xquad(language)))
    write_questions(folder)
