"""Where somebody else's recipe comes from, and working copies of its repositories.

Only repositories that git can fetch without a password, a key, the user's configuration or another
program can be a source.
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
from stamplab.lab.recipe.compose import policy_of
from stamplab.lab.recipe.recipe_files import RecipeContents, read_recipe
from stamplab.lab.world import Stack

_SCHEMES = ("file", "git", "http", "https")
_REMOTE_HELPER = re.compile(r"[A-Za-z0-9+.-]+::")
_SSH_ADDRESS = re.compile(r"(ssh|git\+ssh|ssh\+git)://|[^/]+@[^/]+:")
_FORBIDDEN_IN_REFS = re.compile(r"[~^:?*\[\\\s]|@\{|\.\.")
"""No ref's name contains these: they would name another commit than the ref's own."""
_SHA = re.compile(r"[0-9a-f]{40}")
_HEAD, _BASE = "stamplab-head", "stamplab-base"
"""Branches of the mirror's copy, so that both commits are in every clone of it."""


class RecipeSource(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe's repository and two of its commits, as a person names them."""

    recipe: str
    """URL or path of the mirror, which has the head."""
    base: str
    """A tag, a branch, or a commit's full SHA."""
    head: str
    upstream: str | None = None
    """URL or path of the repository that the tags come from; None for the mirror."""

    @property
    def name(self) -> str:
        """The repository's name. Raises UsageError where no recipe can have that name."""
        address = self.recipe if _is_address(self.recipe) else str(Path(self.recipe).resolve())
        parts = [part for part in PurePosixPath(address).parts if part != ".git"]
        name = parts[-1].removesuffix(".git") if parts else ""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*", name):
            raise UsageError(
                f"{self.recipe!r} gives the recipe no name: its repository must be called by "
                "letters, digits, and single . _ or - between them"
            )
        return name


class AcquiredRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """Copies of a recipe's repositories on this machine, and two of their commits."""

    name: str
    mirror: Path
    """A bare repository."""
    upstream: Path
    """The bare repository that the tags come from; may be the mirror."""
    base: str
    """40 hex digits."""
    head: str
    """40 hex digits."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""


# One copy, with both commits pinned (ADR 0021).
def acquire(source: RecipeSource, scratch: Path) -> AcquiredRecipe:
    """Copy a recipe's repositories into an empty folder, and find base and head.

    Raises UsageError for a repository or ref that does not exist; LabError where git fails.
    """
    _require_address(source.recipe)
    _require_address(source.recipe if source.upstream is None else source.upstream)
    name = source.name
    mirror, upstream = scratch / "mirror.git", scratch / "upstream.git"
    notes = [*_mirror(source.recipe, mirror)]
    if source.upstream is None:
        upstream = mirror
    else:
        notes += _mirror(source.upstream, upstream)
    base = _find_ref(
        source.base, ((upstream, source.upstream or source.recipe), (mirror, source.recipe))
    )
    head = _find_ref(source.head, ((mirror, source.recipe),))
    if base == head:
        raise UsageError(
            f"base {source.base} and head {source.head} are the same commit {base[:12]}: "
            "there is nothing to upgrade"
        )
    _set_branches(mirror, upstream, {_BASE: base, _HEAD: head})
    return AcquiredRecipe(
        name=name, mirror=mirror, upstream=upstream, base=base, head=head, notes=tuple(notes)
    )


def read_at_commit(
    acquired: AcquiredRecipe,
    commit: str,
    tree: Path,
    judge: Callable[[Stack], None] = lambda _: None,
) -> RecipeContents:
    """Check a commit out into a new folder and read the recipe; arguments as of `read_recipe`.

    Raises LabError, RecipeRefused, UsageError.
    """
    checkout.fetch(acquired.mirror, acquired.upstream, tree, commit)
    return read_recipe(tree, acquired.name, judge)


def policy_at_head(acquired: AcquiredRecipe, service: str, tree: Path) -> PolicyRead:
    """Read a service's rollout policy at head. Raises as `read_recipe` does."""
    contents = read_at_commit(acquired, acquired.head, tree)
    files = (str(file.relative_to(tree)) for file in contents.stack.compose_files)
    return policy_of(contents.compose, service, commit=acquired.head, path=":".join(files))


def _is_address(text: str) -> bool:
    return "://" in text or _REMOTE_HELPER.match(text) is not None


def _mirror(source: str, target: Path) -> list[str]:
    """Copy a whole repository; return notes about uncommitted changes, which are not copied."""
    address = _require_address(source)
    try:
        git.mirror(address, target)
    except LabError as error:
        raise UsageError(f"{error} (is {source!r} a git repository?)") from error
    folder = Path(source)
    is_work_tree = not _is_address(source) and (folder / ".git").exists()
    if not is_work_tree or not git.has_uncommitted_changes(target, folder):
        return []
    return [f"{source} has changes that are not committed: only commits are played"]


def _require_address(source: str) -> str:
    """Return a repository's URL or absolute path, fit for git. Raises UsageError."""
    if not source.isprintable() or not source or source.startswith("-"):
        raise UsageError(f"{source!r} is no address of a repository")
    if not _is_address(source) and Path(source).is_dir():
        return str(Path(source).absolute())
    if _REMOTE_HELPER.match(source):
        raise UsageError(f"{source!r} would have git run a program: give a URL or a path")
    if _SSH_ADDRESS.match(source):
        raise UsageError(
            f"{source!r} would need a key of yours, and the lab reads none: clone it yourself, and "
            "give the clone's path"
        )
    if not _is_address(source):
        raise UsageError(f"there is no folder {source!r}, so no recipe in it")
    url = urlsplit(source)
    if url.scheme not in _SCHEMES:
        raise UsageError(f"{source!r} is no address for git: use one of {', '.join(_SCHEMES)}")
    if url.username is not None or url.password is not None:
        raise UsageError(
            "the recipe's URL holds credentials, which would stand in the evidence: clone it "
            "yourself, and give the clone's path"
        )
    return source


def _find_ref(ref: str, repositories: tuple[tuple[Path, str], ...]) -> str:
    """Return the commit that a ref names in the first repository that has the ref.

    Each repository is a copy and the address that it was copied from. Raises UsageError.
    """
    if not ref.isprintable() or not ref or ref.startswith("-") or _FORBIDDEN_IN_REFS.search(ref):
        raise UsageError(f"{ref!r} is no tag, branch or commit")
    spellings = [f"refs/tags/{ref}", f"refs/heads/{ref}", *([ref] if _is_full_name(ref) else [])]
    for repository, address in repositories:
        for spelling in spellings:
            commit = git.find_commit(repository, spelling)
            if commit is not None:
                return commit
        if _SHA.fullmatch(ref) and git.fetch_commit(repository, _require_address(address), ref):
            return ref
    addresses = " or ".join(dict.fromkeys(repr(address) for _, address in repositories))
    raise UsageError(
        f"{addresses} has no tag, branch or commit {ref!r} (a commit is named by all of its 40 "
        "digits)"
    )


def _is_full_name(ref: str) -> bool:
    return ref.startswith("refs/") or _SHA.fullmatch(ref) is not None


def _set_branches(mirror: Path, upstream: Path, branches: dict[str, str]) -> None:
    for branch, commit in branches.items():
        if git.find_commit(mirror, commit) is None:
            git.fetch_commit(mirror, str(upstream), commit)
        git.set_branch(mirror, branch, commit)
