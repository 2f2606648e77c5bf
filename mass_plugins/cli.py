"""The ``mass-plugins`` command: where, doctor, translate, back-translate, plot.

Each sub-command is a file of ``mass_plugins/commands``: ``HELP``, its one line of help; ``add_flags(command)``;
``run(options)``, which calls the room that does the work and returns the exit status, None for 0.
"""

import argparse
import os
import sys

from mass_plugins.commands import back_translate, doctor, plot, translate, where
from mass_plugins.errors import InputError

COMMANDS = (where, doctor, translate, back_translate, plot)


def main(argv=None) -> int:
    """Run one sub-command; the exit status: 0 good, 1 failed or something is wrong, 2 usage."""
    parser = build_parser()
    options = parser.parse_args(argv)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()  # here, where a closed pipe is dealt with
        return status
    except InputError as error:
        print(f"mass_plugins: error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, head for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("mass_plugins: interrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mass-plugins", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        command.set_defaults(run=module.run)
        module.add_flags(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
