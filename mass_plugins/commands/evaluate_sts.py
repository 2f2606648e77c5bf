"""``mass-plugins evaluate sts``: Spearman's correlation of an encoder's cosines with people's scores of pairs."""

import sys
from pathlib import Path

from mass_plugins.commands.encoder_flags import add_speed_flags, add_vector_flags, vector_flags
from mass_plugins.commands.flags import check_folder_of, natural, positive
from mass_plugins.errors import InputError

HELP = "score a text encoder on STS-12 to 16, STS-B, SICK-R, Multi-SimLex and sets of words"


def add_flags(command):
    command.add_argument("checkpoint", nargs="?", help="checkpoint of a text encoder; none with --list")
    command.add_argument(
        "--data",
        nargs="+",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="where the sets are, as published (the tokenizer's folder, encode's --data, is --tokenizer here)",
    )
    command.add_argument(
        "--sets",
        default="sentences",
        help="names, comma-separated, see --list; or sentences: of each English set of sentences the test split, else "
        "dev, else train; or words (default sentences)",
    )
    command.add_argument("--list", action="store_true", help="list the sets in --data and end")
    command.add_argument("--tokenizer", help="folder of the tokenizer (default: where the checkpoint is)")
    command.add_argument(
        "--language", help="of the texts, for a tokenizer that cleans by language (default: its first)"
    )
    add_vector_flags(command)
    add_speed_flags(command)
    command.add_argument("--bootstrap", type=positive, default=1000, help="samples of the intervals (default 1000)")
    command.add_argument("--seed", type=natural, default=1, help="of the bootstrap (default 1)")
    command.add_argument("--output", type=Path, metavar="FILE", help="write scores and cosines to this JSON file")
    command.add_argument("--system", default="encoder", help="with --output: name of the system (default encoder)")
    command.add_argument("--system-seed", type=int, default=1, help="with --output: seed of its training (default 1)")
    command.add_argument("--seconds", type=float, help="with --output: wall time of its training")


def run(options):
    from mass_plugins.scoring.similarity import evaluate, table
    from mass_plugins.scoring.similarity_runs import write_run
    from mass_plugins.scoring.similarity_sets import choose_sets, find_sets, read_set

    found = find_sets(options.data)
    if options.list:
        for name, parts in found.items():
            print(f"{name:24} {parts[0].kind:10} {', '.join(str(part.path) for part in parts)}")
        return None
    if not options.checkpoint:
        raise InputError("which encoder? name its checkpoint, or --list the sets")
    check_folder_of(options.output, "--output")
    sets = [read_set(name, found[name]) for name in choose_sets(found, options.sets)]

    from mass_plugins import load_encoder

    how = {name: getattr(options, name) for name in ("device", "dtype", "batch_tokens")}
    encoder = load_encoder(options.checkpoint, data=options.tokenizer, **vector_flags(options), **how)

    def encode(texts):
        vectors, counts = encoder.encode_and_count(texts, options.language)
        if counts.warning:
            print(f"mass_plugins: warning: {counts.warning}", file=sys.stderr)
        return vectors

    result = evaluate(encode, sets, options.bootstrap, options.seed)
    if options.output:
        write_run(options.output, options.system, options.system_seed, result, sets, options.seconds)
    print(table(result.scores))
