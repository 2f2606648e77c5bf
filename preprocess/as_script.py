"""Imported first by each tool when it runs as ``python preprocess/<tool>.py``.

The tools need files of ``mass_plugins.data`` that import neither torch nor fairseq, but importing
anything of ``mass_plugins`` registers the whole plugin with fairseq, which costs four seconds of
importing both. So an empty package that knows the folder stands in for it, in this process only.
"""

import sys
from pathlib import Path
from types import ModuleType

_FOLDER = Path(__file__).resolve().parents[1] / "mass_plugins"

if "mass_plugins" not in sys.modules:
    package = ModuleType("mass_plugins")
    package.__path__ = [str(_FOLDER)]
    sys.modules["mass_plugins"] = package
