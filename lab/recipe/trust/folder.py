"""The folder that a stack's file references must stay in."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from stamplab.lab.recipe.containment import escape_target


class RecipeFolder:
    """A recipe's folder: relative references begin in ``base`` and may not leave ``root``."""

    def __init__(self, root: Path, base: Path) -> None:
        self._root = root
        self._base = base

    def objection(self, reference: str) -> str | None:
        """Return, as a clause, why a reference leaves the recipe's folder; None if it does not."""
        if reference.startswith(("/", "~", "\\")):
            return "is an absolute path"
        if ".." in PurePosixPath(reference.replace("\\", "/")).parts:
            return "goes up by .."
        return escape_target(self._root, self._base / reference)
