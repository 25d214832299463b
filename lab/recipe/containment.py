"""Files of an untrusted folder: no link in it may lead us to a file of the host."""

from __future__ import annotations

import errno
from pathlib import Path

from stamplab.lab.errors import RecipeRefused

_GIT = ".git"


def way_out(root: Path, path: Path) -> str | None:
    """Say where a path really leads, links followed, if that is not a file of the folder ``root``.

    None where it is. What git keeps in the folder is not the recipe's: it may hold a mirror's
    credentials.
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
    out = way_out(root, path)
    if out is not None:
        raise RecipeRefused(f"the recipe is refused: {path} {out}")
