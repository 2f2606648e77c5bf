"""``mass-plugins translate``: raw text in, raw text out."""

from mass_plugins.commands.flags import (
    add_running_flags,
    add_translation_model,
    finite,
    load_translator,
    natural,
    not_negative,
    positive,
)
from mass_plugins.commands.lines import convert_stdin

HELP = "translate raw text, line by line, from stdin to stdout"
_TRUNCATE = "cut lines to N sub-words (default: a longer one is an error; contexts of dialogues: as in training)"


def add_flags(command):
    add_translation_model(command)
    add = command.add_argument_group("translation").add_argument
    add("--beam", type=positive, default=5, help="width of the search; 1 is greedy (default 5)")
    add("--length-penalty", type=finite, default=1.0, metavar="P", help="above 1 prefers longer ones (default 1)")
    add("--max-len-a", type=not_negative, default=1.5, metavar="A", help="a translation has at most A times the length")
    add("--max-len-b", type=natural, default=20, metavar="B", help="plus B sub-words (default 1.5, 20)")
    add("--truncate", type=positive, metavar="N", help=_TRUNCATE)
    add = add_running_flags(command)
    add("--batch-tokens", type=positive, default=4000, help="sub-words times beam translated at once (default 4000)")
    add("--buffer", type=positive, default=100, help="lines read before they are translated (default 100)")


def run(options):
    translator = load_translator(options)
    for language, flag in ((options.source, "--source"), (options.target, "--target")):
        translator.task.language_index(language, flag)  # before the first line is waited for
    names = ("beam", "length_penalty", "max_len_a", "max_len_b", "truncate", "batch_tokens")
    settings = {name: getattr(options, name) for name in names}
    convert_stdin(lambda lines: translator.translate(lines, options.source, options.target, **settings), options.buffer)
