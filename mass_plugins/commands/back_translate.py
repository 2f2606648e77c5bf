"""``mass-plugins back-translate``: a large corpus into synthetic pairs."""

import argparse
import dataclasses
import sys
from pathlib import Path

from mass_plugins.commands.flags import (
    add_running_flags,
    add_shard,
    add_translation_model,
    load_translator,
    positive,
    seed,
)
from mass_plugins.errors import InputError

HELP = (
    "translate a large corpus into synthetic pairs: DESTDIR/bt.TARGET, translations, is the source of a later "
    "training, DESTDIR/bt.SOURCE, the real lines, its target; run again, the command resumes where it stopped"
)


def add_flags(command):
    add_translation_model(command)
    add = command.add_argument_group("text").add_argument
    add(
        "--input",
        nargs="+",
        required=True,
        type=Path,
        metavar="FILE",
        help="one sentence per line; plain, .gz, .xz, .bz2",
    )
    add("--destdir", required=True, type=Path, help="folder of the pairs")
    add_shard(add, "the lines whose checksum modulo N is I, so that equal lines meet; to DESTDIR/bt.I-of-N.*")
    add("--raw", action="store_true", help="write raw text, for prepare.py --like (default: sub-words)")
    add("--tag", metavar="TOKEN", help="entry of the dictionary to put before each translation")
    add("--max-pieces", type=positive, metavar="N", help="leave out longer lines (default: the model's positions)")
    add("--drop-copies", action="store_true", help="leave out translations that are equal to their line")
    add("--overwrite", action="store_true", help="overwrite pairs in DESTDIR that were made with other settings")
    add = command.add_argument_group("translation").add_argument
    add("--beam", type=positive, default=1, help="width of the search (default 1: greedy)")
    add("--sampling", action="store_true", help="draw from the model instead of searching")
    add("--temperature", type=float, default=1.0, help="of --sampling: divides the logits (default 1)")
    add("--sampling-topk", type=positive, default=0, metavar="K", help="draw from the K likeliest tokens")
    add("--sampling-topp", type=float, default=1.0, metavar="P", help="draw from this share of probability")
    add("--seed", type=seed, default=1, help="of --sampling (default 1)")
    add("--max-len-a", type=float, default=1.5, metavar="A", help="leave out translations that don't end within A")
    add("--max-len-b", type=positive, default=20, metavar="B", help="times the length + B sub-words (default 1.5, 20)")
    add = add_running_flags(command)
    add("--batch-tokens", type=positive, default=4000, help="sub-words times beam translated at once (default 4000)")
    add("--buffer", type=positive, default=5000, help="lines sorted, translated and kept together (default 5000)")
    add("--progress", action=argparse.BooleanOptionalAction, help="show a bar (default: when stderr is a terminal)")


def run(options):
    from mass_plugins.data.text_files import Shard
    from mass_plugins.generation.back_translate import Settings
    from mass_plugins.generation.back_translate import run as translate_corpus

    def given(*names):
        return {name: getattr(options, name) for name in names}

    chosen = given(*(field.name for field in dataclasses.fields(Settings)))
    settings = Settings(**{**chosen, "shard": Shard.parse(options.shard)})
    translator = load_translator(options)
    where = given("destdir", "batch_tokens", "buffer", "overwrite", "progress")
    try:
        print(translate_corpus(translator, Path(options.checkpoint), options.input, settings=settings, **where))
    except OSError as error:
        raise InputError(f"{error.filename or options.destdir}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        print("mass_plugins: interrupted; run the same command again to resume", file=sys.stderr)
        return 130
