"""``mass-plugins bm25``: the baseline, from text to a TREC run."""

from dataclasses import asdict
from itertools import islice
from pathlib import Path

from mass_plugins.commands.flags import add_ignore_identical_ids, positive
from mass_plugins.errors import InputError

HELP = "rank a corpus by BM25; writes a TREC run"


def add_flags(command):
    add = command.add_argument
    add("--corpus", nargs="+", required=True, type=Path, metavar="FILE", help="passages: JSON lines or TSV")
    add("--queries", nargs="+", required=True, type=Path, metavar="FILE", help="queries: JSON lines or TSV")
    add("--judged", type=Path, metavar="QRELS", help="search the judged queries alone")
    add("--output", required=True, type=Path, help="the run")
    add("--depth", type=positive, default=1000, help="documents a query (default 1000)")
    add("--k1", type=float, default=0.9, help="default 0.9, as Anserini's")
    add("--b", type=float, default=0.4, help="default 0.4, as Anserini's")
    add("--language", choices=("en", "none"), default="en", help="stop words and stems (default en)")
    add_ignore_identical_ids(command)
    add("--overwrite", action="store_true", help="overwrite an existing run")


def run(options):
    from mass_plugins.data.retrieval_files import read_judgements, read_passages, read_queries
    from mass_plugins.data.text_files import fingerprint
    from mass_plugins.retrieval.bm25 import Bm25, Bm25Settings
    from mass_plugins.retrieval.lines_file import LinesFile
    from mass_plugins.retrieval.search import run_batches

    settings = Bm25Settings(options.k1, options.b, options.language)
    made_of = asdict(settings) | {
        "corpus": [fingerprint(path) for path in options.corpus],
        "queries": [fingerprint(path) for path in options.queries],
        "judged": fingerprint(options.judged) if options.judged else None,
        "depth": options.depth,
        "ignore_identical_ids": options.ignore_identical_ids,
    }
    file = LinesFile(options.output, made_of, options.overwrite)
    if file.finished:
        print(f"{options.output}: {file.done} queries, made before")
        return
    judged = read_judgements(options.judged, "--judged") if options.judged else None
    queries = [query for query in read_queries(options.queries) if judged is None or query.id in judged]
    if not queries:
        raise InputError(f"--judged: {options.judged} judges none of the queries; give their judgements")
    index = Bm25(read_passages(options.corpus), settings)
    rest = iter(queries[file.done :])
    batches = iter(lambda: list(islice(rest, 256)), [])
    found = (index.search(batch, options.depth, options.ignore_identical_ids) for batch in batches)
    file.write(run_batches(found, "bm25"), len(queries), "bm25")
    print(f"{options.output}: {len(queries)} queries, {len(index.ids)} documents")
