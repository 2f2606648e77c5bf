"""``mass-plugins index``: representations of documents into an index."""

from pathlib import Path

from mass_plugins.commands.flags import natural, positive, refuse_idle, set_only

_OF_KIND = {"ivfpq": ("lists", "codes", "bits", "training"), "hnsw": ("links", "build_depth")}
HELP = "build an index of represented documents; run again, the command resumes where it stopped"


def add_flags(command):
    command.add_argument("destdir", type=Path, help="folder of the index")
    add = command.add_argument
    add("--documents", nargs="+", required=True, type=Path, metavar="PATH",
        help="folders that mass-plugins represent has written, a shard each; or .npy files of vectors")  # fmt: skip
    add(
        "--ids",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="of .npy files: the passages whose vectors they hold, in order",
    )
    add("--kind", choices=("flat", "ivfpq", "hnsw"), default="flat", help="of the vectors' index (default flat: exact)")
    add("--lists", type=natural,
        help="ivfpq: inverted lists (default 0: 4 times the root of the documents' number, but at most a 39th of the "
        "vectors to learn from)")  # fmt: skip
    add("--codes", type=positive, help="ivfpq: pieces that a vector is cut into (default 48)")
    add("--bits", type=positive, help="ivfpq: of each piece (default 8; the vectors to learn from: 2^bits at least)")
    add("--training", type=positive, help="ivfpq: vectors to learn from (default 200 000)")
    add("--links", type=positive, help="hnsw: links of a document, M, 2 or more (default 32)")
    add("--build-depth", type=positive, help="hnsw: efConstruction (default 200)")
    add("--block", type=positive, default=100_000, help="documents in memory at once (default 100 000)")
    add("--overwrite", action="store_true", help="overwrite an index of other documents or settings")


def run(options):
    from mass_plugins.retrieval.faiss_index import FaissSettings
    from mass_plugins.retrieval.index import build
    from mass_plugins.retrieval.representations import adopt_files

    for kind, names in _OF_KIND.items():
        refuse_idle(options, names if kind != options.kind else (), f"on --kind {options.kind}")
    settings = FaissSettings(options.kind, **set_only(options, *sum(_OF_KIND.values(), ())))
    folders = adopt_files(options.documents, options.ids, options.destdir / "vectors", "documents", options.overwrite)
    index = build(folders, options.destdir, settings, options.block, options.overwrite)
    print(f"{options.destdir}: {len(index)} documents in {len(index.shards)} shards")
