"""``mass-plugins mine``: queries and judgements into groups for training, with hard negatives of a ranking."""

from itertools import islice
from pathlib import Path

from mass_plugins.commands.flags import natural, not_negative, positive, refuse_idle, seed, set_only

HELP = "make groups for training the retriever: positives, hard negatives of an index or a run; goes on where cut off"
_OF_NEGATIVES = ("depth", "skip", "negatives", "overlap", "margin", "seed")


def add_flags(command):
    add = command.add_argument
    add("--queries", nargs="+", required=True, type=Path, metavar="FILE", help="training queries: JSON lines or TSV")
    add("--qrels", required=True, type=Path, help="their judgements")
    add("--corpus", required=True, type=Path, help="passages, one unpacked file")
    add("--output", required=True, type=Path, help="groups, JSON lines in Tevatron's form")
    add("--overwrite", action="store_true", help="overwrite an existing file")
    add = command.add_argument_group("negatives (default: none, for training with those of the batch)").add_argument
    add("--run", type=Path, dest="ranking", help="a TREC run of the queries")
    add("--index", type=Path, help="search this index instead")
    add("--query-vectors", type=Path, metavar="FOLDER", help="of --index: the represented queries")
    add(
        "--score",
        choices=("cls", "ot", "both"),
        help="of --index: part to search by (default: all that it and the queries have)",
    )
    add("--depth", type=positive, help="documents of a ranking looked at (default 200)")
    add("--skip", type=natural, help="leave out this many at its top (default 0)")
    add("--negatives", type=positive, help="kept a query, drawn from what is left (default 30)")
    add("--margin", type=not_negative,
        help="keep documents that score this much below the query's best positive (default: any); a run must hold it, "
        "an index scores it")  # fmt: skip
    add("--overlap", type=float,
        help="leave out documents with this Jaccard index of words with a positive (default 0.8)")  # fmt: skip
    add("--seed", type=seed, help="of the draw (default 1)")


def run(options):
    from dataclasses import asdict

    from mass_plugins.data.retrieval_files import check_judged_documents, read_judgements, read_queries
    from mass_plugins.data.retrieval_passages import PassageStore
    from mass_plugins.data.text_files import fingerprint
    from mass_plugins.retrieval.lines_file import LinesFile
    from mass_plugins.retrieval.mining import MiningSettings, make_groups

    hard = bool(options.ranking or options.index)
    if not hard:
        refuse_idle(options, _OF_NEGATIVES, "without --run or --index")
    settings = MiningSettings(**set_only(options, *_OF_NEGATIVES), hard=hard)
    source = _open_source(options, settings.depth)
    made_of = asdict(settings) | {
        "queries": [fingerprint(path) for path in options.queries],
        **{name: fingerprint(getattr(options, name)) for name in ("qrels", "corpus")},
        "ranking": fingerprint(options.ranking) if options.ranking else source and source.contents(),
    }
    file = LinesFile(options.output, made_of, options.overwrite)
    if not file.finished:
        judgements, queries = read_judgements(options.qrels), list(read_queries(options.queries))
        store = PassageStore(options.corpus)
        judged = {name for grades in judgements.values() for name in grades}
        check_judged_documents(judgements, options.qrels, (name for name in judged if name in store))
        rankings = _rankings(options, source, judgements, {query.id for query in queries}, file.done)
        origin = _origin(options)
        groups = make_groups(queries, judgements, store, rankings, settings, file.counts, file.done, origin)
        file.write(_batches(groups, file.counts), len(queries), "mine")
    counts = sorted((reason, count) for reason, count in file.counts.items() if reason != "groups")
    left_out = ", ".join(f"{count} {reason}" for reason, count in counts) or "nothing"
    print(f"{options.output}: {file.counts['groups']} groups; left out: {left_out}")


def _batches(groups, counts, size=64):
    while batch := list(islice(groups, size)):
        counts["groups"] += sum(group is not None for group in batch)
        yield ["" if group is None else group.as_json() for group in batch]


def _open_source(options, depth):
    """The index with its queries, or None."""
    from mass_plugins.errors import InputError

    if options.ranking and options.index:
        raise InputError("--run and --index are two sources of negatives; give one")
    if not options.index:
        refuse_idle(options, ("query_vectors", "score"), "without --index")
        return None
    if not options.query_vectors:
        raise InputError("--index needs the represented queries; give --query-vectors")
    from mass_plugins.retrieval.index import Index
    from mass_plugins.retrieval.representations import Representations
    from mass_plugins.retrieval.search import IndexedQueries, Searcher, SearchSettings

    index, queries = Index(options.index), Representations(options.query_vectors)
    score = options.score or index.score_of(queries)
    index.check_queries(queries, score)
    return IndexedQueries(Searcher(index, SearchSettings(score, depth)), queries)


def _origin(options):
    """Where the ranking of a query names a document."""
    from mass_plugins.data.retrieval_files import places_in_run

    if options.ranking:
        return lambda query, document: next(places_in_run(options.ranking, "--run", query, document))
    return lambda query, document: f"--index: {options.index}"


def _rankings(options, source, judgements, known, done):
    """(query, ranking) of all; those of the first ``done`` of the queries ``known`` may be empty."""
    from mass_plugins.data.retrieval_files import read_run

    if options.ranking:
        return read_run(options.ranking)
    if source is None:
        return []
    wanted = None
    if options.margin is not None:  # the positives' scores, wherever they rank
        wanted = {query: [name for name, grade in found.items() if grade > 0] for query, found in judgements.items()}
    return source.rankings(wanted, source.rows_of(known, done))
