"""A recipe that is not ours: where its repository is, and copies of it to work on.

Nobody is asked for a password, no key and no configuration of the user's is read, and git runs no
program but its own: so only what can be fetched without all that can be a source.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import msgspec

from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.recipe import checkout, git
from stamplab.lab.recipe.compose import policy
from stamplab.lab.recipe.recipe_files import Reading, read_recipe
from stamplab.lab.world import Stack

_SCHEMES = ("file", "git", "http", "https")
_BY_A_PROGRAM = re.compile(r"[A-Za-z0-9+.-]+::")
_BY_SSH = re.compile(r"(ssh|git\+ssh|ssh\+git)://|[^/]+@[^/]+:")
_NO_REF = re.compile(r"[~^:?*\[\\\s]|@\{|\.\.")
"""What no ref's name holds: with it one would name another commit than the ref's own."""
_SHA = re.compile(r"[0-9a-f]{40}")
_HEAD, _BASE = "stamplab-head", "stamplab-base"
"""Branches of the mirror's copy: both commits are in every clone of it, wherever they came from."""


class RecipeSource(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe's repository and two of its commits, as a person names them."""

    recipe: str
    """URL or path of the mirror, which has the head."""
    base: str
    """A tag, a branch, or a commit's full SHA."""
    head: str
    upstream: str | None = None
    """URL or path of the repository that the tags come from; None: the mirror is that too."""

    @property
    def name(self) -> str:
        """The recipe's name: the repository's. Raises UsageError where that can be none."""
        address = self.recipe if _is_address(self.recipe) else str(Path(self.recipe).resolve())
        parts = [part for part in PurePosixPath(address).parts if part != ".git"]
        name = parts[-1].removesuffix(".git") if parts else ""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*", name):
            raise UsageError(
                f"{self.recipe!r} gives the recipe no name: its repository must be called by "
                "letters, digits, and single . _ or - between them"
            )
        return name


class Acquired(msgspec.Struct, frozen=True, kw_only=True):
    """Copies of a recipe's repositories on this machine, and which commits are meant."""

    name: str
    mirror: Path
    """Bare."""
    upstream: Path
    """Bare; the tags come from there."""
    base: str
    """40 hex digits."""
    head: str
    notes: tuple[str, ...] = ()
    """What the user should know of it, a sentence each."""


# One copy, with both commits pinned (ADR 0021).
def acquire(source: RecipeSource, scratch: Path) -> Acquired:
    """Copy a recipe's repositories into an empty folder, and find base and head.

    Raises UsageError for a source, or a ref, that there is not; LabError where git fails.
    """
    _checked(source.recipe)
    _checked(source.recipe if source.upstream is None else source.upstream)
    name = source.name
    mirror, upstream = scratch / "mirror.git", scratch / "upstream.git"
    notes = [*_copy(source.recipe, mirror)]
    if source.upstream is None:
        upstream = mirror
    else:
        notes += _copy(source.upstream, upstream)
    base = _find(
        source.base, ((upstream, source.upstream or source.recipe), (mirror, source.recipe))
    )
    head = _find(source.head, ((mirror, source.recipe),))
    if base == head:
        raise UsageError(
            f"base {source.base} and head {source.head} are the same commit {base[:12]}: "
            "there is nothing to upgrade"
        )
    _pin(mirror, upstream, {_BASE: base, _HEAD: head})
    return Acquired(
        name=name, mirror=mirror, upstream=upstream, base=base, head=head, notes=tuple(notes)
    )


def read_at(
    acquired: Acquired, commit: str, tree: Path, judge: Callable[[Stack], None] = lambda _: None
) -> Reading:
    """Check a commit out into a new folder, and read the recipe there, if ``judge`` lets it be.

    Raises LabError, RecipeRefused, UsageError.
    """
    checkout.fetch(acquired.mirror, acquired.upstream, tree, commit)
    return read_recipe(tree, acquired.name, judge)


def policy_at_head(acquired: Acquired, service: str, tree: Path) -> PolicyRead:
    """Read the rollout policy that the recipe states for a service at head. Raises as `read_at`."""
    reading = read_at(acquired, acquired.head, tree)
    files = (str(file.relative_to(tree)) for file in reading.stack.compose_files)
    return policy(reading.compose, service, commit=acquired.head, path=":".join(files))


def _is_address(text: str) -> bool:
    return "://" in text or _BY_A_PROGRAM.match(text) is not None


def _copy(place: str, target: Path) -> list[str]:
    """Copy a repository whole; say what of a work tree is not in the copy."""
    address = _checked(place)
    try:
        git.mirror(address, target)
    except LabError as error:
        raise UsageError(f"{error} (is {place!r} a git repository?)") from error
    folder = Path(place)
    if _is_address(place) or not (folder / ".git").exists() or not git.differs(target, folder):
        return []
    return [f"{place} has changes that are not committed: only commits are played"]


def _checked(place: str) -> str:
    """What git may be given. Raises UsageError."""
    if not place.isprintable() or not place or place.startswith("-"):
        raise UsageError(f"{place!r} is no address of a repository")
    if not _is_address(place) and Path(place).is_dir():
        return str(Path(place).absolute())
    if _BY_A_PROGRAM.match(place):
        raise UsageError(f"{place!r} would have git run a program: give a URL or a path")
    if _BY_SSH.match(place):
        raise UsageError(
            f"{place!r} would need a key of yours, and the lab reads none: clone it yourself, and "
            "give the clone's path"
        )
    if not _is_address(place):
        raise UsageError(f"there is no folder {place!r}, so no recipe in it")
    url = urlsplit(place)
    if url.scheme not in _SCHEMES:
        raise UsageError(f"{place!r} is no address for git: {', '.join(_SCHEMES)} are")
    if url.username is not None or url.password is not None:
        raise UsageError(
            "the recipe's URL holds credentials, which would stand in the evidence: clone it "
            "yourself, and give the clone's path"
        )
    return place


def _find(ref: str, places: tuple[tuple[Path, str], ...]) -> str:
    """The commit that a ref names in the first of the repositories that has it."""
    if not ref.isprintable() or not ref or ref.startswith("-") or _NO_REF.search(ref):
        raise UsageError(f"{ref!r} is no tag, branch or commit")
    spellings = [f"refs/tags/{ref}", f"refs/heads/{ref}", *([ref] if _is_whole(ref) else [])]
    for repository, address in places:
        for spelling in spellings:
            found = git.commit_of(repository, spelling)
            if found is not None:
                return found
        if _SHA.fullmatch(ref) and git.fetch_commit(repository, _checked(address), ref):
            return ref
    said = " or ".join(dict.fromkeys(repr(address) for _, address in places))
    raise UsageError(
        f"{said} has no tag, branch or commit {ref!r} (a commit is named by all of its 40 digits)"
    )


def _is_whole(ref: str) -> bool:
    return ref.startswith("refs/") or _SHA.fullmatch(ref) is not None


def _pin(mirror: Path, upstream: Path, branches: dict[str, str]) -> None:
    for branch, commit in branches.items():
        if git.commit_of(mirror, commit) is None:
            git.fetch_commit(mirror, str(upstream), commit)
        git.set_branch(mirror, branch, commit)
