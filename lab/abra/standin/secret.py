"""The stand-in's commands on an app's secrets."""

from __future__ import annotations

import secrets as randomness
import string
from pathlib import Path

import click

from stamplab.lab.abra.app import read_app
from stamplab.lab.abra.standin.session import Session, with_session
from stamplab.lab.abra.standin.swarm import StandInSwarm
from stamplab.lab.abra.version_checkout import require_checkout
from stamplab.lab.errors import LabError
from stamplab.lab.recipe.secrets import Secret

_ALPHABET = string.ascii_letters + string.digits


@click.group("secret")
def secret_group() -> None:
    """Manage app secrets."""


@secret_group.command()
@with_session
@click.option("-a", "--all", "every", is_flag=True, help="Generate all secrets.")
@click.argument("domain")
@click.argument("name", required=False)
@click.argument("version", required=False)
def generate(
    session: Session, every: bool, domain: str, name: str | None, version: str | None
) -> None:
    """Generate secrets."""
    del version  # abra only checks it against the env file's version (unverified)
    if every == (name is not None):
        raise LabError("missing arguments [secret]/[version] or '--all'")
    generate_missing(session, domain, name)


def generate_missing(session: Session, domain: str, name: str | None = None) -> None:
    """Generate one secret of an app, or all missing ones. Raises LabError."""
    app = read_app(session.folder, domain)
    require_checkout(app.checkout)
    swarm = StandInSwarm.from_environment()
    present = swarm.secrets()
    selected = [secret for secret in app.secrets() if name in (None, secret.name)]
    if name is not None and not selected:
        raise LabError(f"{name} doesn't exist in the env config?")
    for secret in selected:
        if not secret.is_generated:
            session.debug(f"skipping {secret.name}: generate=false")
        elif secret.remote_name not in present:
            swarm.create_secret(secret.remote_name, _random(secret), app.stack)
            click.echo(f"{secret.name} {secret.version} generated")
        elif name is not None:
            raise LabError(f"{secret.remote_name} already exists")


@secret_group.command()
@with_session
@click.option("-f", "--file", "from_file", is_flag=True, help="Treat input as a file.")
@click.argument("domain")
@click.argument("name")
@click.argument("version")
@click.argument("data")
def insert(
    session: Session, from_file: bool, domain: str, name: str, version: str, data: str
) -> None:
    """Insert a secret."""
    value = Path(data).read_bytes() if from_file else data.encode()
    app = read_app(session.folder, domain)
    remote_name = f"{app.stack}_{name}_{version}"
    StandInSwarm.from_environment().create_secret(remote_name, value, app.stack)
    session.debug(f"{remote_name} inserted")
    click.echo(f"{remote_name} successfully stored on server")


def _random(secret: Secret) -> bytes:
    return "".join(randomness.choice(_ALPHABET) for _ in range(secret.length)).encode()
