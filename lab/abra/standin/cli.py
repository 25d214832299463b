"""The part of abra's command line that a lab needs.

Messages, flags and exit codes follow abra as far as they are known (docs/abra.md): a failure's last
line begins with ``FATA``, and every failure exits with 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from stamplab.lab.abra.standin.app import app_group
from stamplab.lab.abra.standin.recipe import recipe_group
from stamplab.lab.abra.standin.secret import secret_group
from stamplab.lab.errors import LabError
from stamplab.lab.support.garbage import collect_rarely

_VERSION = "stand-in of stamplab, after abra 0.13.0-beta (06a57de)"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_VERSION, "-v", "--version", prog_name="abra")
def abra() -> None:
    """Run the Co-op Cloud command-line utility belt (stand-in)."""


abra.add_command(app_group)
app_group.add_command(secret_group)
abra.add_command(recipe_group)


def main() -> None:
    """Run the command line and exit."""
    collect_rarely()
    sys.exit(run_abra(sys.argv[1:]))


def run_abra(arguments: Sequence[str]) -> int:
    """Run the command line; return 0, or 1 for any failure."""
    try:
        result: object = abra.main(list(arguments), prog_name="abra", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        return 1
    except click.Abort:
        return _fatal("deployment cancelled")
    except LabError as error:
        return _fatal(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fatal(f"{where}{error.strerror or error}")
    return result if isinstance(result, int) else 0


def _fatal(message: str) -> int:
    click.echo(f"FATA {message}", err=True)
    return 1
