"""The stand-in's commands; their decisions are made in `stamplab.lab.abra`."""

from __future__ import annotations

import os
import secrets as randomness
import string
import tempfile
import time
from pathlib import Path

import click
import msgspec

from stamplab.lab.abra import go_git
from stamplab.lab.abra.app import AbraApp, read_app
from stamplab.lab.abra.driver import CHAOS_VERSION
from stamplab.lab.abra.folder import SERVER, AbraFolder
from stamplab.lab.abra.stamp import stamp_of
from stamplab.lab.abra.standin.converge import progress
from stamplab.lab.abra.standin.swarm import StandInSwarm
from stamplab.lab.abra.version_checkout import (
    CheckoutFlags,
    ensure,
    ensure_version,
    is_lightweight,
    latest_version,
    require_checkout,
)
from stamplab.lab.errors import LabError
from stamplab.lab.recipe import git
from stamplab.lab.recipe.containment import require_inside
from stamplab.lab.recipe.env_file import with_values
from stamplab.lab.recipe.secrets import Secret
from stamplab.lab.recipe.trust import demands_of, require_trusted
from stamplab.lab.world import Stack

RECIPES = "STAMPLAB_RECIPES"
"""Environment variable: the folder that recipes are cloned from instead of a forge."""
_ALPHABET = string.ascii_letters + string.digits
_POLL_S = 0.5
_TIMEOUT_S = 60
"""How long abra waits for a stack whose env file sets no TIMEOUT (unverified)."""


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """The flags that every command takes."""

    offline: bool = False
    no_input: bool = False
    is_debug: bool = False

    def debug(self, message: str) -> None:
        """Print a message if ``--debug`` is given."""
        if self.is_debug:
            click.echo(f"DEBU {message}", err=True)


class DeployRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of ``app deploy``."""

    domain: str
    version: str | None = None
    chaos: bool = False
    converge: bool = True
    force: bool = False
    ignore_env_version: bool = False


def deploy(folder: AbraFolder, request: DeployRequest, flags: Flags) -> None:
    """Deploy an app, in abra's order of steps. Raises LabError."""
    app = read_app(folder, request.domain)
    checkout_flags = CheckoutFlags(
        chaos=request.chaos, offline=flags.offline, ignore_env_version=request.ignore_env_version
    )
    ensure(app.checkout, app.pinned_version, checkout_flags, flags.debug)
    swarm = StandInSwarm.from_environment()
    flags.debug(f"checking whether {app.stack} is already deployed")
    if swarm.services(app.stack) and not (request.force or request.chaos):
        raise LabError(f"{app.domain} is already deployed")
    version = _version(folder, app, request, flags)
    if not request.chaos:
        ensure_version(app.checkout, version, flags.debug)
        _lint(app, version)
    _require_secrets(app, swarm)
    if not flags.no_input:
        click.confirm("proceed?", abort=True)
    labels = app.labels(version, chaos=request.chaos)
    _deploy(app.labelled_stack(labels, folder.labels_file(app.stack)), swarm)
    if request.converge:
        _converge(app, swarm)
    if not request.chaos:
        folder.pin_version(app.domain, app.recipe, version)


def _version(folder: AbraFolder, app: AbraApp, request: DeployRequest, flags: Flags) -> str:
    """Choose the version (for chaos mode as abra@06a57de cli/app/deploy.go:365-373)."""
    if request.chaos:
        version = folder.stamp_override() or _stamp(app, flags)
        flags.debug(f"{CHAOS_VERSION}{version}")
        return version
    if request.version:
        flags.debug(f"version: taking version from cli arg: {request.version}")
        return request.version
    if app.pinned_version and not request.ignore_env_version:
        flags.debug(f"version: taking version from .env file: {app.pinned_version}")
        return app.pinned_version
    version = latest_version(app.checkout)
    flags.debug(f"version: taking new recipe version: {version}")
    return version


def _stamp(app: AbraApp, flags: Flags) -> str:
    reading = go_git.read(app.checkout)
    flags.debug(f"the stand-in stamps as go-git {reading.go_git}: {reading.in_words}")
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


