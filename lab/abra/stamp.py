"""The stamp: which commit of the recipe a chaos deploy says that it deployed."""

from __future__ import annotations

from pathlib import Path

from lab.recipe import git

SMALL_SHA_DIGITS = 8
DIRTY_MARK = "+U"


def chaos_version(checkout: Path) -> str:
    """Small SHA of the checkout's HEAD, with ``+U`` when its work tree is dirty.

    Source: abra@06a57de pkg/recipe/git.go:300-318 (ChaosVersion) and :483-495 (Head). Raises
    LabError.
    """
    repo = git.open_at(checkout)
    with git.told(f"the HEAD of {checkout} cannot be read"):
        sha = repo.head.commit.hexsha
        is_dirty = repo.is_dirty(untracked_files=True)
    return sha[:SMALL_SHA_DIGITS] + (DIRTY_MARK if is_dirty else "")


def is_clean(checkout: Path) -> bool:
    """Whether the checkout has no changes, untracked files included. Raises LabError."""
    repo = git.open_at(checkout)
    with git.told(f"the changes of {checkout} cannot be read"):
        return not repo.is_dirty(untracked_files=True)


def stack_name(domain: str) -> str:
    """The stack of an app.

    Its domain with underscores, cut at 45 characters (unverified for abra).
    """
    return domain.replace(".", "_")[:45]


def label(stack: str, name: str) -> str:
    """The full name of one of abra's service labels."""
    return f"coop-cloud.{stack}.{name}"
