"""``mass-plugins evaluate perplexity``: what a model makes of given targets."""

from pathlib import Path

from mass_plugins.commands.flags import (
    add_json,
    add_running_flags,
    add_translation_model,
    load_translator,
    positive,
    reporter,
    write_numbers,
)
from mass_plugins.errors import InputError

HELP = "sub-word perplexity of target texts given their sources"


def add_flags(command):
    add_translation_model(command)
    command.add_argument("sources", type=Path, help="raw text, one source per line")
    command.add_argument("targets", type=Path, help="their targets, line by line")
    command.add_argument(
        "--truncate", type=positive, metavar="N", help="cut sources to N sub-words (default: as in training)"
    )
    add_json(command)
    add = add_running_flags(command)
    add("--batch-tokens", type=positive, default=4000, help="sub-words at once (default 4000)")


def run(options):
    from mass_plugins.data.text_files import read_text
    from mass_plugins.generation.perplexity import perplexity

    say = reporter(options)
    sources, targets = read_text(options.sources, "sources"), read_text(options.targets, "targets")
    if len(sources) != len(targets):
        raise InputError(
            f"{options.sources} has {len(sources)} lines, {options.targets} {len(targets)}; line n belongs to line n"
        )
    translator = load_translator(options)
    found = perplexity(
        translator, sources, targets, options.source, options.target, options.truncate, options.batch_tokens
    )
    counted = f"{found.tokens} sub-words, {found.unknown} unknown"
    say(f"perplexity  {found.perplexity:.2f}  ({counted})  {found.signature}")
    write_numbers(options.json, found._asdict())