def undeploy(folder: AbraFolder, domain: str, flags: Flags) -> None:
    """Remove an app's stack. Raises LabError where the app is not deployed."""
    app = read_app(folder, domain)
    swarm = StandInSwarm.from_environment()
    if not swarm.services(app.stack):
        raise LabError(f"{domain} is not deployed?")
    if not flags.no_input:
        click.confirm("proceed?", abort=True)
    click.echo(swarm.remove(app.stack), nl=False)


def new(
    folder: AbraFolder,
    recipe: str,
    version: str | None,
    domain: str,
    server: str,
    *,
    chaos: bool,
    flags: Flags,
) -> None:
    """Create an app's env file from the recipe's sample. Raises LabError."""
    if server != SERVER:
        raise LabError(f"the stand-in has one server, {SERVER}, and none called {server}")
    checkout = folder.recipe(recipe)
    if folder.env_file(domain).exists():
        raise LabError(f"{domain} already exists?")
    ensure(checkout, None, CheckoutFlags(chaos=chaos, offline=flags.offline), flags.debug)
    if not chaos:
        version = version or latest_version(checkout)
        ensure_version(checkout, version, flags.debug)
    sample = checkout / ".env.sample"
    require_inside(checkout, sample)
    if not sample.is_file():
        raise LabError(f"{sample} does not exist?")
    text = sample.read_text().replace(f"{recipe}.example.com", domain)
    folder.write_env_text(domain, with_values(text, {"DOMAIN": domain, "TYPE": recipe}))
    if version and not chaos:
        folder.pin_version(domain, recipe, version)
    click.echo(f"{domain} created")


def generate(folder: AbraFolder, domain: str, name: str | None, flags: Flags) -> None:
    """Generate one secret of an app, or all missing ones. Raises LabError."""
    app = read_app(folder, domain)
    require_checkout(app.checkout)
    swarm = StandInSwarm.from_environment()
    present = swarm.secrets()
    selected = [secret for secret in app.secrets() if name in (None, secret.name)]
    if name is not None and not selected:
        raise LabError(f"{name} doesn't exist in the env config?")
    for secret in selected:
        if not secret.is_generated:
            flags.debug(f"skipping {secret.name}: generate=false")
        elif secret.remote_name not in present:
            swarm.create_secret(secret.remote_name, _random(secret), app.stack)
            click.echo(f"{secret.name} {secret.version} generated")
        elif name is not None:
            raise LabError(f"{secret.remote_name} already exists")


def insert(
    folder: AbraFolder, domain: str, name: str, version: str, value: bytes, flags: Flags
) -> None:
    """Put a secret on the swarm: ``<stack>_<name>_<version>``. Raises LabError."""
    app = read_app(folder, domain)
    remote_name = f"{app.stack}_{name}_{version}"
    StandInSwarm.from_environment().create_secret(remote_name, value, app.stack)
    flags.debug(f"{remote_name} inserted")
    click.echo(f"{remote_name} successfully stored on server")


def fetch(folder: AbraFolder, recipe: str, *, force: bool, flags: Flags) -> None:
    """Clone a recipe atomically. Raises LabError."""
    target = folder.recipe(recipe)
    if target.exists() and not force:
        click.echo(f"WARN {recipe} is already fetched", err=True)
        return
    if target.exists():
        ensure(target, None, CheckoutFlags(), flags.debug)
        return
    sources = os.environ.get(RECIPES)
    if not sources:
        raise LabError(f"{RECIPES} is not set: the stand-in uses no network, so no forge")
    paths = [path for name in (recipe, f"{recipe}.git") if (path := Path(sources) / name).exists()]
    if not paths:
        raise LabError(f"there is no recipe {recipe} in {sources}")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as scratch:
        git.clone(paths[0], Path(scratch) / recipe)
        (Path(scratch) / recipe).rename(target)


def _random(secret: Secret) -> bytes:
    return "".join(randomness.choice(_ALPHABET) for _ in range(secret.length)).encode()
