"""A checkout of a recipe: cloned from its mirror, tags from its upstream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stamplab.lab.errors import LabError
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.recipe import git
from stamplab.lab.recipe.compose import DEFAULT_FILE, Compose, parse, policy, read_texts
from stamplab.lab.recipe.containment import require_inside

SAMPLE = ".env.sample"


def fetch(mirror: Path, upstream: Path, target: Path, ref: str) -> None:
    """Clone the mirror at ``ref`` and fetch the upstream's tags, as the field does.

    Raises LabError.
    """
    repo = git.clone(mirror, target)
    with git.told(f"{ref} of {mirror} cannot be checked out"):
        repo.git.fetch(str(upstream), "refs/tags/*:refs/tags/*")
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


def read_policy(
    checkout: Path,
    service: str,
    files: tuple[str, ...] = (DEFAULT_FILE,),
    variables: Mapping[str, str] | None = None,
) -> PolicyRead:
    """Read the rollout policy that the *committed* compose files state for a service.

    Anchors and merge keys are resolved, as docker's own loader would. Raises LabError.
    """
    repo = git.open_at(checkout)
    texts = {}
    for file in files:
        with git.told(f"{file} cannot be read at HEAD of {checkout}"):
            texts[file] = str(repo.git.show(f"HEAD:{file}"))
    with git.told(f"the HEAD of {checkout} cannot be read"):
        commit = repo.head.commit.hexsha
    return policy(parse(texts, variables or {}), service, commit=commit, path=":".join(files))


def read_compose(
    checkout: Path,
    files: tuple[str, ...] = (DEFAULT_FILE,),
    variables: Mapping[str, str] | None = None,
) -> Compose:
    """Read the work tree's compose files. Raises LabError."""
    return parse(read_texts(checkout, files), variables or {})


def read_sample(checkout: Path) -> str:
    """The work tree's sample of an app's env file; empty where there is none. Raises LabError."""
    sample = checkout / SAMPLE
    if not sample.exists() and not sample.is_symlink():
        return ""
    return read_texts(checkout, (SAMPLE,))[SAMPLE]
