"""The checkout of a recipe's version before a deploy: abra's ``Recipe.Ensure``.

Source: abra@06a57de pkg/recipe/git.go:38-43 for chaos mode, which returns before anything is
checked out. docs/abra.md describes the steps after that, and their sources.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.lab.abra.label_names import SMALL_SHA_DIGITS
from stamplab.lab.abra.stamp import is_clean
from stamplab.lab.errors import LabError
from stamplab.lab.recipe import git
from stamplab.lab.recipe.checkout import tags

_RELEASE = re.compile(r"[vV]?(\d+)\.(\d+)\.(\d+)\+.+")

Debug = Callable[[str], None]


class CheckoutFlags(msgspec.Struct, frozen=True, kw_only=True):
    """A command's flags that affect the checkout."""

    chaos: bool = False
    offline: bool = False
    ignore_env_version: bool = False


def ensure(checkout: Path, version: str | None, flags: CheckoutFlags, debug: Debug) -> None:
    """Check out the version that an app names; in chaos mode leave the checkout as it is.

    Raises LabError where the checkout is missing or has changes, or the version is missing.
    """
    require_checkout(checkout)
    if flags.chaos:
        return
    require_clean(checkout)
    if not flags.offline:
        update(checkout)
    if version and not flags.ignore_env_version:
        debug(f"ensuring env version {version}")
        ensure_version(checkout, version, debug)
    else:
        ensure_latest(checkout)


def require_checkout(checkout: Path) -> None:
    """Raise LabError unless the checkout is a git repository."""
    if not checkout.is_dir():
        raise LabError(f"the recipe {checkout.name} is not fetched: there is no {checkout}")
    if not (checkout / ".git").exists():
        raise LabError(f"no .git directory in {checkout}: the recipe is no git repository")


def require_clean(checkout: Path) -> None:
    """Raise LabError when the checkout has changes, which only chaos mode deploys."""
    if not is_clean(checkout):
        raise LabError(
            f"{checkout.name} ({checkout}) has locally unstaged changes? "
            "please commit/remove your changes before proceeding"
        )


def ensure_version(checkout: Path, version: str, debug: Debug) -> None:
    """Check out a tag, else a commit, and detach HEAD. Raises LabError."""
    repo = git.open_at(checkout)
    is_tag = version in tags(checkout)
    if not is_tag:
        debug(f"attempting to checkout '{version}' as chaos commit")
    revision = f"refs/tags/{version}^{{commit}}" if is_tag else f"{version}^{{commit}}"
    with git.errors_as(f"unable to resolve '{version}' in {checkout}"):
        commit = repo.git.rev_parse("--verify", "--quiet", "--end-of-options", revision)
    with git.errors_as(f"{version} cannot be checked out in {checkout}"):
        repo.git.checkout("--quiet", "--force", "--detach", commit)
    debug(f"successfully checked {checkout.name} out to {version} in {checkout}")


def ensure_latest(checkout: Path) -> None:
    """Check out the branch ``main``, else ``master``. Raises LabError."""
    repo = git.open_at(checkout)
    branches = {branch.name for branch in repo.branches}
    name = next((name for name in ("main", "master") if name in branches), None)
    if name is None:
        raise LabError(f"{checkout} has neither a branch main nor master")
    with git.errors_as(f"{name} cannot be checked out in {checkout}"):
        repo.git.checkout("--quiet", "--force", name, "--")


def update(checkout: Path) -> None:
    """Fetch tags and branches from the remote ``origin``. Raises LabError."""
    repo = git.open_at(checkout)
    if "origin" not in {remote.name for remote in repo.remotes}:
        raise LabError(f"{checkout} has no remote origin to be updated from; --offline leaves it")
    with git.errors_as(f"{checkout} cannot be updated"):
        repo.git.fetch("--quiet", "--tags", "--force", "origin")


def list_releases(checkout: Path) -> tuple[str, ...]:
    """List the released versions (tags ``1.2.3+4.5.6``), oldest first. Raises LabError."""
    return tuple(sorted(filter(_RELEASE.fullmatch, tags(checkout)), key=_version_order))


def latest_version(checkout: Path) -> str:
    """Return the latest release, else HEAD's small SHA. Raises LabError."""
    releases = list_releases(checkout)
    if releases:
        return releases[-1]
    repo = git.open_at(checkout)
    with git.errors_as(f"the HEAD of {checkout} cannot be read"):
        return git.head_of(repo)[:SMALL_SHA_DIGITS]


def is_lightweight(checkout: Path, version: str) -> bool:
    """Tell whether a version is a tag without a tag object, which abra's lint refuses."""
    repo = git.open_at(checkout)
    with git.errors_as(f"the tags of {checkout} cannot be read"):
        return any(tag.name == version and tag.tag is None for tag in repo.tags)


def _version_order(version: str) -> tuple[tuple[int, ...], str]:
    """Sort by the recipe's version, then by the upstream's, numbers as numbers."""
    return tuple(int(number) for number in re.findall(r"\d+", version)), version
