"""Collections for retrieval in the formats of BEIR, Tevatron, MS MARCO and TREC; errors name file and line.

passages     JSON lines (``_id`` or ``docid``, ``title`` if there is one, ``text`` or ``contents``), or
             ``id <tab> text``, ``id <tab> title <tab> text``, or MS MARCO's documents,
             ``id <tab> url <tab> title <tab> text``
queries      JSON lines (``_id`` or ``query_id``, ``text``, ``query`` or ``question``), or ``id <tab> text``
judgements   BEIR's ``query-id <tab> corpus-id <tab> score`` with that header, or TREC's ``query 0 document grade``
run          TREC's ``query Q0 document rank score name``

A header (``tsv_header.py``) says which column is what; a byte order mark is none of the text. Passages and queries are
streamed. A text may be empty; an id may not, and none may come twice. Groups for training are in
``retrieval_groups.py``.
"""

import codecs
import json
import math
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Optional, Sequence

from mass_plugins.data.seen_hashes import SeenHashes, hash_lines
from mass_plugins.data.text_files import not_utf8, open_text, reading
from mass_plugins.data.tsv_header import DOCUMENT_IDS, QUERY_IDS, Header, find_header
from mass_plugins.errors import InputError

QUERY_TEXTS = ("text", "query", "question")
PASSAGE_TEXTS = ("text", "contents", "passage", "body")
_GRADES = ("score", "grade", "relevance", "label")
_AT_A_TIME = 4096
_SHOWN = 40


class Passage(NamedTuple):
    id: str
    title: str
    text: str

    @property
    def whole(self) -> str:
        """Title and text as one."""
        return f"{self.title} {self.text}".strip()


class Query(NamedTuple):
    id: str
    text: str

    @property
    def whole(self) -> str:
        return self.text


HIGHEST_GRADE = 1000
Judgements = dict[str, dict[str, int]]  # query -> document -> grade
Ranking = list[tuple[str, float]]  # (document, score), best first


def numbered_lines(path: Path, flag: str) -> Iterator[tuple[int, str]]:
    """(number from 1 on, text without its end) of a file; lines without any text are left out."""
    with reading(path, flag), open_text(path) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                text = decode_line(line, number == 1)
            except UnicodeDecodeError:
                raise not_utf8(f"{flag}: {path}", number, line) from None
            if text.strip():
                yield number, text


def decode_line(line: bytes, first: bool) -> str:
    """Without its end and, if it is a file's first one, a byte order mark, as programs of Windows put it there."""
    return (line.removeprefix(codecs.BOM_UTF8) if first else line).decode("utf-8").rstrip("\r\n")


def read_passages(paths: Sequence[Path], flag: str = "--corpus") -> Iterator[Passage]:
    """The documents of one or more files, in order.

    Raises:
        InputError: a line that can't be read, an id that is missing or comes twice; a file without any.
    """
    return _without_duplicates(_parsed(paths, flag, passage_header, parse_passage))


def read_queries(paths: Sequence[Path], flag: str = "--queries") -> Iterator[Query]:
    """As :func:`read_passages`."""
    return _without_duplicates(_parsed(paths, flag, query_header, parse_query))


def passage_header(line: str, place: str) -> Optional[Header]:
    """The header that a file's first line is; None: it is a passage. ``place`` names it in errors."""
    needed = {"id": DOCUMENT_IDS, "text": PASSAGE_TEXTS}
    return None if _is_json(line) else find_header(line.split("\t"), place, needed, {"title": ("title",)})


def query_header(line: str, place: str) -> Optional[Header]:
    needed = {"id": QUERY_IDS, "text": QUERY_TEXTS}
    return None if _is_json(line) else find_header(line.split("\t"), place, needed, {})


def parse_passage(line: str, place: str, header: Optional[Header] = None) -> Passage:
    """One line, of a file with this header; ``place`` names it in errors."""
    if _is_json(line):
        values = json_object(line, place)
        return Passage(
            identifier(values, DOCUMENT_IDS, place),
            text_of(values, ("title",), place, ""),
            text_of(values, PASSAGE_TEXTS, place),
        )
    cells = line.split("\t")
    if header:
        named = header.named(cells, place)
        return Passage(_checked(named["id"], place), named.get("title", ""), named["text"])
    if len(cells) not in (2, 3, 4):
        raise InputError(f"{place} has {len(cells)} columns; a passage has two to four, the id first, or is JSON")
    title = cells[-2] if len(cells) > 2 else ""
    return Passage(_checked(cells[0].strip(), place), title.strip(), cells[-1].strip())


