"""Options of the command line that several commands have, alike in each."""

from __future__ import annotations

from pathlib import Path

import click

engine_option = click.option(
    "--engine",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="STAMPLAB_ENGINE",
    help="A folder with an unpacked docker engine.",
)
runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    envvar="STAMPLAB_RUNS",
    help="Where evidence is kept.",
)
