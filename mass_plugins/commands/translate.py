"""``mass-plugins translate``: raw text in, raw text out."""

import re
import sys
from itertools import islice

from mass_plugins.commands.flags import add_translation_model, positive
from mass_plugins.errors import InputError

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
    sys.stdout.reconfigure(encoding="utf-8")  # as stdin is read, whatever the locale
    lines, done = _lines_of_stdin(), 0
    while batch := list(islice(lines, options.buffer)):
        try:
            translations = translator.translate(batch, options.source, options.target, beam=options.beam)
        except InputError as error:
            raise InputError(_with_line_of_stdin(str(error), done)) from None
        for line in translations:
            print(line)
        sys.stdout.flush()
        done += len(batch)


def _with_line_of_stdin(message, before):
    """``"line 3 has .."``, counted within a buffer, as a line of stdin, with ``before`` lines ahead of it."""
    return re.sub(r"^line (\d+)", lambda found: f"stdin, line {before + int(found[1])}", message)


def _lines_of_stdin():
    """Lines of stdin without their ends; only \\n ends a line, so that lines out = lines in."""
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            why = f"is not UTF-8 ({error.reason}); convert it, for instance with iconv"
            raise InputError(f"stdin, line {number} {why}") from None
