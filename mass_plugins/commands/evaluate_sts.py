"""``mass-plugins evaluate sts``: Spearman's correlation of an encoder's cosines with people's scores of pairs."""

import sys
from pathlib import Path

from mass_plugins.commands.encoder_flags import add_data, add_speed_flags, add_vector_flags, load_with
from mass_plugins.commands.flags import add_json, natural, not_negative, reporter, samples, write_numbers
from mass_plugins.errors import InputError

HELP = "score a text encoder on STS-12 to 16, STS-B, SICK-R, Multi-SimLex and sets of words"


def add_flags(command):
    command.add_argument("checkpoint", nargs="?", help="checkpoint of a text encoder; none with --list")
    add_data(command)
    command.add_argument(
        "--folders", nargs="+", required=True, type=Path, metavar="FOLDER", help="where the sets are, as published"
    )
    command.add_argument(
        "--sets",
        default="sentences",
        help="names, comma-separated, see --list; or sentences: of each English set of sentences the test split, else "
        "dev, else train; or words (default sentences)",
    )
    command.add_argument("--list", action="store_true", help="list the sets in --folders and exit")
    command.add_argument(
        "--language", help="of the texts, for a tokenizer that cleans by language (default: its first)"
    )
    add_vector_flags(command)
    add_speed_flags(command)
    command.add_argument("--bootstrap", type=samples, default=1000, help="samples of the intervals (default 1000)")
    command.add_argument("--seed", type=natural, default=1, help="of the bootstrap (default 1)")
    add_json(command, "scores and cosines")
    command.add_argument("--system", default="encoder", help="with --json: name of the system (default encoder)")
    command.add_argument("--system-seed", type=int, default=1, help="with --json: seed of its training (default 1)")
    command.add_argument("--seconds", type=not_negative, help="with --json: wall time of its training")


def run(options):
    from mass_plugins.scoring.similarity import evaluate, table
    from mass_plugins.scoring.similarity_runs import run_record
    from mass_plugins.scoring.similarity_sets import choose_sets, find_sets, read_set

    found = find_sets(options.folders)
    if options.list:
        for name, parts in found.items():
            print(f"{name:24} {parts[0].kind:10} {', '.join(str(part.path) for part in parts)}")
        return None
    if not options.checkpoint:
        raise InputError("no encoder; name its checkpoint, or --list the sets")
    say = reporter(options)
    sets = [read_set(name, found[name]) for name in choose_sets(found, options.sets)]
    encoder = load_with(options)

    def encode(texts):
        vectors, counts = encoder.encode_and_count(texts, options.language)
        if counts.warning:
            print(f"mass_plugins: warning: {counts.warning}", file=sys.stderr)
        return vectors

    result = evaluate(encode, sets, options.bootstrap, options.seed)
    say(table(result.scores))
    write_numbers(options.json, run_record(options.system, options.system_seed, result, sets, options.seconds))
