"""``mass-plugins evaluate distinct``: how varied responses are."""

from pathlib import Path

HELP = "distinct-1 and -2 of responses: different n-grams by all n-grams"


def add_flags(command):
    command.add_argument("responses", type=Path, help="a response a line, detokenized")


def run(options):
    from mass_plugins.data.text_files import read_text
    from mass_plugins.scoring.distinct import distinct

    responses = read_text(options.responses, "responses")
    for order in (1, 2):
        found = distinct(responses, order)
        print(f"distinct-{order}  {found.score:.2f}  ({found.different} of {found.total})  {found.signature}")