def parse_query(line: str, place: str, header: Optional[Header] = None) -> Query:
    if _is_json(line):
        values = json_object(line, place)
        return Query(identifier(values, QUERY_IDS, place), text_of(values, QUERY_TEXTS, place))
    cells = line.split("\t")
    if header:
        named = header.named(cells, place)
        return Query(_checked(named["id"], place), named["text"])
    if len(cells) != 2:
        raise InputError(f"{place} has {len(cells)} columns; a query has two, id and text, or is JSON")
    return Query(_checked(cells[0].strip(), place), cells[1].strip())


def _is_json(line: str) -> bool:
    return line.lstrip().startswith("{")


def json_object(line: str, place: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise InputError(f"{place} is not JSON ({error}); mend or leave out that line") from None
    if not isinstance(values, dict):
        raise InputError(f"{place} is JSON but no object with names; mend or leave out that line")
    return values


def identifier(values: dict[str, Any], names: Sequence[str], place: str) -> str:
    for name in names:
        if isinstance(values.get(name), (str, int)):
            return _checked(_whole(str(values[name]), name, place), place)
    raise InputError(f"{place} has no id; name it {' or '.join(names[:2])}")


def text_of(values: dict[str, Any], names: Sequence[str], place: str, default: str | None = None) -> str:
    for name in names:
        value = values.get(name)
        if isinstance(value, str):
            return _whole(value, name, place).strip()
        if value is not None:
            raise InputError(f"{place}: {name} is {type(value).__name__}, not text; mend that line")
    if default is None:
        raise InputError(f"{place} has no {' or '.join(names)}; mend that line")
    return default


def _whole(text: str, name: str, place: str) -> str:
    """As it is. JSON may write half of a surrogate pair, ``\\ud800``, which no file and no tokenizer takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{place}: {name} has half a surrogate pair in it; mend that line") from None
    return text


def _checked(text: str, place: str) -> str:
    if not text or text.split() != [text]:
        raise InputError(
            f"{place}: the id {text[:_SHOWN]!r} is empty or holds white space, which runs can't; give another"
        )
    return text


def _parsed(
    paths: Sequence[Path], flag: str, header_of: Callable[[str, str], Optional[Header]], parse: Callable[..., Any]
) -> Iterator[tuple[str, Any]]:
    for path in paths:
        header, before, found = None, True, False
        for number, line in numbered_lines(path, flag):
            place = f"{flag}: {path}, line {number}"
            if before:
                before, header = False, header_of(line, place)
                if header:
                    continue
            found = True
            yield place, parse(line, place, header)
        if not found:
            raise InputError(f"{flag}: {path} is empty; give a file with an id and a text a line")


def _without_duplicates(items: Iterator[tuple[str, Any]]) -> Iterator[Any]:
    seen = SeenHashes()
    while chunk := list(islice(items, _AT_A_TIME)):
        for (place, item), new in zip(chunk, seen.add(hash_lines([item.id for _, item in chunk]))):
            if not new:
                raise InputError(f"{place}: the id {item.id} came before; ids must be unique")
            yield item


def judgement_header(cells: Sequence[str], place: str) -> Optional[Header]:
    """The header that the first line of judgements is; None: it is a judgement."""
    queries, documents = ([name for name in ids if name not in ("id", "_id")] for ids in (QUERY_IDS, DOCUMENT_IDS))
    needed = {"query's id": queries, "document's id": documents, "grade": _GRADES}
    return find_header(cells, place, needed, {})


def read_judgements(path: Path, flag: str = "--qrels") -> Judgements:
    """Raises InputError: a line that can't be read, two grades for one pair, no judgement at all."""
    found: Judgements = {}
    header: Optional[Header] = None
    for count, (number, line) in enumerate(numbered_lines(path, flag)):
        place = f"{flag}: {path}, line {number}"
        # where there are tabs they alone part the columns: "doc 1" between two is one id, and none that a run can hold
        cells = [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()
        if count == 0 and (header := judgement_header(cells, place)):
            continue
        if header:
            query, document, grade = header.named(cells, place).values()
        elif len(cells) in (3, 4):
            query, document, grade = cells[0], cells[-2], cells[-1]
        else:
            raise InputError(f"{place} has {len(cells)} columns; BEIR's judgements have three, TREC's four")
        for name in (query, document):
            _checked(name, place)
        try:
            value = int(grade)
        except ValueError:
            raise InputError(f"{place}: the grade {grade[:_SHOWN]!r} is no whole number; mend that line") from None
        if abs(value) > HIGHEST_GRADE:  # the measures make 2 ** grade of it, or a table of all
            raise InputError(f"{place}: the grade {grade[:_SHOWN]} is beyond {HIGHEST_GRADE}; mend that line")
        if found.setdefault(query, {}).setdefault(document, value) != value:
            raise InputError(f"{place}: {query} and {document} were judged {found[query][document]} before; keep one")
    if not found:
        raise InputError(f"{flag}: {path} holds no judgement; give a qrels file")
    return found


def has_beir_header(path: Path, flag: str = "--qrels") -> bool:
    """Whether judgements are in BEIR's form, ``query-id <tab> corpus-id <tab> score``."""
    first = next(numbered_lines(path, flag), (0, ""))[1]
    return first.split()[:2] == ["query-id", "corpus-id"]


def without_own_id(query: str, ranking: Sequence[tuple[str, float]]) -> Ranking:
    """Without the document that has the query's id: in some collections (ArguAna) that is the query itself.

    BEIR's evaluation does so (``ignore_identical_ids`` of its ``EvaluateRetrieval.evaluate``, on by default).
    """
    return [found for found in ranking if found[0] != query]


def check_judged_documents(judgements: Judgements, path: Path, documents: Iterable[str]) -> None:
    """Raises InputError: a judged document is not among ``documents``, naming the line."""
    wanted = {document for grades in judgements.values() for document in grades}
    wanted.difference_update(documents)
    if wanted:
        first = min(wanted)
        lines = (number for number, line in numbered_lines(path, "--qrels") if first in line.split())
        raise InputError(
            f"--qrels: {path}, line {next(lines)}: the document {first} is not in the corpus "
            f"(nor are {len(wanted) - 1} more); give the whole corpus, or take them out"
        )


def read_run(path: Path, flag: str = "--run") -> Iterator[tuple[str, Ranking]]:
    """(query, its documents) of a TREC run; the lines of a query stand together, in whichever order they are.

    The order is that of scores; equal ones stay in the order of their lines.
    """
    query: str | None = None
    ranking: Ranking = []
    done: set[str] = set()
    for number, line in numbered_lines(path, flag):
        place, cells = f"{flag}: {path}, line {number}", line.split()
        if len(cells) != 6:
            raise InputError(f"{place} has {len(cells)} columns; a TREC run has six: query Q0 document rank score name")
        try:
            score = float(cells[4])
        except ValueError:
            score = math.nan
        if math.isnan(score):
            raise InputError(f"{place}: the score {cells[4][:_SHOWN]!r} is no number; mend that line")
        if cells[0] != query:
            if query is not None:
                yield query, _sorted(ranking, flag, path, query)
                done.add(query)
            query, ranking = cells[0], []
            if query in done:
                raise InputError(f"{place}: the lines of query {query} don't stand together; sort the file by query")
        ranking.append((cells[2], score))
    if query is None:
        raise InputError(f"{flag}: {path} is empty; give a TREC run")
    yield query, _sorted(ranking, flag, path, query)


def _sorted(ranking: Ranking, flag: str, path: Path, query: str) -> Ranking:
    counts = Counter(document for document, _ in ranking)
    if len(counts) < len(ranking):
        twice = counts.most_common(1)[0][0]
        place = list(places_in_run(path, flag, query, twice))[1]
        raise InputError(f"{place}: query {query} has the document {twice} twice; keep one line of each")
    return sorted(ranking, key=lambda found: -found[1])


def places_in_run(path: Path, flag: str, query: str, document: str) -> Iterator[str]:
    """Where a run names a document for a query, for errors: flag, file and line."""
    for number, line in numbered_lines(path, flag):
        if line.split()[0:3:2] == [query, document]:
            yield f"{flag}: {path}, line {number}"


def run_lines(query: str, ranking: Ranking, name: str) -> str:
    """Lines of a TREC run; nine digits, so that a float32 score comes back as it was."""
    return "".join(
        f"{query} Q0 {document} {rank} {score:.9g} {name}\n" for rank, (document, score) in enumerate(ranking, start=1)
    )
