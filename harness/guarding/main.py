"""``stamplab guard`` as a program, without the rest of stamplab's commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from harness.guarding.command import guard
from lab.command_line import ending_orderly, exit_code_of


def main(arguments: Sequence[str]) -> None:
    """Run the command and exit."""
    with ending_orderly():
        code = exit_code_of(
            lambda: guard.main(list(arguments), prog_name="stamplab guard", standalone_mode=False),
            interrupted="interrupted: nothing is claimed",
            terminated="terminated: nothing is claimed",
        )
    sys.exit(code)
