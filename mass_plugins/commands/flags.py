"""Flags that several commands have."""

import argparse
import json
import math
import os
from pathlib import Path

STDOUT = Path("-")


def positive(text):
    """An int of 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def samples(text):
    """An int of 100 or more: a bootstrap's, whose tails are to hold some."""
    number = int(text)
    if number < 100:
        raise argparse.ArgumentTypeError(f"{number} is not 100 or more")
    return number


def name_and_path(text: str) -> tuple[str, Path]:
    """``"mass=logs/a.log"`` -> ``("mass", logs/a.log)``; the name is the file's own by default."""
    name, equals, path = text.partition("=")
    if equals and not os.path.exists(text):
        return name, Path(path)
    return Path(text).stem, Path(text)


def by_name(texts: list[str], form: str) -> dict[str, str]:
    """``["de=a", "fr=b"]`` -> ``{"de": "a", "fr": "b"}``.

    Args:
        form: of each, with the flag that they come from.

    Raises:
        InputError: another form, or a name that stands there twice.
    """
    from mass_plugins.errors import InputError

    found: dict[str, str] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise InputError(f"{text} is not of the form {form}")
        if name in found:
            raise InputError(f"{text}: {name} stands for {found[name]} already; give each a name of its own ({form})")
        found[name] = value
    return found


def natural(text):
    """An int of 0 or more."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def seed(text):
    """An int that every generator of random numbers takes: 0 or more, below 2^32 (NumPy's limit)."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{number} is not 0 or more and below 2^32")
    return number


def not_negative(text):
    """A number of 0 or more that is finite."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return number


def finite(text):
    """A number."""
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return number


def word(text):
    """Text that may be a column of a file whose columns are split at white space."""
    if text.split() != [text]:
        raise argparse.ArgumentTypeError(f"{text!r} is empty or holds white space, which a run can't; join it by _")
    return text


def add_shard(add, which):
    """``--shard I/N``; ``which``: the texts that part I is made of, and where they go."""
    add("--shard", default="0/1", metavar="I/N", help=f"part I, counted from 0, of N: {which}")


def add_ignore_identical_ids(command):
    command.add_argument(
        "--ignore-identical-ids",
        action="store_true",
        help="leave out a document with the query's own id, as BEIR does; --depth others are found",
    )


def refuse_idle(options, names, why):
    """Flags that would change nothing; their default is None.

    Raises:
        InputError: one was given.
    """
    from mass_plugins.errors import InputError

    for name in names:
        if getattr(options, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} has no effect {why}; leave it out")


def set_only(options, *names):
    """Those of the flags that were given, by name."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def add_json(command, content="the numbers"):
    """``--json FILE``, for :func:`reporter` and :func:`write_numbers`."""
    command.add_argument(
        "--json", type=Path, metavar="FILE", help=f"also write {content}, as JSON; -: to stdout, without the report"
    )


def reporter(options):
    """``print`` for a command's report; says nothing where ``--json -`` puts the numbers on stdout.

    Raises:
        InputError: there is no folder for the file of ``--json``, or it is one; told before the work.
    """
    from mass_plugins.errors import InputError

    if options.json is not None and not options.json.parent.is_dir():
        raise InputError(f"--json: the folder {options.json.parent} doesn't exist; make it")
    if options.json is not None and options.json.is_dir():
        raise InputError(f"--json: {options.json} is a folder; name a file in it")
    return (lambda text: None) if options.json == STDOUT else print


def write_numbers(path, content):
    """Write what ``--json`` asks for, where it was given.

    Raises:
        InputError: the file can't be written.
    """
    from mass_plugins.data.json_file import write_json
    from mass_plugins.errors import InputError

    if path is None:
        return
    if path == STDOUT:
        print(json.dumps(content))
        return
    try:
        write_json(path, content)
    except OSError as error:
        mend = "name a file in an existing folder"
        raise InputError(f"--json: {path} can't be written ({error.strerror}); {mend}") from None


def add_translation_model(command):
    command.add_argument("checkpoint", help="a checkpoint_*.pt of seq2seq_finetuning or unsupervised_translation")
    command.add_argument("--source", required=True, help="language of the input, for instance de")
    command.add_argument("--target", required=True, help="language of the output, for instance en")
    command.add_argument(
        "--data", help="data-bin with dictionary and text.json (default: where the checkpoint is, or was trained)"
    )


def add_running_flags(command, precision="as trained"):
    """How a model computes; returns the group's ``add_argument``, for what a command has besides."""
    add = command.add_argument_group("running").add_argument
    add("--device", help="for instance cuda:1 (default: a GPU if there is one, else the CPU)")
    add(
        "--dtype",
        choices=("float32", "bfloat16", "float16"),
        help=f"precision (default: {precision}); float16: GPU",
    )
    return add


def load_translator(options):
    """The model of a command's checkpoint, ``--data`` and running flags."""
    import torch

    from mass_plugins import load

    dtype = getattr(torch, options.dtype) if options.dtype else None
    return load(options.checkpoint, data=options.data, device=options.device, dtype=dtype)


def add_import_flags(command):
    command.add_argument("--destdir", required=True, metavar="DIR", help="folder to write, which must not exist")
    command.add_argument("--heads", type=positive, help="attention heads, where the file doesn't say")


def save_imported(model, options, seed=1):
    """Write an imported model; print where, and how a training goes on from it."""
    model.save(options.destdir, seed=seed)
    start = f"--pretrained-checkpoint {options.destdir}/checkpoint.pt"
    print(f"{options.destdir}/checkpoint.pt: {', '.join(model.languages)}; {len(model.symbols) + 4} words")
    print("fine-tune it with: " + " ".join([*model.flags(), start]))
