"""The stand-in's commands on apps; their decisions are made in `stamplab.lab.abra`."""

from __future__ import annotations

import time

import click
import msgspec

from stamplab.lab.abra import go_git
from stamplab.lab.abra.app import AbraApp, read_app
from stamplab.lab.abra.driver import CHAOS_VERSION
from stamplab.lab.abra.folder import SERVER
from stamplab.lab.abra.stamp import stamp_of
from stamplab.lab.abra.standin.converge import progress
from stamplab.lab.abra.standin.secret import generate_missing
from stamplab.lab.abra.standin.session import Session, with_session
from stamplab.lab.abra.standin.swarm import StandInSwarm
from stamplab.lab.abra.version_checkout import (
    CheckoutFlags,
    ensure,
    ensure_version,
    is_lightweight,
    latest_version,
)
from stamplab.lab.errors import LabError
from stamplab.lab.recipe.checkout import ENV_SAMPLE
from stamplab.lab.recipe.containment import require_inside
from stamplab.lab.recipe.env_file import with_values
from stamplab.lab.recipe.trust import demands_of, require_trusted
from stamplab.lab.world import Stack

_POLL_S = 0.5
_TIMEOUT_S = 60
"""How long abra waits for a stack whose env file sets no TIMEOUT (unverified)."""


class DeployRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The options and arguments of ``app deploy``, by the names of the command line."""

    domain: str
    version: str | None
    chaos: bool
    no_converge_checks: bool
    force: bool
    ignore_env_version: bool


@click.group("app")
def app_group() -> None:
    """Manage apps."""


@app_group.command()
@with_session
@click.option("-C", "--chaos", is_flag=True, help="Ignore uncommitted recipes changes.")
@click.option("-c", "--no-converge-checks", is_flag=True, help="Disable converge logic checks.")
@click.option("-f", "--force", is_flag=True, help="Perform action without further prompt.")
@click.option("-i", "--ignore-env-version", is_flag=True, help="Ignore the .env version.")
@click.argument("domain")
@click.argument("version", required=False)
def deploy(session: Session, **arguments: object) -> None:
    """Deploy an app."""
    request = msgspec.convert(arguments, DeployRequest)
    app = read_app(session.folder, request.domain)
    checkout_flags = CheckoutFlags(
        chaos=request.chaos, offline=session.offline, ignore_env_version=request.ignore_env_version
    )
    ensure(app.checkout, app.pinned_version, checkout_flags, session.debug)
    swarm = StandInSwarm.from_environment()
    session.debug(f"checking whether {app.stack} is already deployed")
    if swarm.services(app.stack) and not (request.force or request.chaos):
        raise LabError(f"{app.domain} is already deployed")
    version = _version(session, app, request)
    if not request.chaos:
        ensure_version(app.checkout, version, session.debug)
        _lint(app, version)
    _require_secrets(app, swarm)
    session.confirm()
    labels = app.labels(version, chaos=request.chaos)
    _deploy(app.labelled_stack(labels, session.folder.labels_file(app.stack)), swarm)
    if not request.no_converge_checks:
        _converge(app, swarm)
    if not request.chaos:
        session.folder.pin_version(app.domain, app.recipe, version)


def _version(session: Session, app: AbraApp, request: DeployRequest) -> str:
    """Choose the version (for chaos mode as abra@06a57de cli/app/deploy.go:365-373)."""
    if request.chaos:
        version = session.folder.stamp_override() or _stamp(session, app)
        session.debug(f"{CHAOS_VERSION}{version}")
        return version
    if request.version:
        session.debug(f"version: taking version from cli arg: {request.version}")
        return request.version
    if app.pinned_version and not request.ignore_env_version:
        session.debug(f"version: taking version from .env file: {app.pinned_version}")
        return app.pinned_version
    version = latest_version(app.checkout)
    session.debug(f"version: taking new recipe version: {version}")
    return version


def _stamp(session: Session, app: AbraApp) -> str:
    reading = go_git.read(app.checkout)
    session.debug(f"the stand-in stamps as go-git {reading.go_git}: {reading.in_words}")
    return stamp_of(reading)


def _lint(app: AbraApp, version: str) -> None:
    """Apply the one lint rule of abra that the lab needs. Raises LabError."""
    if is_lightweight(app.checkout, version):
        raise LabError(
            f"lint error in {app.recipe} configs: only annotated tags used for recipe version"
        )


def _require_secrets(app: AbraApp, swarm: StandInSwarm) -> None:
    present = swarm.secrets()
    for secret in app.secrets():
        if secret.remote_name in present:
            continue
        if secret.is_generated:
            raise LabError(f"secret not generated: {secret.name}")
        raise LabError(f"secret not inserted (#generate=false): {secret.name}")


def _deploy(stack: Stack, swarm: StandInSwarm) -> None:
    require_trusted(demands_of(stack, stack.environment, frozenset()), frozenset())
    click.echo(swarm.deploy(stack), nl=False)


def _converge(app: AbraApp, swarm: StandInSwarm) -> None:
    """Wait until the stack has converged. Raises LabError on failure and on time-out."""
    stated = app.values.get("TIMEOUT", "")
    limit_s = int(stated) if stated.isdecimal() else _TIMEOUT_S
    deadline_s = time.monotonic() + limit_s
    while True:
        status = progress(swarm.services(app.stack), swarm.tasks(app.stack))
        if status.failed:
            raise LabError(f"deploy failed: {status.message}")
        if status.has_ended:
            click.echo("deploy succeeded")
            return
        if time.monotonic() > deadline_s:
            raise LabError(f"deploy timed out after {limit_s} s: {status.message}")
        time.sleep(_POLL_S)


@app_group.command()
@with_session
@click.argument("domain")
def undeploy(session: Session, domain: str) -> None:
    """Undeploy an app."""
    app = read_app(session.folder, domain)
    swarm = StandInSwarm.from_environment()
    if not swarm.services(app.stack):
        raise LabError(f"{domain} is not deployed?")
    session.confirm()
    click.echo(swarm.remove(app.stack), nl=False)


@app_group.command()
@with_session
@click.option("-s", "--server", default=SERVER, help="Specify server for the app.")
@click.option("-D", "--domain", required=True, help="Domain name for the app.")
@click.option("-S", "--secrets", is_flag=True, help="Automatically generate secrets.")
@click.option("-C", "--chaos", is_flag=True, help="Ignore uncommitted recipes changes.")
@click.argument("recipe")
@click.argument("version", required=False)
def new(
    session: Session,
    server: str,
    domain: str,
    secrets: bool,
    chaos: bool,
    recipe: str,
    version: str | None,
) -> None:
    """Create a new app."""
    if server != SERVER:
        raise LabError(f"the stand-in has one server, {SERVER}, and none called {server}")
    folder = session.folder
    checkout = folder.recipe(recipe)
    if folder.env_file(domain).exists():
        raise LabError(f"{domain} already exists?")
    ensure(checkout, None, CheckoutFlags(chaos=chaos, offline=session.offline), session.debug)
    if not chaos:
        version = version or latest_version(checkout)
        ensure_version(checkout, version, session.debug)
    sample = checkout / ENV_SAMPLE
    require_inside(checkout, sample)
    if not sample.is_file():
        raise LabError(f"{sample} does not exist?")
    text = sample.read_text().replace(f"{recipe}.example.com", domain)
    folder.write_env_text(domain, with_values(text, {"DOMAIN": domain, "TYPE": recipe}))
    if version and not chaos:
        folder.pin_version(domain, recipe, version)
    click.echo(f"{domain} created")
    if secrets:
        generate_missing(session, domain)
