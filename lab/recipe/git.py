"""Git by GitPython, without the user's and the system's configuration.

GitPython takes a third of a short command's time to import, so that is done where it is needed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

# Without this GitPython cannot be imported where there is no git; `require_git` reports that later.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from stamplab.lab.support import programs

if programs.has_tools_folders():
    # GitPython reads this at its import. Without a git in the tools' folders none is run at all.
    os.environ["GIT_PYTHON_GIT_EXECUTABLE"] = str(programs.find("git") or "")

from stamplab.lab.errors import LabError, NotPossibleHere

if TYPE_CHECKING:
    from git import Git, Repo

_DUBIOUS = re.compile(r"dubious ownership in repository at '([^']*)'")

_AUTHOR, _AUTHOR_EMAIL = "stamplab", "stamplab@example.invalid"

ISOLATED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # Git reads $XDG_CONFIG_HOME/git/ignore and attributes whatever its configuration says.
    "XDG_CONFIG_HOME": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TEMPLATE_DIR": "",
    "GIT_DEFAULT_HASH": "sha1",
    # No password is asked for, and none is read: curl would look into $HOME/.netrc.
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "HOME": os.devnull,
    # Protocols by which git runs another program (ext, ssh) are not allowed.
    "GIT_ALLOW_PROTOCOL": "file:git:http:https",
    # These outrank a repository's own configuration, which could make git run a program.
    "GIT_CONFIG_COUNT": "4",
    "GIT_CONFIG_KEY_0": "core.hooksPath",
    "GIT_CONFIG_VALUE_0": os.devnull,
    "GIT_CONFIG_KEY_1": "core.fsmonitor",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "submodule.recurse",
    "GIT_CONFIG_VALUE_2": "false",
    # A repository of ours is small and soon gone: each commit and fetch would start one more git.
    "GIT_CONFIG_KEY_3": "maintenance.auto",
    "GIT_CONFIG_VALUE_3": "false",
    "GIT_AUTHOR_NAME": _AUTHOR,
    "GIT_AUTHOR_EMAIL": _AUTHOR_EMAIL,
    "GIT_COMMITTER_NAME": _AUTHOR,
    "GIT_COMMITTER_EMAIL": _AUTHOR_EMAIL,
    "LC_ALL": "C",
}
"""The environment of every git command: the same commits come out on every machine."""


def require_git() -> Path:
    """Return the path of git. Raises NotPossibleHere where there is none."""
    program = programs.find("git")
    if program is None:
        raise NotPossibleHere(
            f"git is not {programs.places_text()}: recipes are git repositories; install git"
        )
    return program


def create(path: Path) -> Repo:
    """Make an empty repository. Raises LabError."""
    with errors_as(f"the repository {path} cannot be made"):
        path.mkdir(parents=True, exist_ok=True)
        _git_in(path).init("--quiet", "--initial-branch", "main")
    return open_at(path)


def open_at(path: Path) -> Repo:
    """Open a work tree. Raises LabError where there is none."""
    from git import Repo

    _drop_inherited_variables()
    with errors_as(f"{path} is no git work tree"):
        repo = Repo(path)
        repo.git.update_environment(**ISOLATED)
        return repo


def head_of(repo: Repo) -> str:
    """Return the SHA of HEAD, without asking a git. Raises ValueError where it has none."""
    from git.refs import SymbolicReference

    return SymbolicReference.dereference_recursive(repo, "HEAD")


def clone(source: Path, target: Path) -> Repo:
    """Clone a repository. Raises LabError."""
    from git import Repo

    _drop_inherited_variables()
    with errors_as(f"{source} cannot be cloned"):
        repo = Repo.clone_from(str(source), target, env=ISOLATED)
        repo.git.update_environment(**ISOLATED)
        return repo


def mirror(address: str, target: Path) -> None:
    """Copy a repository with all of its refs into a bare one. Raises LabError."""
    from git import Repo

    _drop_inherited_variables()
    with errors_as(f"{address} cannot be cloned"):
        # no_local: git's own transport even from a folder, whose files are not linked or copied.
        Repo.clone_from(address, target, env=ISOLATED, mirror=True, no_local=True, quiet=True)


def find_commit(path: Path, revision: str) -> str | None:
    """Return the commit that a revision of a bare repository names, or None."""
    from git import GitCommandError

    commit = f"{revision}^{{commit}}"
    try:
        return str(_git_in(path).rev_parse("--verify", "--quiet", "--end-of-options", commit))
    except GitCommandError:
        return None


def fetch_commit(path: Path, address: str, commit: str) -> bool:
    """Fetch one commit that no ref names into a bare repository; tell whether it exists."""
    from git import GitCommandError

    try:
        _git_in(path).fetch("--quiet", "--no-tags", "--", address, commit)
    except GitCommandError:
        return False
    return find_commit(path, commit) is not None


def set_branch(path: Path, branch: str, commit: str) -> None:
    """Set a branch of a bare repository. Raises LabError."""
    with errors_as(f"the branch {branch} of {path} cannot be set"):
        _git_in(path).update_ref(f"refs/heads/{branch}", commit)


def has_uncommitted_changes(path: Path, work_tree: Path) -> bool:
    """Tell whether a work tree differs from the HEAD of a bare repository.

    The work tree's own repository is not opened: its configuration may name filter programs.
    """
    from git import GitCommandError

    index = path / "i"
    command = _git_in(
        path, GIT_DIR=str(path), GIT_WORK_TREE=str(work_tree.absolute()), GIT_INDEX_FILE=str(index)
    )
    try:
        command.read_tree("HEAD")
        changes = str(command.status("--porcelain", "--ignore-submodules=all"))
    except GitCommandError:  # an unborn HEAD: there is no commit to differ from
        return False
    index.unlink(missing_ok=True)
    return changes != ""


def _git_in(folder: Path, **environment: str) -> Git:
    from git import Git

    _drop_inherited_variables()
    git = Git(folder)
    git.update_environment(**ISOLATED, **environment)
    return git


def describe(path: Path) -> str | None:
    """Return a work tree's commit, with ``+`` when it has changes; None where there is none."""
    from git import Repo
    from git.exc import GitError

    try:
        _drop_inherited_variables()
        with Repo(path, search_parent_directories=True) as repo:
            return head_of(repo) + ("+" if repo.is_dirty() else "")
    except (NotPossibleHere, GitError, OSError, ValueError):
        return None


