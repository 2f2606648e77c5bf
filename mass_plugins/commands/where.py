"""``mass-plugins where``."""

from pathlib import Path

HELP = "print the folder to hand to --user-dir"


def add_flags(command):
    pass


def run(options):
    print(Path(__file__).resolve().parents[1])
