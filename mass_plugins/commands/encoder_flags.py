"""Flags of the commands that take a text encoder."""

import argparse
from pathlib import Path

from mass_plugins.commands.flags import add_running_flags, positive


def add_export_flags(command):
    add_encoder(command)
    command.add_argument("--destdir", type=Path, required=True, metavar="DIR", help="new folder to write")


def add_encoder(command):
    command.add_argument(
        "checkpoint", help="a checkpoint*.pt of a text encoder, trained here or imported; or its folder"
    )
    add_data(command)


def add_data(command):
    command.add_argument("--data", help="folder of the tokenizer (default: where the checkpoint is, or was trained)")


def add_vector_flags(command):
    add = add_pooling_flags(command)
    add("--normalize", action=argparse.BooleanOptionalAction, help="make vectors of unit length")


def add_pooling_flags(command, action="store", of=""):
    """Those of :func:`add_vector_flags` but ``--normalize``; returns ``add_argument`` of their group."""
    add = command.add_argument_group("vectors; by default as the checkpoint was trained, else mean").add_argument
    how = f"how a text's vector is made of its tokens'{of}"
    add("--pooling", action=action, choices=("cls", "mean", "mean_with_padding"), help=how)
    add("--max-tokens", type=positive, metavar="N", help="cut longer texts (default: the model's positions)")
    return add


def vector_flags(options):
    """The values of :func:`add_vector_flags`."""
    return {name: getattr(options, name) for name in ("pooling", "normalize", "max_tokens")}


def add_speed_flags(command):
    add = add_running_flags(command, precision="float32")
    add("--batch-tokens", type=positive, help="tokens, padding included, at once (default 1000, on a GPU 8000)")


def loading_flags(options):
    """The values of :func:`add_data` and :func:`add_speed_flags`."""
    return {name: getattr(options, name) for name in ("data", "device", "dtype", "batch_tokens")}


def load_with(options):
    """The encoder of a command's flags."""
    from mass_plugins import load_encoder

    return load_encoder(options.checkpoint, **vector_flags(options), **loading_flags(options))
