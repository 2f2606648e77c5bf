"""Flags that several commands have."""

import argparse


def positive(text):
    """An int of 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def natural(text):
    """An int of 0 or more."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def add_translation_model(command):
    command.add_argument("checkpoint", help="a checkpoint_*.pt of seq2seq_finetuning or unsupervised_translation")
    command.add_argument("--source", required=True, help="language of the input, for instance de")
    command.add_argument("--target", required=True, help="language of the output, for instance en")
    command.add_argument(
        "--data", help="data-bin with dictionary and text.json (default: where the checkpoint is, or was trained)"
    )
