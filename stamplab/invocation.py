"""How this very program is run once more: as root, to replay a run, in commands to paste."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

VARIABLE = "STAMPLAB_COMMAND"
"""A package names its program here, for what runs is then some file behind it."""


def ourselves() -> str:
    """The program, by a path that holds in whatever folder one is then."""
    script = Path(__file__).parents[1] / "run"
    if script.exists():
        return str(script)
    return os.environ.get(VARIABLE) or str(Path(sys.argv[0]).absolute())


def again() -> tuple[str, ...]:
    """The whole command that was given."""
    return (ourselves(), *sys.argv[1:])


def as_root() -> str:
    """The same as root, as one would type it."""
    return shlex.join(("sudo", *again()))
