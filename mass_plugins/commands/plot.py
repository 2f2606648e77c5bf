"""``mass-plugins plot``: training curves of one or more runs."""

import os
from pathlib import Path

HELP = "draw the training curves of one or more runs as a PNG"


def add_flags(command):
    command.add_argument(
        "runs", nargs="+", metavar="[NAME=]LOG", help="fairseq-train's output or --log-file, or a TensorBoard folder"
    )
    command.add_argument("--output", default="curves.png", help="picture to write (default curves.png)")
    command.add_argument(
        "--metrics", default="loss,bleu", help="what to draw, a panel each, comma-separated (default loss,bleu)"
    )


def run(options):
    from mass_plugins.scoring.curves import draw, read_run

    runs = [read_run(*_name_and_path(text)) for text in options.runs]
    draw(runs, [metric.strip() for metric in options.metrics.split(",")], options.output)
    print(options.output)


def _name_and_path(text):
    """``"mass=logs/a.log"`` → ``("mass", "logs/a.log")``; the name is the file's own by default."""
    name, equals, path = text.partition("=")
    if equals and not os.path.exists(text):
        return name, path
    return Path(text).stem, text
