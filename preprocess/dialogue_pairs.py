"""Dialogues -> pairs of context and answer, for pairs of one language (prepare.py --parallel en-en=PREFIX).

    python preprocess/dialogue_pairs.py --turns 2 --output pairs/train < dialogues.txt

One dialogue per line, its turns separated by tabs, in the order in which they were said. PREFIX.source gets the
contexts, PREFIX.target the answers; dialogue.json beside them says how contexts are written. prepare.py --dialogue
takes it to the data-bin: by it `mass-plugins chat` writes them the same way.
"""

import argparse
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401

from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.data.text import has_spaces
from mass_plugins.data.text_files import not_utf8
from mass_plugins.errors import InputError
from preprocess.streaming import Parser, exit_status, positive

NAME = "dialogue_pairs.py"


def main() -> int:
    parser = Parser(prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = DialogueSettings()
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="PREFIX.source, PREFIX.target")
    parser.add_argument(
        "--turns", type=positive, default=default.turns, help="of a context, at most (default: %(default)s)"
    )
    parser.add_argument("--separator", default=default.separator, help="a word between turns (default: %(default)s)")
    parser.add_argument(
        "--max-words", type=positive, default=default.max_words, help="of a context (default: %(default)s)"
    )
    parser.add_argument(
        "--language", default="", metavar="L",
        help="of the dialogues; where it writes no spaces (zh, ja, th, ..) two characters count as a word",
    )  # fmt: skip
    args = parser.parse_args()
    settings = DialogueSettings(args.turns, args.separator, args.max_words, has_spaces(args.language))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    sides = [Path(f"{args.output}.{side}") for side in ("source", "target")]
    temporary = [path.with_name(path.name + ".tmp") for path in sides]
    dialogues = pairs = 0
    with open(temporary[0], "w", encoding="utf-8") as sources, open(temporary[1], "w", encoding="utf-8") as targets:
        for dialogues, line in enumerate(sys.stdin.buffer, start=1):
            try:
                turns = line.decode("utf-8").rstrip("\r\n").split("\t")
            except UnicodeDecodeError:
                raise not_utf8("stdin", dialogues, line) from None
            for source, target in settings.pairs(turns):
                sources.write(source + "\n")
                targets.write(target + "\n")
                pairs += 1
    if not pairs:
        raise InputError(
            f"{dialogues} dialogues have no answered turn; give one dialogue per line, its turns separated by tabs"
        )
    for path, written in zip(sides, temporary):
        os.replace(written, path)
    settings.save(args.output.parent)
    print(f"{NAME}: {pairs} pairs of {dialogues} dialogues", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(NAME, main))
