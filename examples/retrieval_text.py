"""Four small collections with judgements -> the files that the recipe dupmae_small reads.

    python examples/retrieval_text.py FOLDER OUT

FOLDER holds the downloads (see dupmae_small/run.sh). OUT gets text.txt, the documents' sentences to pre-train on;
train.jsonl, groups to fine-tune on; and for each collection a folder with corpus.jsonl, queries.jsonl, qrels.txt.

    scifact    claims and abstracts that support or refute them; claims that have an abstract in common, directly or
               through other claims, are on one side, training or test, for they are often variants of each other
    medquad    medical questions and answers; a twelfth of their subjects is held out, and the training has none of
               their answers
    cranfield, cisi    no training: their queries are all for the test
"""

import csv
import hashlib
import html
import io
import json
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mass_plugins.data.retrieval_files import Passage, Query  # noqa: E402
from mass_plugins.data.retrieval_groups import Candidate, Group  # noqa: E402
from mass_plugins.data.text_files import open_text  # noqa: E402

LINE_WORDS = 100  # of a line to pre-train on
HELD_OUT = 12  # one of so many subjects of medquad


class Collection(NamedTuple):
    name: str
    passages: dict[str, Passage]
    queries: dict[str, Query]
    judged: dict[str, set[str]]  # of the test
    training: dict[str, set[str]]


def find(folder: Path, name: str) -> Path:
    """A file, packed or not, here or in a folder below."""
    found = [*folder.rglob(name), *folder.rglob(f"{name}.xz"), *folder.rglob(f"{name}.gz")]
    if not found:
        sys.exit(f"error: {folder} has no {name}")
    return found[0]


def read(folder: Path, name: str) -> str:
    with open_text(find(folder, name)) as stream:
        return stream.read().decode("utf-8", errors="replace")


def tidy(text: str) -> str:
    return " ".join(html.unescape(text).split())


def number_of(text: str) -> int:
    return int(hashlib.sha256(text.encode("utf-8")).hexdigest()[:8], 16)


def scifact(folder: Path) -> Collection:
    passages = {}
    for row in csv.DictReader(io.StringIO(read(folder, "corpus_train.csv"))):
        sentences = re.findall(r"'((?:[^'\\]|\\.)*)'(?=\s*['\]])|\"((?:[^\"\\]|\\.)*)\"(?=\s*['\"\]])", row["abstract"])
        text = " ".join(a or b for a, b in sentences) or row["abstract"].strip("[]'\" ")
        passages[row["doc_id"]] = Passage(row["doc_id"], tidy(row["title"]), tidy(text))
    queries: dict[str, Query] = {}
    found: dict[str, set[str]] = {}  # abstracts with evidence
    cited: dict[str, set[str]] = {}  # these and those that were read for the claim
    for row in csv.DictReader(io.StringIO(read(folder, "claims_train.csv"))):
        document = row["evidence_doc_id"].removesuffix(".0")
        cited.setdefault(row["id"], set()).update({document} - {""}, re.findall(r"\d+", row["cited_doc_ids"]))
        if document in passages:
            queries[row["id"]] = Query(row["id"], tidy(row["claim"]))
            found.setdefault(row["id"], set()).add(document)
    judged, training = {}, {}
    for number, claims in enumerate(connected(cited, found)):
        (training if number % 2 else judged).update((claim, found[claim]) for claim in claims)
    return Collection("scifact", passages, queries, judged, training)


def connected(cited: dict[str, set[str]], claims: Iterable[str]) -> list[list[str]]:
    """``claims`` in groups: two that cite one document are in one, also through other claims of ``cited``."""
    claims_of: dict[str, list[str]] = {}
    for claim, documents in cited.items():
        for document in documents:
            claims_of.setdefault(document, []).append(claim)
    group_of: dict[str, int] = {}
    for number, first in enumerate(cited):
        waiting = [first]
        while waiting:
            claim = waiting.pop()
            if claim not in group_of:
                group_of[claim] = number
                waiting.extend(other for document in cited[claim] for other in claims_of[document])
    groups: dict[int, list[str]] = {}
    for claim in claims:
        groups.setdefault(group_of[claim], []).append(claim)
    return [*groups.values()]


def medquad_rows(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(subject, question, answer) of the archive's XML files, or of JSON lines made of them."""
    archives = [*folder.rglob("medquad.zip")]
    if not archives:
        for line in read(folder, "medquad.train.jsonl").splitlines():
            row = json.loads(line)
            yield row["focus"], row["question"], row["answer"]
        return
    with zipfile.ZipFile(archives[0]) as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".xml")):
            root = ElementTree.fromstring(archive.read(name))
            for pair in root.iter("QAPair"):
                question, answer = pair.findtext("Question") or "", pair.findtext("Answer") or ""
                yield root.findtext("Focus") or "", question, answer


