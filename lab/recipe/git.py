"""Git, by GitPython, deaf to the user's and the system's configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Without this GitPython refuses to be imported where there is no git; we say so ourselves, later.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from stamplab.lab.support import programs

if programs.are_given():
    # It is read then, too. Without a git there nothing is run at all: see `_prepare`.
    os.environ["GIT_PYTHON_GIT_EXECUTABLE"] = str(programs.find("git") or "")

from git import Actor, Git, GitCommandError, Repo
from git.exc import GitError

from stamplab.lab.errors import LabError, NotPossibleHere

_DUBIOUS = re.compile(r"dubious ownership in repository at '([^']*)'")

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
    # Nobody is asked for a password, and none is found: $HOME/.netrc is where curl would look.
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "HOME": os.devnull,
    # Whatever has git run another program to reach a repository (ext, ssh) is no protocol here.
    "GIT_ALLOW_PROTOCOL": "file:git:http:https",
    # Whoever prepared a repository has no program run: these outrank its own configuration.
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "core.hooksPath",
    "GIT_CONFIG_VALUE_0": os.devnull,
    "GIT_CONFIG_KEY_1": "core.fsmonitor",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "submodule.recurse",
    "GIT_CONFIG_VALUE_2": "false",
    "GIT_AUTHOR_NAME": AUTHOR.name or "",
    "GIT_AUTHOR_EMAIL": AUTHOR.email or "",
    "GIT_COMMITTER_NAME": AUTHOR.name or "",
    "GIT_COMMITTER_EMAIL": AUTHOR.email or "",
    "LC_ALL": "C",
}
"""The environment of every git command: the same commits come out on every machine."""


def require_git() -> Path:
    """The git program. Raises NotPossibleHere where there is none."""
    program = programs.find("git")
    if program is None:
        raise NotPossibleHere(
            f"git is not {programs.places()}: recipes are git repositories; install git"
        )
    return program


def create(path: Path) -> Repo:
    """Make an empty repository. Raises LabError."""
    _prepare()
    with told(f"the repository {path} cannot be made"):
        path.mkdir(parents=True, exist_ok=True)
        git = Git(path)
        git.update_environment(**ISOLATED)
        git.init("--quiet", "--initial-branch", "main")
    return open_at(path)


def open_at(path: Path) -> Repo:
    """Open a work tree. Raises LabError where there is none."""
    _prepare()
    with told(f"{path} is no git work tree"):
        repo = Repo(path)
        repo.git.update_environment(**ISOLATED)
        return repo


def clone(source: Path, target: Path) -> Repo:
    """Clone a repository. Raises LabError."""
    _prepare()
    with told(f"{source} cannot be cloned"):
        repo = Repo.clone_from(str(source), target, env=ISOLATED)
        repo.git.update_environment(**ISOLATED)
        return repo


def mirror(address: str, target: Path) -> None:
    """Copy a repository with all of its refs into a bare one. Raises LabError.

    Over git's own transport even from a folder: nothing of that folder is linked or copied as it
    lies there.
    """
    _prepare()
    with told(f"{address} cannot be cloned"):
        Repo.clone_from(address, target, env=ISOLATED, mirror=True, no_local=True, quiet=True)


def commit_of(path: Path, revision: str) -> str | None:
    """The commit that a revision of a bare repository names, or None."""
    wanted = f"{revision}^{{commit}}"
    try:
        return str(_in_bare(path).rev_parse("--verify", "--quiet", "--end-of-options", wanted))
    except GitCommandError:
        return None


def fetch_commit(path: Path, address: str, commit: str) -> bool:
    """Fetch one commit that is on no ref into a bare repository; whether it was there."""
    try:
        _in_bare(path).fetch("--quiet", "--no-tags", "--", address, commit)
    except GitCommandError:
        return False
    return commit_of(path, commit) is not None


def set_branch(path: Path, branch: str, commit: str) -> None:
    """Set a branch of a bare repository. Raises LabError."""
    with told(f"the branch {branch} of {path} cannot be set"):
        _in_bare(path).update_ref(f"refs/heads/{branch}", commit)


def differs(path: Path, work_tree: Path) -> bool:
    """Whether a work tree is not as the HEAD of a bare repository.

    It is looked at through our own repository and an index that goes with it: the configuration of
    the work tree's own, whose filters are programs, is not read.
    """
    command = _in_bare(path)
    command.update_environment(
        GIT_DIR=str(path), GIT_WORK_TREE=str(work_tree.absolute()), GIT_INDEX_FILE=str(path / "i")
    )
    try:
        command.read_tree("HEAD")
        said = str(command.status("--porcelain", "--ignore-submodules=all"))
    except GitCommandError:  # an unborn HEAD: nothing is committed that it could differ from
        return False
    (path / "i").unlink(missing_ok=True)
    return said != ""


def _in_bare(path: Path) -> Git:
    _prepare()
    git = Git(path)
    git.update_environment(**ISOLATED)
    return git


def describe(path: Path) -> str | None:
    """Say which commit a work tree is at, ``+`` when it was changed since.

    None where there is none.
    """
    try:
        _prepare()
        with Repo(path, search_parent_directories=True) as repo:
            return repo.head.commit.hexsha + ("+" if repo.is_dirty() else "")
    except (NotPossibleHere, GitError, OSError, ValueError):
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
    _prepare()
    git = Git(folder)
    git.update_environment(**ISOLATED, **environment)
    command, *rest = arguments
    exactly = {"stdout_as_string": False, "strip_newline_in_stdout": False}
    said: object = getattr(git, command)(*rest, **exactly)
    if not isinstance(said, bytes):
        raise TypeError(f"GitPython answered with {type(said).__name__} where bytes were asked for")
    return said


def _prepare() -> None:
    """Drop what another git exported to us, as to its hooks: GIT_DIR outranks any path of ours.

    Raises NotPossibleHere where there is no git.
    """
    require_git()
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
        said = one_line(str(error.stderr or "").strip().removeprefix("stderr: ").strip("'\n "))
        raise LabError(f"{failure}: git said: {said or error.status}") from error
    except (GitError, OSError, ValueError) as error:
        raise LabError(f"{failure}: {type(error).__name__}: {error}") from error


def one_line(said: str) -> str:
    """What git said, as one sentence; its advice of several lines put in our own words."""
    found = _DUBIOUS.search(said)
    if found:
        return (
            f"dubious ownership: {found[1]} belongs to another user, whose settings git will not "
            "follow; copy it, or give it to the user who runs this (chown -R)"
        )
    return "; ".join(line.strip() for line in said.splitlines() if line.strip())
