"""The part of abra's command line that a lab needs.

Messages, flags and exit codes follow abra as far as they are known (docs/abra.md): a failure's last
line begins with ``FATA``, and every failure exits with 1.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.standin import commands
from stamplab.lab.abra.standin.commands import DeployRequest, Flags
from stamplab.lab.errors import LabError

_VERSION = "stand-in of stamplab, after abra 0.13.0-beta (06a57de)"


def _on_folder(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the ABRA_DIR as ``folder``, and the flags of every command as ``flags``."""

    @click.option("-d", "--debug", is_flag=True, help="Show debug messages.")
    @click.option("-n", "--no-input", is_flag=True, help="Toggle non-interactive mode.")
    @click.option("-o", "--offline", is_flag=True, help="Prefer offline and filesystem access.")
    @functools.wraps(command)
    def run(*, offline: bool, no_input: bool, debug: bool, **arguments: object) -> None:
        flags = Flags(offline=offline, no_input=no_input, is_debug=debug)
        command(folder=_folder(), flags=flags, **arguments)

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_VERSION, "-v", "--version", prog_name="abra")
def abra() -> None:
    """Run the Co-op Cloud command-line utility belt (stand-in)."""


@abra.group()
def app() -> None:
    """Manage apps."""


@app.command()
@_on_folder
@click.option("-C", "--chaos", is_flag=True, help="Ignore uncommitted recipes changes.")
@click.option("-c", "--no-converge-checks", is_flag=True, help="Disable converge logic checks.")
@click.option("-f", "--force", is_flag=True, help="Perform action without further prompt.")
@click.option("-i", "--ignore-env-version", is_flag=True, help="Ignore the .env version.")
@click.argument("domain")
@click.argument("version", required=False)
def deploy(
    *,
    folder: AbraFolder,
    flags: Flags,
    chaos: bool,
    no_converge_checks: bool,
    force: bool,
    ignore_env_version: bool,
    domain: str,
    version: str | None,
) -> None:
    """Deploy an app."""
    request = DeployRequest(
        domain=domain,
        version=version,
        chaos=chaos,
        converge=not no_converge_checks,
        force=force,
        ignore_env_version=ignore_env_version,
    )
    commands.deploy(folder, request, flags)


@app.command()
@_on_folder
@click.argument("domain")
def undeploy(*, folder: AbraFolder, flags: Flags, domain: str) -> None:
    """Undeploy an app."""
    commands.undeploy(folder, domain, flags)


@app.command()
@_on_folder
@click.option("-s", "--server", default="default", help="Specify server for the app.")
@click.option("-D", "--domain", required=True, help="Domain name for the app.")
@click.option("-S", "--secrets", is_flag=True, help="Automatically generate secrets.")
@click.option("-C", "--chaos", is_flag=True, help="Ignore uncommitted recipes changes.")
@click.argument("recipe")
@click.argument("version", required=False)
def new(
    *,
    folder: AbraFolder,
    flags: Flags,
    server: str,
    domain: str,
    secrets: bool,
    chaos: bool,
    recipe: str,
    version: str | None,
) -> None:
    """Create a new app."""
    commands.new(folder, recipe, version, domain, server, chaos=chaos, flags=flags)
    if secrets:
        commands.generate(folder, domain, None, flags)


@app.group()
def secret() -> None:
    """Manage app secrets."""


@secret.command()
@_on_folder
@click.option("-a", "--all", "every", is_flag=True, help="Generate all secrets.")
@click.argument("domain")
@click.argument("name", required=False)
@click.argument("version", required=False)
def generate(
    *,
    folder: AbraFolder,
    flags: Flags,
    every: bool,
    domain: str,
    name: str | None,
    version: str | None,
) -> None:
    """Generate secrets."""
    del version  # abra only checks it against the env file's version (unverified)
    if every == (name is not None):
        raise LabError("missing arguments [secret]/[version] or '--all'")
    commands.generate(folder, domain, name, flags)


@secret.command()
@_on_folder
@click.option("-f", "--file", "from_file", is_flag=True, help="Treat input as a file.")
@click.argument("domain")
@click.argument("name")
@click.argument("version")
@click.argument("data")
def insert(
    *,
    folder: AbraFolder,
    flags: Flags,
    from_file: bool,
    domain: str,
    name: str,
    version: str,
    data: str,
) -> None:
    """Insert a secret."""
    value = Path(data).read_bytes() if from_file else data.encode()
    commands.insert(folder, domain, name, version, value, flags)


@abra.group()
def recipe() -> None:
    """Manage recipes."""


@recipe.command()
@_on_folder
@click.option("-f", "--force", is_flag=True, help="Force re-fetch.")
@click.argument("name")
def fetch(*, folder: AbraFolder, flags: Flags, force: bool, name: str) -> None:
    """Clone a recipe."""
    commands.fetch(folder, name, force=force, flags=flags)


def _folder() -> AbraFolder:
    path = os.environ.get("ABRA_DIR")
    if not path:
        raise LabError("ABRA_DIR is not set: the stand-in never touches the ~/.abra of a user")
    return AbraFolder(Path(path))


def main() -> None:
    """Run the command line and exit."""
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
