"""The command `stamplab end`."""

from __future__ import annotations

import click

from stamplab.lab.live.lab import end_lab


@click.command()
@click.argument("lab_id")
def end(lab_id: str) -> None:
    """Take down a lab that --keep left up."""
    end_lab(lab_id)
