"""The console script. The guard is for any CI, so it is run without what only the lab needs."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    if sys.argv[1:2] == ["guard"]:
        from stamplab.cli.guard_main import main as guard

        guard(sys.argv[2:])
    else:
        from stamplab.cli.main import main as stamplab

        stamplab()
