"""``mass-plugins encode``: text into vectors."""

import argparse
import sys
from pathlib import Path

from mass_plugins.commands.encoder_flags import add_encoder, add_speed_flags, add_vector_flags, load_with
from mass_plugins.commands.flags import positive
from mass_plugins.errors import InputError

HELP = (
    "encode text, a line each, into vectors: OUT.npy, (lines, width), in the order of the lines; the same command "
    "again goes on where it was cut off"
)


def add_flags(command):
    add_encoder(command)
    add = command.add_argument_group("text").add_argument
    add("--input", nargs="+", type=Path, default=[Path("-")], metavar="FILE",
        help="plain, .gz, .xz, .bz2 (default: stdin)")  # fmt: skip
    add("--output", required=True, type=Path, metavar="OUT.npy", help="file of the vectors")
    add("--output-dtype", choices=("float32", "float16"), default="float32", help="of the file (default float32)")
    add("--shard", default="0/1", metavar="I/N", help="part I, from 0, of N, in one piece: OUT.I-of-N.npy")
    add("--language", help="of text for prepare.py's sub-words (default: the first of the model's)")
    add("--overwrite", action="store_true", help="give up a file that was made of other text or otherwise")
    add_vector_flags(command)
    add_speed_flags(command)
    add = command.add_argument_group("progress").add_argument
    add("--buffer", type=positive, default=10_000, help="lines sorted, encoded and kept together (default 10000)")
    add("--progress", action=argparse.BooleanOptionalAction, help="show a bar (default: when stderr is a terminal)")


def run(options):
    from mass_plugins.encoding.encode_files import encode_files
    from mass_plugins.encoding.loading import find_checkpoint

    encoder = load_with(options)
    where = {name: getattr(options, name) for name in ("shard", "language", "buffer", "overwrite", "progress")}
    checkpoint = find_checkpoint(Path(options.checkpoint))
    try:
        print(encode_files(encoder, checkpoint, options.input, options.output, options.output_dtype, **where))
    except OSError as error:
        raise InputError(f"{error.filename or options.output}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        print("mass_plugins: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
