"""``mass-plugins encode``: text into vectors."""

import argparse
import sys
from pathlib import Path

from mass_plugins.commands.encoder_flags import add_encoder, add_speed_flags, add_vector_flags, load_with
from mass_plugins.commands.flags import add_shard, positive
from mass_plugins.errors import InputError

HELP = (
    "encode text, one per line, into vectors: OUT.npy, (lines, width), in the order of the lines; run again, the "
    "command resumes where it stopped"
)


def add_flags(command):
    add_encoder(command)
    add = command.add_argument_group("text").add_argument
    add("--input", nargs="+", type=Path, default=[Path("-")], metavar="FILE",
        help="plain, .gz, .xz, .bz2 (default: stdin)")  # fmt: skip
    add("--output", required=True, type=Path, metavar="OUT.npy", help="file of the vectors")
    add("--output-dtype", choices=("float32", "float16"), default="float32", help="of the file (default float32)")
    add_shard(add, "one stretch of the lines, to OUT.I-of-N.npy")
    add("--language", help="of text for prepare.py's sub-words (default: the first of the model's)")
    add("--overwrite", action="store_true", help="overwrite a file made from other text or settings")
    add_vector_flags(command)
    add_speed_flags(command)
    add = command.add_argument_group("progress").add_argument
    add("--buffer", type=positive, default=10_000, help="lines sorted, encoded and kept together (default 10000)")
    add("--progress", action=argparse.BooleanOptionalAction, help="show a bar (default: when stderr is a terminal)")


def run(options):
    from mass_plugins.data.checkpoint_files import find_checkpoint
    from mass_plugins.data.text_files import Shard
    from mass_plugins.encoding.encode_files import encode_files

    where = {name: getattr(options, name) for name in ("language", "buffer", "overwrite", "progress")}
    where["shard"] = Shard.parse(options.shard)
    encoder = load_with(options)
    checkpoint = find_checkpoint(Path(options.checkpoint))
    try:
        print(encode_files(encoder, checkpoint, options.input, options.output, options.output_dtype, **where))
    except OSError as error:
        raise InputError(f"{error.filename or options.output}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        print("mass_plugins: interrupted; run the same command again to resume", file=sys.stderr)
        return 130
