"""A recipe's commits as a value, and the git repository built from them.

The same value gives the same SHAs on every machine.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from stamplab.lab.recipe import git
from stamplab.lab.recipe.containment import require_inside

_FIRST_DATE_UNIX_S = 1_780_272_000  # 2026-06-01 00:00:00 UTC
_BETWEEN_COMMITS_S = 3_600


class RecipeCommit(msgspec.Struct, frozen=True, kw_only=True):
    """A commit: the files it writes (text by path), and its tag."""

    message: str
    files: dict[str, str]
    tag: str | None = None


class RecipeHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe's repository as a value."""

    name: str
    commits: tuple[RecipeCommit, ...]


def build_repository(history: RecipeHistory, path: Path) -> tuple[str, ...]:
    """Build the repository at ``path``; return the commits' SHAs, oldest first.

    Raises LabError.
    """
    repo = git.create(path)
    shas: list[str] = []
    for number, commit in enumerate(history.commits):
        for name, text in commit.files.items():
            file = path / name
            require_inside(path, file)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        date = f"{_FIRST_DATE_UNIX_S + number * _BETWEEN_COMMITS_S} +0000"
        with git.errors_as(f"commit {commit.message!r} cannot be made"):
            dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
            with repo.git.custom_environment(**dates):
                repo.git.add("--all")
                repo.git.commit("--quiet", "--message", commit.message)
                if commit.tag:
                    repo.git.tag("--annotate", "--message", commit.tag, commit.tag)
        shas.append(git.head_of(repo))
    return tuple(shas)
