"""``mass-plugins plot-vectors``: the same sentences in several languages, before and after."""

import argparse
from pathlib import Path

HELP = "draw sentence vectors of a parallel text in two dimensions (principal axes), a panel an encoder, as a PNG"


def add_flags(command: argparse.ArgumentParser):
    command.add_argument("checkpoints", nargs="+", metavar="NAME=CHECKPOINT", help="text encoders, a panel each")
    command.add_argument(
        "--text", nargs="+", required=True, metavar="LANGUAGE=FILE", help="line n of each file is the same sentence"
    )
    command.add_argument(
        "--pooling", action="append", choices=("cls", "mean"), help="of each encoder in turn (default: its own)"
    )
    command.add_argument("--output", default="vectors.png", help="picture to write (default vectors.png)")


def run(options):
    from mass_plugins import load_encoder
    from mass_plugins.data.text_files import read_lines
    from mass_plugins.errors import InputError
    from mass_plugins.scoring.vector_picture import draw_vectors

    poolings = options.pooling or [None] * len(options.checkpoints)
    if len(poolings) != len(options.checkpoints):
        raise InputError(f"{len(poolings)} --pooling for {len(options.checkpoints)} encoders; give one each, or none")
    texts = dict(_pair(text, "--text LANGUAGE=FILE") for text in options.text)
    lines = {language: [line for _, line in read_lines([Path(path)], "--text")] for language, path in texts.items()}
    panels = {}
    for text, pooling in zip(options.checkpoints, poolings):
        name, path = _pair(text, "NAME=CHECKPOINT")
        encoder = load_encoder(path, pooling=pooling)
        panels[name] = {language: encoder.encode(rows) for language, rows in lines.items()}
    draw_vectors(panels, options.output)
    print(options.output)


def _pair(text: str, form: str) -> tuple[str, str]:
    from mass_plugins.errors import InputError

    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise InputError(f"{text} is not of the form {form}")
    return name, path
