"""A checkout of a recipe: cloned from its mirror, tags from its upstream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from lab.errors import LabError
from lab.history import PolicyRead
from lab.recipe import git
from lab.recipe.inside import require_inside


def fetch(mirror: Path, upstream: Path, target: Path, ref: str) -> None:
    """Clone the mirror at ``ref`` and fetch the upstream's tags, as the field does.

    Raises LabError.
    """
    repo = git.clone(mirror, target)
    with git.told(f"{ref} of {mirror} cannot be checked out"):
        repo.git.fetch("--quiet", str(upstream), "refs/tags/*:refs/tags/*")
    check_out(target, ref)


def check_out(checkout: Path, ref: str) -> str:
    """Check a ref out, with nothing left over in the work tree; return its SHA. Raises LabError."""
    repo = git.open_at(checkout)
    with git.told(f"{ref} cannot be checked out in {checkout}"):
        repo.git.checkout("--quiet", "--force", "--detach", ref, "--")
        repo.git.clean("--quiet", "--force", "-d", "-x")
        return repo.head.commit.hexsha


def resolve(checkout: Path, revision: str) -> str:
    """The SHA that a revision names. Raises LabError."""
    repo = git.open_at(checkout)
    with git.told(f"{checkout} has no {revision}"):
        return str(repo.git.rev_parse("--verify", "--quiet", "--end-of-options", revision))


def tags(checkout: Path) -> tuple[str, ...]:
    """All tags, in the order of their names. Raises LabError."""
    repo = git.open_at(checkout)
    with git.told(f"the tags of {checkout} cannot be read"):
        return tuple(str(repo.git.tag("--list")).splitlines())


def copy_in(checkout: Path, files: Mapping[str, str]) -> None:
    """Put files into the work tree, uncommitted: so the tree is dirty.

    A link that the recipe has in a file's place is replaced: written through, it would let a recipe
    have any file of the host overwritten. Raises LabError.
    """
    for name, text in files.items():
        require_inside(checkout, (checkout / name).parent)
        try:
            (checkout / name).unlink(missing_ok=True)
            with (checkout / name).open("x") as file:
                file.write(text)
        except OSError as error:
            raise LabError(f"{checkout / name} cannot be written: {error.strerror}") from error


class _UpdateConfig(msgspec.Struct):
    failure_action: str | None = None
    order: str | None = None
    monitor: str | None = None


class _Deploy(msgspec.Struct):
    update_config: _UpdateConfig = msgspec.field(default_factory=_UpdateConfig)


class _HealthCheck(msgspec.Struct):
    start_period: str | None = None


class _Service(msgspec.Struct):
    image: str | None = None
    deploy: _Deploy = msgspec.field(default_factory=_Deploy)
    healthcheck: _HealthCheck = msgspec.field(default_factory=_HealthCheck)


class _Compose(msgspec.Struct):
    services: dict[str, _Service] = {}


def read_policy(checkout: Path, service: str, file: str = "compose.yml") -> PolicyRead:
    """Read the rollout policy that the *committed* compose file states for a service.

    Anchors and merge keys are resolved, as docker's own loader would. Raises LabError.
    """
    repo = git.open_at(checkout)
    with git.told(f"{file} cannot be read at HEAD of {checkout}"):
        text = repo.git.show(f"HEAD:{file}")
        commit = repo.head.commit.hexsha
    found = _parse(text, file).services.get(service)
    if found is None:
        raise LabError(f"{file} at {commit[:12]} has no service {service}")
    update = found.deploy.update_config
    return PolicyRead(
        commit=commit,
        path=file,
        service=service,
        failure_action=update.failure_action,
        order=update.order,
        monitor=update.monitor,
        start_period=found.healthcheck.start_period,
    )


def read_images(checkout: Path, file: str = "compose.yml") -> dict[str, str]:
    """Read each service's image from the work tree's compose file. Raises LabError."""
    require_inside(checkout, checkout / file)
    try:
        text = (checkout / file).read_text()
    except OSError as error:
        raise LabError(f"{checkout / file} cannot be read: {error.strerror}") from error
    return {name: service.image or "" for name, service in _parse(text, file).services.items()}


def _parse(text: str, file: str) -> _Compose:
    try:
        return msgspec.convert(yaml.safe_load(text), _Compose)
    except (yaml.YAMLError, msgspec.ValidationError, ValueError) as error:
        raise LabError(f"{file} is no compose file that can be read: {error}") from error
