"""``python -m mass_plugins`` is the ``mass-plugins`` command."""

import sys

from mass_plugins.cli import main

sys.exit(main())
