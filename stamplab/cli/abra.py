"""``stamplab abra``: the stand-in for abra as a command."""

from __future__ import annotations

import os

import click

from stamplab.lab.abra.empty_swarm import empty_swarm
from stamplab.lab.abra.standin.cli import run_abra
from stamplab.lab.live.lease import leased_scratch


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def abra(arguments: tuple[str, ...]) -> int:
    """Run the stand-in for abra: `stamplab abra app deploy -C …`.

    The stand-in works in ABRA_DIR and deploys to DOCKER_HOST; without DOCKER_HOST the swarm is
    empty and refuses changes. Exit codes are abra's: 0, or 1 for any failure.
    """
    if os.environ.get("DOCKER_HOST"):
        return run_abra(arguments)
    with leased_scratch() as folder, empty_swarm(folder.socket) as swarm:
        os.environ["DOCKER_HOST"] = swarm.address
        try:
            return run_abra(arguments)
        finally:
            del os.environ["DOCKER_HOST"]
