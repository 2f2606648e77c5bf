"""``mass-plugins plot-vectors``: the same sentences in several languages, before and after."""

import argparse
from pathlib import Path

from mass_plugins.commands.encoder_flags import add_data, add_pooling_flags, add_speed_flags, loading_flags
from mass_plugins.commands.flags import by_name

HELP = "draw sentence vectors of a parallel text in two dimensions (principal axes), one panel per encoder"


def add_flags(command: argparse.ArgumentParser):
    command.add_argument(
        "checkpoints", nargs="+", metavar="NAME=CHECKPOINT", help="text encoders, one panel per encoder"
    )
    command.add_argument(
        "--text", nargs="+", required=True, metavar="LANGUAGE=FILE", help="line n of each file is the same sentence"
    )
    command.add_argument("--output", default="vectors.png", help="picture to write (default vectors.png)")
    add_data(command)
    add_pooling_flags(command, "append", "; once for all encoders, or for each in turn")
    add_speed_flags(command)


def run(options):
    from mass_plugins import load_encoder
    from mass_plugins.data.text_files import read_lines
    from mass_plugins.errors import InputError
    from mass_plugins.scoring.pictures import check_output
    from mass_plugins.scoring.vector_picture import draw_vectors

    check_output(options.output)
    poolings, count = options.pooling or [None], len(options.checkpoints)
    if len(poolings) not in (1, count):
        raise InputError(f"{len(poolings)} --pooling for {count} encoders; give one for all, or one each")
    poolings *= count // len(poolings)
    checkpoints = by_name(options.checkpoints, "NAME=CHECKPOINT")
    texts = by_name(options.text, "--text LANGUAGE=FILE")
    lines = {language: [line for _, line in read_lines([Path(path)], "--text")] for language, path in texts.items()}
    panels = {}
    for (name, path), pooling in zip(checkpoints.items(), poolings):
        encoder = load_encoder(path, pooling, max_tokens=options.max_tokens, **loading_flags(options))
        panels[name] = {language: encoder.encode(rows) for language, rows in lines.items()}
    draw_vectors(panels, options.output)
    print(options.output)
