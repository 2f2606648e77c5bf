"""The ``mass-plugins`` command as it is installed: ``doctor`` and ``where`` before anything else.

Importing mass_plugins imports torch and fairseq. The doctor has to run where one of these is
missing or broken, so its file is run by itself; everything else is ``mass_plugins/cli.py``.
"""

import importlib.util
import runpy
import sys
from pathlib import Path


def main() -> int:
    arguments = sys.argv[1:]
    if arguments in (["doctor"], ["where"]):
        folder = Path(importlib.util.find_spec("mass_plugins").origin).resolve().parent
        if arguments == ["where"]:
            print(folder)
            return 0
        return runpy.run_path(str(folder / "doctor.py"))["main"]()
    try:
        from mass_plugins.cli import main as run_command
    except KeyboardInterrupt:  # importing torch and fairseq takes seconds; later ones are the command's
        print("mass_plugins: interrupted", file=sys.stderr)
        return 130
    return run_command(arguments)
