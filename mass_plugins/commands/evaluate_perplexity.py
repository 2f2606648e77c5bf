"""``mass-plugins evaluate perplexity``: what a model makes of given targets."""

import json
from pathlib import Path

from mass_plugins.commands.flags import add_translation_model, positive
from mass_plugins.errors import InputError

HELP = "sub-word perplexity of target texts given their sources"


def add_flags(command):
    add_translation_model(command)
    command.add_argument("sources", type=Path, help="raw text, a line each")
    command.add_argument("targets", type=Path, help="what is to follow each of them")
    command.add_argument(
        "--truncate", type=positive, metavar="N", help="cut sources to N sub-words (default: as in training)"
    )
    command.add_argument("--batch-tokens", type=positive, default=4000, help="sub-words at once (default 4000)")
    command.add_argument("--json", action="store_true", help="print JSON, a line")


def run(options):
    from mass_plugins import load
    from mass_plugins.data.text_files import read_text
    from mass_plugins.generation.perplexity import perplexity

    sources, targets = read_text(options.sources, "sources"), read_text(options.targets, "targets")
    if len(sources) != len(targets):
        raise InputError(
            f"{options.sources} has {len(sources)} lines, {options.targets} {len(targets)}; line n belongs to line n"
        )
    translator = load(options.checkpoint, data=options.data)
    found = perplexity(
        translator, sources, targets, options.source, options.target, options.truncate, options.batch_tokens
    )
    if options.json:
        print(json.dumps(found._asdict()))
    else:
        print(f"perplexity  {found.perplexity:.2f}  ({found.tokens} sub-words)  {found.signature}")
