"""``mass-plugins plot``: training curves of one or more runs."""

from mass_plugins.commands.flags import name_and_path

HELP = "draw the training curves of one or more runs as a PNG"


def add_flags(command):
    command.add_argument(
        "runs",
        nargs="+",
        metavar="[NAME=]LOG",
        help="fairseq-train's output, its --log-file with --log-format json, or a TensorBoard folder",
    )
    command.add_argument("--output", default="curves.png", help="picture to write (default curves.png)")
    command.add_argument(
        "--metrics",
        default="loss,bleu",
        help="metrics, comma-separated, one panel per metric (default loss,bleu)",
    )


def run(options):
    from mass_plugins.scoring.curves import draw, read_run

    runs = [read_run(*name_and_path(text)) for text in options.runs]
    draw(runs, [metric.strip() for metric in options.metrics.split(",")], options.output)
    print(options.output)
