"""Where the file references of a stack begin, and which of them stay within the recipe."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from stamplab.lab.recipe.containment import way_out


class Folder:
    """A recipe's folder: relative references begin in ``base`` and may not leave ``root``."""

    def __init__(self, root: Path, base: Path) -> None:
        self._root = root
        self._base = base

    def objection(self, reference: str) -> str | None:
        """Say, as a clause, why a reference is not to a file of the recipe; None where it is."""
        if reference.startswith(("/", "~", "\\")):
            return "is an absolute path"
        if ".." in PurePosixPath(reference.replace("\\", "/")).parts:
            return "goes up by .."
        return way_out(self._root, self._base / reference)
