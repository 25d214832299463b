"""Links of an untrusted folder: none may lead to a file of the host."""

from __future__ import annotations

import errno
from pathlib import Path

from stamplab.lab.errors import RecipeRefused

_GIT = ".git"


def escape_target(root: Path, path: Path) -> str | None:
    """Return, as a clause, where a path leads outside the folder ``root``; None if it stays inside.

    Links are followed. Git's own folder counts as outside: it may hold a mirror's credentials.
    """
    try:
        home, real = root.resolve(), path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        return f"leads nowhere ({error})"
    if _is_loop(path):  # which Python 3.13 resolves to itself
        return "leads nowhere (a loop of links)"
    if not real.is_relative_to(home):
        return f"leads to {real}, out of the recipe's folder"
    if _GIT in real.relative_to(home).parts:
        return "leads into git's own folder"
    return None


def _is_loop(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def require_inside(root: Path, path: Path) -> None:
    """Raise RecipeRefused where a path leads out of ``root``."""
    target = escape_target(root, path)
    if target is not None:
        raise RecipeRefused(f"the recipe is refused: {path} {target}")
