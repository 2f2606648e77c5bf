"""``mass-plugins represent``: a corpus or queries into representations of a retriever."""

from pathlib import Path

from mass_plugins.commands.encoder_flags import add_data, add_speed_flags
from mass_plugins.commands.flags import add_shard, positive, refuse_idle

HELP = "represent passages or queries by a retriever; run again, the command resumes where it stopped"


def add_flags(command):
    command.add_argument("checkpoint", help="a checkpoint*.pt of retrieval_finetuning, or its folder")
    add = command.add_argument
    add_data(command)
    texts = command.add_mutually_exclusive_group(required=True).add_argument
    texts("--corpus", nargs="+", type=Path, metavar="FILE", help="passages: JSON lines or TSV, plain or compressed")
    texts("--queries", nargs="+", type=Path, metavar="FILE", help="queries: JSON lines or TSV")
    add("--judged", type=Path, metavar="QRELS", help="of --queries: those that are judged here alone")
    add("--destdir", required=True, type=Path, help="folder to write")
    add("--parts", choices=("all", "cls", "ot"), default="all",
        help="keep one part alone (default all); the ot part of queries takes V values each")  # fmt: skip
    add("--output-dtype", choices=("float32", "float16"), default="float32", help="of the files (default float32)")
    add_shard(add, "every N-th text, from text I on; each part needs a --destdir of its own")
    add("--overwrite", action="store_true", help="overwrite representations made with other settings")
    add_running(command)
    add("--buffer", type=positive, default=5000, help="texts sorted, represented and kept together (default 5000)")


def add_running(command):
    """Flags of :class:`Running` for :func:`running`, and lengths; None where they aren't given."""
    add = command.add_argument
    add("--query-tokens", type=positive, metavar="N", help="cut queries to N tokens (default: as in training)")
    add("--passage-tokens", type=positive, metavar="N", help="cut passages to N tokens (default: as in training)")
    add_speed_flags(command)


def running(options):
    """The :class:`Running` of a command's flags."""
    from mass_plugins.encoding.running import Running

    return Running(options.device, options.dtype, options.batch_tokens)


def run(options):
    from mass_plugins.data.text_files import Shard
    from mass_plugins.encoding.represent import represent
    from mass_plugins.encoding.retrieval_models import RetrieverModel

    if options.corpus:
        refuse_idle(options, ["judged", "query_tokens"], "on --corpus")
    else:
        refuse_idle(options, ["passage_tokens"], "on --queries")
    shard = Shard.parse(options.shard)
    model = RetrieverModel(options.checkpoint, options.data, running(options))
    model.set_lengths(options.query_tokens, options.passage_tokens)
    if options.parts != "all":
        model.keep(options.parts)
    role = "documents" if options.corpus else "queries"
    count = represent(
        model, options.corpus or options.queries, role, options.destdir, options.output_dtype, shard, options.judged,
        options.buffer, options.overwrite,
    )  # fmt: skip
    print(f"{options.destdir}: {count} {role}")
