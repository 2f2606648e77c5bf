"""What the recipe msm_full makes of its downloads.

    python examples/crawl_text.py documents FILE LINES OUT    the first whole documents of a file, LINES lines at most
    python examples/crawl_text.py questions FILE OUT          DPR's training data as groups of a query and its passages

Documents are separated by empty lines, as in CC-100; files may be packed, and are read in a stream. A line with [MASK],
which pre-training reserves, is left out. Of DPR's, questions
without a positive or a hard negative passage are left out.
"""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mass_plugins.data.retrieval_files import Passage, Query  # noqa: E402
from mass_plugins.data.retrieval_groups import Candidate, Group  # noqa: E402
from mass_plugins.data.text_files import open_text  # noqa: E402

MASK = b"[MASK]"
_CHUNK = 1 << 22  # characters


def documents(source: Path) -> Iterator[list[bytes]]:
    """Lines of one document after the other; a line that is no UTF-8, or has MASK, is left out."""
    gathered: list[bytes] = []
    with open_text(source) as stream:
        for line in stream:
            if not line.strip():
                if gathered:
                    yield gathered
                gathered = []
            elif MASK not in line and is_text(line):
                gathered.append(line.rstrip(b"\r\n") + b"\n")
    if gathered:
        yield gathered


def is_text(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def cut_documents(source: Path, lines: int, out: Path) -> int:
    """Write gzip; returns how many lines."""
    written = 0
    with gzip.open(out, "wb", compresslevel=1) as file:
        for document in documents(source):
            if written and written + len(document) > lines:
                break
            file.writelines([*document, b"\n"])
            written += len(document)
    return written


def items(source: Path) -> Iterator[dict[str, Any]]:
    """The items of a JSON file that is one list, without holding it whole."""
    decoder, buffer = json.JSONDecoder(), ""
    with open_text(source) as raw:
        stream = io.TextIOWrapper(raw, encoding="utf-8")  # a character may lie across two chunks
        while chunk := stream.read(_CHUNK):
            buffer += chunk
            while True:
                buffer = buffer.lstrip("[,\n\r\t ")
                try:
                    item, end = decoder.raw_decode(buffer)
                except ValueError:  # not whole yet, or the closing bracket
                    break
                yield item
                buffer = buffer[end:]


def candidates(rows: list[dict[str, Any]]) -> list[Candidate]:
    ids = [str(row.get("passage_id", row.get("psg_id"))) for row in rows]
    return [Candidate(Passage(name, row["title"], row["text"])) for name, row in zip(ids, rows)]


def write_questions(source: Path, out: Path) -> int:
    count = 0
    with open(out, "w", encoding="utf-8") as file:
        for number, item in enumerate(items(source)):
            group = Group(
                Query(f"nq{number}", item["question"]),
                candidates(item["positive_ctxs"]),
                candidates(item["hard_negative_ctxs"]),
            )
            if group.positives and group.negatives:
                file.write(group.as_json() + "\n")
                count += 1
    return count


def main(words: list[str]) -> int:
    if words[0] == "documents":
        count = cut_documents(Path(words[1]), int(words[2]), Path(words[3]))
    else:
        count = write_questions(Path(words[1]), Path(words[2]))
    print(f"{words[-1]}: {count} {'lines' if words[0] == 'documents' else 'questions'}")
    if not count:
        print(f"error: {words[1]} has none", file=sys.stderr)
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
