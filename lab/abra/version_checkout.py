"""What abra does to a recipe's checkout before it deploys: ``Recipe.Ensure``.

Source: abra@06a57de pkg/recipe/git.go:38-43 for chaos mode, which returns before anything is
checked out. What follows it there is told in docs/abra.md, with what it rests on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from stamplab.lab.abra.stamp import SMALL_SHA_DIGITS, is_clean
from stamplab.lab.errors import LabError
from stamplab.lab.recipe import git
from stamplab.lab.recipe.checkout import tags

_RELEASE = re.compile(r"[vV]?(\d+)\.(\d+)\.(\d+)\+.+")

Debug = Callable[[str], None]


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of a command that decide what becomes of the checkout."""

    chaos: bool = False
    offline: bool = False
    ignore_env_version: bool = False


def ensure(checkout: Path, pinned: str | None, context: Context, debug: Debug) -> None:
    """Bring a checkout to the version that its app names; in chaos mode leave it as it is.

    Raises LabError where there is no checkout, where it has changes, or no such version.
    """
    require_checkout(checkout)
    if context.chaos:
        return
    require_clean(checkout)
    if not context.offline:
        update(checkout)
    if pinned and not context.ignore_env_version:
        debug(f"ensuring env version {pinned}")
        ensure_version(checkout, pinned, debug)
    else:
        ensure_latest(checkout)


def require_checkout(checkout: Path) -> None:
    """Raise LabError unless the recipe is there, as a git repository."""
    if not checkout.is_dir():
        raise LabError(f"the recipe {checkout.name} is not fetched: there is no {checkout}")
    if not (checkout / ".git").exists():
        raise LabError(f"no .git directory in {checkout}: the recipe is no git repository")


def require_clean(checkout: Path) -> None:
    """Raise LabError when the checkout has changes, which abra deploys in chaos mode alone."""
    if not is_clean(checkout):
        raise LabError(
            f"{checkout.name} ({checkout}) has locally unstaged changes? "
            "please commit/remove your changes before proceeding"
        )


def ensure_version(checkout: Path, version: str, debug: Debug) -> None:
    """Check out a version: a tag, else a commit. HEAD is detached then. Raises LabError."""
    repo = git.open_at(checkout)
    is_tag = version in tags(checkout)
    if not is_tag:
        debug(f"attempting to checkout '{version}' as chaos commit")
    revision = f"refs/tags/{version}^{{commit}}" if is_tag else f"{version}^{{commit}}"
    with git.told(f"unable to resolve '{version}' in {checkout}"):
        commit = repo.git.rev_parse("--verify", "--quiet", "--end-of-options", revision)
    with git.told(f"{version} cannot be checked out in {checkout}"):
        repo.git.checkout("--quiet", "--force", "--detach", commit)
    debug(f"successfully checked {checkout.name} out to {version} in {checkout}")


def ensure_latest(checkout: Path) -> None:
    """Check the default branch out: ``main``, else ``master``. Raises LabError."""
    repo = git.open_at(checkout)
    branches = {branch.name for branch in repo.branches}
    name = next((name for name in ("main", "master") if name in branches), None)
    if name is None:
        raise LabError(f"{checkout} has neither a branch main nor master")
    with git.told(f"{name} cannot be checked out in {checkout}"):
        repo.git.checkout("--quiet", "--force", name, "--")


def update(checkout: Path) -> None:
    """Fetch tags and the default branch from where the recipe was cloned. Raises LabError."""
    repo = git.open_at(checkout)
    if "origin" not in {remote.name for remote in repo.remotes}:
        raise LabError(f"{checkout} has no remote origin to be updated from; --offline leaves it")
    with git.told(f"{checkout} cannot be updated"):
        repo.git.fetch("--quiet", "--tags", "--force", "origin")


def releases(checkout: Path) -> tuple[str, ...]:
    """All released versions (tags ``1.2.3+4.5.6``), oldest first. Raises LabError."""
    return tuple(sorted(filter(_RELEASE.fullmatch, tags(checkout)), key=_order))


def latest_version(checkout: Path) -> str:
    """The latest release, else the small SHA of the commit that is checked out. Raises LabError."""
    released = releases(checkout)
    if released:
        return released[-1]
    repo = git.open_at(checkout)
    with git.told(f"the HEAD of {checkout} cannot be read"):
        return repo.head.commit.hexsha[:SMALL_SHA_DIGITS]


def is_lightweight(checkout: Path, version: str) -> bool:
    """Whether a version is a tag without an object of its own, which abra's lint refuses."""
    repo = git.open_at(checkout)
    with git.told(f"the tags of {checkout} cannot be read"):
        return any(tag.name == version and tag.tag is None for tag in repo.tags)


def _order(version: str) -> tuple[tuple[int, ...], str]:
    """By the recipe's own version first, then by the upstream's, numbers as numbers."""
    return tuple(int(number) for number in re.findall(r"\d+", version)), version