def settings_in(file: Path) -> tuple[tuple[str, str], ...]:
    """Return one configuration file's keys and values, without those of included files.

    Raises git's own errors: see `errors_as`.
    """
    options = ("--no-includes", "--null", "--list", "--file", str(file))
    # GIT_DIR keeps git from opening the repository around the file, which may be broken.
    output = plumbing(file.parent, {"GIT_DIR": os.devnull}, "config", *options)
    pairs = (entry.partition("\n") for entry in os.fsdecode(output).split("\0")[:-1])
    return tuple((key, value) for key, _, value in pairs)


def plumbing(folder: Path, environment: Mapping[str, str], *arguments: str) -> bytes:
    """Run a git command; return the bytes it prints. Raises git's own errors: see `errors_as`."""
    command, *rest = arguments
    as_bytes = {"stdout_as_string": False, "strip_newline_in_stdout": False}
    output: object = getattr(_git_in(folder, **environment), command)(*rest, **as_bytes)
    if not isinstance(output, bytes):
        raise TypeError(f"GitPython returned {type(output).__name__} instead of bytes")
    return output


def _drop_inherited_variables() -> None:
    """Drop the variables that a calling git exported, as to its hooks.

    GIT_DIR would outrank every path given here. Raises NotPossibleHere where there is no git.
    """
    require_git()
    needed = ("GIT_PYTHON_", "GIT_EXEC_PATH")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        if not name.startswith(needed):
            del os.environ[name]


@contextmanager
def errors_as(failure: str) -> Iterator[None]:
    """Turn git's errors into a LabError, one sentence that begins with ``failure``."""
    from git.exc import GitCommandError, GitError

    try:
        yield
    except GitCommandError as error:
        stderr = str(error.stderr or "").strip().removeprefix("stderr: ").strip("'\n ")
        reason = summarize_stderr(stderr) or error.status
        raise LabError(f"{failure}: git said: {reason}") from error
    except (GitError, OSError, ValueError) as error:
        raise LabError(f"{failure}: {type(error).__name__}: {error}") from error


def summarize_stderr(stderr: str) -> str:
    """Join git's error messages into one line; replace its long advice about ownership."""
    match = _DUBIOUS.search(stderr)
    if match:
        return (
            f"dubious ownership: {match[1]} belongs to another user, whose settings git will not "
            "follow; copy it, or give it to the user who runs this (chown -R)"
        )
    return "; ".join(line.strip() for line in stderr.splitlines() if line.strip())
