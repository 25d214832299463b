"""Git, by GitPython, deaf to the user's and the system's configuration."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Without this GitPython refuses to be imported where there is no git; we say so ourselves, later.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git import Actor, Git, GitCommandError, Repo
from git.exc import GitError

from lab.errors import LabError, NotPossibleHere

AUTHOR = Actor("stamplab", "stamplab@example.invalid")

ISOLATED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # Git reads $XDG_CONFIG_HOME/git/ignore and attributes whatever its configuration says.
    "XDG_CONFIG_HOME": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TEMPLATE_DIR": "",
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_TERMINAL_PROMPT": "0",
    # Whoever prepared a repository has no program run: these outrank its own configuration.
    "GIT_CONFIG_COUNT": "4",
    "GIT_CONFIG_KEY_0": "core.hooksPath",
    "GIT_CONFIG_VALUE_0": os.devnull,
    "GIT_CONFIG_KEY_1": "core.fsmonitor",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "submodule.recurse",
    "GIT_CONFIG_VALUE_2": "false",
    "GIT_CONFIG_KEY_3": "protocol.ext.allow",
    "GIT_CONFIG_VALUE_3": "never",
    "GIT_AUTHOR_NAME": AUTHOR.name or "",
    "GIT_AUTHOR_EMAIL": AUTHOR.email or "",
    "GIT_COMMITTER_NAME": AUTHOR.name or "",
    "GIT_COMMITTER_EMAIL": AUTHOR.email or "",
    "LC_ALL": "C",
}
"""The environment of every git command: the same commits come out on every machine."""


def require_git() -> None:
    """Raise NotPossibleHere where there is no git program."""
    if shutil.which("git") is None:
        raise NotPossibleHere("git is not on PATH: recipes are git repositories; install git")


def create(path: Path) -> Repo:
    """Make an empty repository. Raises LabError."""
    _forget_callers()
    with told(f"the repository {path} cannot be made"):
        path.mkdir(parents=True, exist_ok=True)
        git = Git(path)
        git.update_environment(**ISOLATED)
        git.init("--quiet", "--initial-branch", "main")
    return open_at(path)


def open_at(path: Path) -> Repo:
    """Open a work tree. Raises LabError where there is none."""
    _forget_callers()
    with told(f"{path} is no git work tree"):
        repo = Repo(path)
        repo.git.update_environment(**ISOLATED)
        return repo


def clone(source: Path, target: Path) -> Repo:
    """Clone a repository. Raises LabError."""
    _forget_callers()
    with told(f"{source} cannot be cloned"):
        repo = Repo.clone_from(str(source), target, env=ISOLATED)
        repo.git.update_environment(**ISOLATED)
        return repo


def describe(path: Path) -> str | None:
    """Say which commit a work tree is at, ``+`` when it was changed since.

    None where there is none.
    """
    _forget_callers()
    try:
        repo = Repo(path, search_parent_directories=True)
        return repo.head.commit.hexsha + ("+" if repo.is_dirty() else "")
    except (GitError, OSError, ValueError):
        return None


def settings_in(file: Path) -> tuple[tuple[str, str], ...]:
    """The keys and values of one configuration file, without what it includes.

    Raises git's own errors: see `told`.
    """
    options = ("--no-includes", "--null", "--list", "--file", str(file))
    # A repository that the file belongs to is not opened: it may be broken.
    found = plumbing(file.parent, {"GIT_DIR": os.devnull}, "config", *options)
    pairs = (entry.partition("\n") for entry in os.fsdecode(found).split("\0")[:-1])
    return tuple((key, value) for key, _, value in pairs)


def plumbing(folder: Path, environment: Mapping[str, str], *arguments: str) -> bytes:
    """What a command prints, byte by byte. Raises git's own errors: see `told`."""
    _forget_callers()
    git = Git(folder)
    git.update_environment(**ISOLATED, **environment)
    said = git.execute(["git", *arguments], stdout_as_string=False, strip_newline_in_stdout=False)
    if not isinstance(said, bytes):
        raise TypeError(f"GitPython answered with {type(said).__name__} where bytes were asked for")
    return said


def _forget_callers() -> None:
    """Drop what another git exported to us, as to its hooks: GIT_DIR outranks any path of ours."""
    kept = ("GIT_PYTHON_", "GIT_EXEC_PATH")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        if not name.startswith(kept):
            del os.environ[name]


@contextmanager
def told(failure: str) -> Iterator[None]:
    """Turn git's errors into one sentence that begins with ``failure``."""
    try:
        yield
    except GitCommandError as error:
        said = str(error.stderr or "").strip().removeprefix("stderr: ").strip("'\n ")
        raise LabError(f"{failure}: git said: {said or error.status}") from error
    except (GitError, OSError, ValueError) as error:
        raise LabError(f"{failure}: {type(error).__name__}: {error}") from error
