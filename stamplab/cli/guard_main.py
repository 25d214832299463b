"""``stamplab guard`` as a program, without the rest of stamplab's commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from stamplab.cli.guard import guard
from stamplab.lab.support.command_line import ending_orderly, exit_code_of


def main(arguments: Sequence[str]) -> NoReturn:
    """Run the command and exit, at once: Python takes a tenth of a second to take itself down."""
    code = run(arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone; the exit code says the same
            stream.flush()
    # Faster than Python's own end (ADR 0043).
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    with ending_orderly():
        return exit_code_of(
            lambda: guard.main(list(arguments), prog_name="stamplab guard", standalone_mode=False),
            interrupted="interrupted: nothing is claimed",
            terminated="terminated: nothing is claimed",
        )