def medquad(folder: Path) -> Collection:
    passages: dict[str, Passage] = {}
    queries, judged, training, ids = {}, {}, {}, {}
    for subject, question, answer in medquad_rows(folder):
        question, answer = tidy(question), tidy(answer)
        if not question or not answer:
            continue
        place = ids.setdefault(answer, f"a{len(ids)}")
        passages.setdefault(place, Passage(place, "", answer))
        query = f"q{number_of(question.lower()):08x}"
        queries.setdefault(query, Query(query, question))
        side = judged if number_of(subject.lower()) % HELD_OUT == 0 else training
        side.setdefault(query, set()).add(place)
    answers = set().union(*judged.values())  # the same question, or its answer, under two subjects
    training = {query: places for query, places in training.items() if query not in judged and not places & answers}
    return Collection("medquad", passages, queries, judged, training)


def cranfield(folder: Path) -> Collection:
    passages = {}
    for block in re.findall(r"<doc>(.*?)</doc>", read(folder, "cran.all.1400.xml"), flags=re.S):
        part = {
            tag: tidy("".join(re.findall(rf"<{tag}>(.*?)</{tag}>", block, re.S))) for tag in ("docno", "title", "text")
        }
        text = part["text"].removeprefix(part["title"]).strip()  # which it begins with
        passages[part["docno"]] = Passage(part["docno"], part["title"], text)
    # the judgements number the queries from 1 on, in their order; the numbers in the file are others
    texts = re.findall(r"<title>(.*?)</title>", read(folder, "cran.qry.xml"), flags=re.S)
    queries = {str(n): Query(str(n), tidy(text)) for n, text in enumerate(texts, start=1)}
    judged: dict[str, set[str]] = {}
    for line in read(folder, "cranqrel.trec.txt").splitlines():
        query, _, document, grade = line.split()
        if int(grade) > 0 and document in passages:
            judged.setdefault(query, set()).add(document)
    return Collection("cranfield", passages, queries, judged, {})


def records(text: str) -> Iterator[dict[str, str]]:
    """``.I 1``, ``.T``, ``.W``: field -> text."""
    for block in re.split(r"^\.I\s+", text, flags=re.M)[1:]:
        number, _, rest = block.partition("\n")
        fields = re.split(r"^\.([A-Z])\s*$", rest, flags=re.M)
        yield {"I": number.strip(), **{key: tidy(value) for key, value in zip(fields[1::2], fields[2::2])}}


def cisi(folder: Path) -> Collection:
    documents = list(records(read(folder, "CISI.ALL")))
    passages = {row["I"]: Passage(row["I"], row.get("T", ""), row.get("W", "")) for row in documents}
    queries = {row["I"]: Query(row["I"], row.get("W", "")) for row in records(read(folder, "CISI.QRY"))}
    judged: dict[str, set[str]] = {}
    for line in read(folder, "CISI.REL").splitlines():
        query, document = line.split()[:2]
        judged.setdefault(query, set()).add(document)
    return Collection("cisi", passages, queries, judged, {})


def lines_of(passage: Passage) -> Iterator[str]:
    """A document's text in lines of whole sentences, about a hundred words each."""
    words: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+", passage.whole):
        if words and len(words) + len(sentence.split()) > LINE_WORDS:
            yield " ".join(words)
            words = []
        words.extend(sentence.split())
    if words:
        yield " ".join(words)


def write_collection(collection: Collection, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)  # of a stage that was cut off
    passages = (dict(zip(("_id", "title", "text"), passage)) for passage in collection.passages.values())
    judged = {query: documents for query, documents in collection.judged.items() if query in collection.queries}
    queries = ({"_id": query, "text": collection.queries[query].text} for query in judged)
    for name, rows in (("corpus.jsonl", passages), ("queries.jsonl", queries)):
        (folder / name).write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
        )
    lines = (f"{query} 0 {document} 1\n" for query, found in judged.items() for document in sorted(found))
    (folder / "qrels.txt").write_text("".join(lines))


def groups_of(collection: Collection) -> Iterator[Group]:
    """Judged pairs of the training side; then each document's title as a query for its text."""
    for query, documents in collection.training.items():
        positives = [Candidate(collection.passages[document]) for document in sorted(documents)]
        yield Group(collection.queries[query]._replace(id=f"{collection.name}-{query}"), positives, [])
    for passage in collection.passages.values():
        if passage.title and passage.text:
            query = Query(f"{collection.name}-title-{passage.id}", passage.title)
            yield Group(query, [Candidate(passage._replace(title=""))], [])


def main(source: Path, out: Path) -> None:
    collections, counts = [read_one(source) for read_one in (scifact, medquad, cranfield, cisi)], Counter()
    with (
        open(out / "text.txt", "w", encoding="utf-8") as text,
        open(out / "train.jsonl", "w", encoding="utf-8") as train,
    ):
        for collection in collections:
            write_collection(collection, out / collection.name)
            for passage in collection.passages.values():
                for line in lines_of(passage):
                    text.write(line + "\n")
                    counts["lines"] += 1
            for group in groups_of(collection):
                renamed = [
                    found._replace(passage=_renamed(found.passage, collection.name)) for found in group.positives
                ]
                train.write(group._replace(positives=renamed).as_json() + "\n")
                counts["groups"] += 1
            print(f"{collection.name}: {len(collection.passages)} documents, {len(collection.judged)} test queries")
    print(f"{counts['lines']} lines, {counts['groups']} groups")


def _renamed(passage: Passage, collection: str) -> Passage:
    return passage._replace(id=f"{collection}-{passage.id}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
