"""What the stand-in's commands have in common: an ABRA_DIR, and the flags of every command."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.errors import LabError


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The ABRA_DIR of one run of the stand-in, and the flags that every command takes."""

    folder: AbraFolder
    offline: bool
    no_input: bool
    is_debug: bool

    def debug(self, message: str) -> None:
        """Print a message if ``--debug`` is given."""
        if self.is_debug:
            click.echo(f"DEBU {message}", err=True)

    def confirm(self) -> None:
        """Ask the user, unless ``--no-input`` is given. Raises click.Abort for a no."""
        if not self.no_input:
            click.confirm("proceed?", abort=True)


def with_session(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a `Session` as its first argument, and the options of every command."""

    @click.option("-d", "--debug", is_flag=True, help="Show debug messages.")
    @click.option("-n", "--no-input", is_flag=True, help="Toggle non-interactive mode.")
    @click.option("-o", "--offline", is_flag=True, help="Prefer offline and filesystem access.")
    @functools.wraps(command)
    def run(*, offline: bool, no_input: bool, debug: bool, **arguments: object) -> None:
        session = Session(folder=_folder(), offline=offline, no_input=no_input, is_debug=debug)
        command(session, **arguments)

    return run


def _folder() -> AbraFolder:
    path = os.environ.get("ABRA_DIR")
    if not path:
        raise LabError("ABRA_DIR is not set: the stand-in never touches the ~/.abra of a user")
    return AbraFolder(Path(path))
