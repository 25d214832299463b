"""A checkout of a recipe: cloned from its mirror, tags from its upstream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stamplab.lab.errors import os_errors_as
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.recipe import git
from stamplab.lab.recipe.compose import DEFAULT_FILE, Compose, parse_compose, policy_of, read_texts
from stamplab.lab.recipe.containment import require_inside

ENV_SAMPLE = ".env.sample"


def fetch(mirror: Path, upstream: Path, target: Path, ref: str) -> None:
    """Clone the mirror, fetch the upstream's tags and check ``ref`` out. Raises LabError."""
    repo = git.clone(mirror, target)
    with git.errors_as(f"{ref} of {mirror} cannot be checked out"):
        repo.git.fetch(str(upstream), "refs/tags/*:refs/tags/*")
    check_out(target, ref)


def check_out(checkout: Path, ref: str) -> str:
    """Check a ref out into a clean work tree; return its SHA. Raises LabError."""
    repo = git.open_at(checkout)
    with git.errors_as(f"{ref} cannot be checked out in {checkout}"):
        repo.git.checkout("--quiet", "--force", "--detach", ref, "--")
        repo.git.clean("--quiet", "--force", "-d", "-x")
        return git.head_of(repo)


def resolve(checkout: Path, revision: str) -> str:
    """Return the SHA that a revision names. Raises LabError."""
    repo = git.open_at(checkout)
    with git.errors_as(f"{checkout} has no {revision}"):
        return str(repo.git.rev_parse("--verify", "--quiet", "--end-of-options", revision))


def tags(checkout: Path) -> tuple[str, ...]:
    """List all tags by name. Raises LabError."""
    repo = git.open_at(checkout)
    with git.errors_as(f"the tags of {checkout} cannot be read"):
        return tuple(str(repo.git.tag("--list")).splitlines())


def write_uncommitted(checkout: Path, files: Mapping[str, str]) -> None:
    """Write files into the work tree without committing them. Raises LabError, RecipeRefused."""
    for name, text in files.items():
        require_inside(checkout, (checkout / name).parent)
        with os_errors_as(f"{checkout / name} cannot be written"):
            # Written through a link of the recipe's, the text would overwrite any file of the host.
            (checkout / name).unlink(missing_ok=True)
            with (checkout / name).open("x") as file:
                file.write(text)


def read_policy(checkout: Path, service: str) -> PolicyRead:
    """Read the rollout policy of a service from the *committed* compose file. Raises LabError."""
    repo = git.open_at(checkout)
    with git.errors_as(f"{DEFAULT_FILE} cannot be read at HEAD of {checkout}"):
        text = str(repo.git.show(f"HEAD:{DEFAULT_FILE}"))
        commit = git.head_of(repo)
    compose = parse_compose({DEFAULT_FILE: text}, {})
    return policy_of(compose, service, commit=commit, path=DEFAULT_FILE)


def read_compose(
    checkout: Path,
    files: tuple[str, ...] = (DEFAULT_FILE,),
    variables: Mapping[str, str] | None = None,
) -> Compose:
    """Read the work tree's compose files. Raises LabError, RecipeRefused."""
    return parse_compose(read_texts(checkout, files), variables or {})


def read_env_sample(checkout: Path) -> str:
    """Read the sample of an app's env file; "" where the recipe has none. Raises LabError."""
    sample = checkout / ENV_SAMPLE
    if not sample.exists() and not sample.is_symlink():
        return ""
    return read_texts(checkout, (ENV_SAMPLE,))[ENV_SAMPLE]
