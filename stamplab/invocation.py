"""The command line of the running program, for replays and for commands that the user pastes."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

VARIABLE = "STAMPLAB_COMMAND"
"""A package names its program here: ``sys.argv`` then has a file behind it."""


def program_path() -> str:
    """Return the program's absolute path."""
    script = Path(__file__).parents[1] / "run"
    if script.exists():
        return str(script)
    return os.environ.get(VARIABLE) or str(Path(sys.argv[0]).absolute())


def command_line() -> tuple[str, ...]:
    """Return the whole command that the user gave."""
    return (program_path(), *sys.argv[1:])


def sudo_command_line() -> str:
    """Return the user's command with sudo, quoted for a shell."""
    return shlex.join(("sudo", *command_line()))
