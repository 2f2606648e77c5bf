"""``mass-plugins evaluate distinct``: how varied responses are."""

from pathlib import Path

from mass_plugins.commands.flags import add_json, reporter, write_numbers

HELP = "distinct-1 and -2 of responses: different n-grams by all n-grams"


def add_flags(command):
    command.add_argument("responses", type=Path, help="one response per line, detokenized")
    add_json(command)


def run(options):
    from mass_plugins.data.text_files import read_text
    from mass_plugins.scoring.distinct import distinct

    say = reporter(options)
    responses = read_text(options.responses, "responses")
    scores = {f"distinct-{order}": distinct(responses, order) for order in (1, 2)}
    for name, found in scores.items():
        say(f"{name}  {found.score:.2f}  ({found.different} of {found.total})  {found.signature}")
    write_numbers(options.json, {name: found._asdict() for name, found in scores.items()})
