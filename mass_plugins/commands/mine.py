"""``mass-plugins mine``: queries and judgements into groups for training, with hard negatives of a ranking."""

import os
from pathlib import Path

from mass_plugins.commands.flags import positive

HELP = "make groups for training the retriever: positives, hard negatives of an index or a run"


def add_flags(command):
    add = command.add_argument
    add("--queries", nargs="+", required=True, type=Path, metavar="FILE", help="training queries: JSON lines or TSV")
    add("--qrels", required=True, type=Path, help="their judgements")
    add("--corpus", required=True, type=Path, help="passages, one unpacked file")
    add("--output", required=True, type=Path, help="groups, JSON lines in Tevatron's form")
    add = command.add_argument_group("negatives (default: none, for training with those of the batch)").add_argument
    add("--run", type=Path, dest="ranking", help="a TREC run of the queries")
    add("--index", type=Path, help="search this index instead")
    add("--query-vectors", type=Path, metavar="FOLDER", help="of --index: the represented queries")
    add("--score", choices=("cls", "ot", "both"), default="cls", help="of --index: part to search by (default cls)")
    add("--depth", type=positive, default=200, help="documents of a ranking looked at (default 200)")
    add("--skip", type=int, default=0, help="leave out this many at its top (default 0)")
    add("--negatives", type=positive, default=30, help="kept a query, drawn from what is left (default 30)")
    add("--margin", type=float, help="keep documents that score this much below the best positive (default: any)")
    add("--overlap", type=float, default=0.8,
        help="leave out documents with this Jaccard index of words with a positive (default 0.8)")  # fmt: skip
    add("--seed", type=int, default=1, help="of the draw (default 1)")


def run(options):
    from mass_plugins.data.retrieval_files import check_judged_documents, read_judgements, read_queries
    from mass_plugins.data.retrieval_groups import PassageStore
    from mass_plugins.retrieval.mining import MiningSettings, Report, make_groups

    settings = MiningSettings(
        options.depth,
        options.skip,
        options.negatives,
        options.overlap,
        options.margin,
        options.seed,
        hard=bool(options.ranking or options.index),
    )
    judgements = read_judgements(options.qrels)
    store = PassageStore(options.corpus)
    judged = {name for grades in judgements.values() for name in grades}
    check_judged_documents(judgements, options.qrels, (name for name in judged if name in store))
    report, temporary = Report(), Path(f"{options.output}.part")
    with open(temporary, "w", encoding="utf-8") as file:
        for group in make_groups(
            read_queries(options.queries), judgements, store, _rankings(options), settings, report
        ):
            file.write(group.as_json() + "\n")
    os.replace(temporary, options.output)
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(report.left_out.items())) or "nothing"
    print(f"{options.output}: {report.groups} groups; left out: {left_out}")


def _rankings(options):
    from mass_plugins.data.retrieval_files import read_run
    from mass_plugins.errors import InputError

    if options.ranking and options.index:
        raise InputError("--run and --index are two sources of negatives; give one")
    if options.ranking:
        return read_run(options.ranking)
    if not options.index:
        return []
    if not options.query_vectors:
        raise InputError("--index needs the represented queries; give --query-vectors")
    from mass_plugins.retrieval.index import Index
    from mass_plugins.retrieval.representations import Representations
    from mass_plugins.retrieval.search import Searcher, SearchSettings, rankings

    index, queries = Index(options.index), Representations(options.query_vectors)
    index.check_queries(queries, options.score)
    searcher = Searcher(index, SearchSettings(options.score, options.depth))
    return (found for batch in rankings(searcher, queries) for found in batch)
