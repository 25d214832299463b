"""The console script; the guard, which any CI may run, does not import the lab's modules."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    if sys.argv[1:2] == ["guard"]:
        from stamplab.cli.guard import main as guard

        guard(sys.argv[2:])
    else:
        from stamplab.lab.support.garbage import collect_rarely

        collect_rarely()  # before the imports: most of what is made by then is theirs
        from stamplab.cli.main import main as stamplab

        stamplab()
