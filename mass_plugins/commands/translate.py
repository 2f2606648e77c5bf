"""``mass-plugins translate``: raw text in, raw text out."""

from mass_plugins.commands.flags import add_translation_model, positive
from mass_plugins.commands.lines import convert_stdin

HELP = "translate raw text, a line at a time, from stdin to stdout"


def add_flags(command):
    add_translation_model(command)
    command.add_argument("--beam", type=positive, default=5, help="width of the search; 1 is greedy (default 5)")
    command.add_argument(
        "--buffer", type=positive, default=100, help="lines read before they are translated (default 100)"
    )


def run(options):
    from mass_plugins import load

    translator = load(options.checkpoint, data=options.data)
    for language, flag in ((options.source, "--source"), (options.target, "--target")):
        translator.task.language_index(language, flag)  # before the first line is waited for
    convert_stdin(
        lambda lines: translator.translate(lines, options.source, options.target, beam=options.beam), options.buffer
    )
