"""``mass-plugins search``: queries against an index, into a TREC run."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mass_plugins.commands.flags import add_ignore_identical_ids, natural, positive, refuse_idle, set_only, word

_MENDS = {
    "flat": "their scores with the others are beyond float32; make shorter vectors",
    "ivfpq": "raise --probes",
    "hnsw": "raise --search-depth, or --links of the index",
}
HELP = "search an index; writes a TREC run; run again, the command resumes where it stopped"


def add_flags(command):
    command.add_argument("index", type=Path, help="folder that mass-plugins index has written")
    add = command.add_argument
    add("--queries", required=True, type=Path, metavar="PATH",
        help="folder that mass-plugins represent has written; or a .npy file of vectors")  # fmt: skip
    add(
        "--ids",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="of a .npy file: the queries whose vectors it holds, in order",
    )
    add("--output", required=True, type=Path, help="the run")
    add(
        "--score",
        choices=("cls", "ot", "both"),
        help="part of the representation (default: all that index and queries have)",
    )
    add("--depth", type=positive, default=1000, help="documents a query (default 1000)")
    add("--query-top", type=natural, metavar="N", help="ot, both: cut queries to their N largest values (0, exact)")
    add("--candidates", type=positive,
        help="both, with ivfpq or hnsw: documents proposed by vectors, then scored exactly (default 2000)")  # fmt: skip
    add("--probes", type=positive, help="ivfpq: lists that a query looks into (default 32)")
    add("--search-depth", type=positive, help="hnsw: efSearch (default 2000)")
    add("--batch", type=positive, default=64, help="queries at once (default 64)")
    add("--block", type=positive, default=4096, help="documents scored at once (default 4096)")
    add_ignore_identical_ids(command)
    add("--name", type=word, default="mass_plugins", help="of the run, its last column (default mass_plugins)")
    add("--overwrite", action="store_true", help="overwrite an existing run")


def run(options):
    from mass_plugins.retrieval.index import Index
    from mass_plugins.retrieval.representations import Representations, adopt_files
    from mass_plugins.retrieval.search import SearchSettings, search_to_file

    index = Index(options.index)
    with TemporaryDirectory() as adopted:  # of a .npy file, whose contents the run's record knows
        queries = Representations(adopt_files([options.queries], options.ids, Path(adopted), "queries")[0])
        score = options.score or index.score_of(queries)
        how = _effective(options, score, index.settings.kind)
        settings = SearchSettings(score, options.depth, ignore_identical_ids=options.ignore_identical_ids, **how)
        found = search_to_file(
            index, queries, settings, options.output, options.name, options.batch, options.block, options.overwrite
        )
    most = f"{min(options.depth, len(index))} of {len(index)} each at most"
    print(f"{options.output}: {found.queries} queries, {found.documents} documents, {most}")
    if found.short:
        mend = _MENDS[index.settings.kind]
        print(f"mass_plugins: warning: {found.short} queries have fewer; {mend}", file=sys.stderr)


def _effective(options, score, kind):
    """The flags of this kind of index and part of the representation, where they were given."""
    names = {"query_top"} if score != "cls" else set()
    if score != "ot":
        names |= {"ivfpq": {"probes"}, "hnsw": {"search_depth"}}.get(kind, set())
    if score == "both" and kind != "flat":
        names.add("candidates")
    every = ("query_top", "candidates", "probes", "search_depth")
    refuse_idle(options, [name for name in every if name not in names], f"on --score {score}, --kind {kind}")
    return set_only(options, *every)
