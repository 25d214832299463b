"""Reading and writing the kernel's control files, and removing groups; errors name the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lab.errors import LabError


def read(path: Path) -> str:
    """Return a control file's text, stripped. Raises LabError."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}") from error


def write(path: Path, value: str) -> None:
    """Write a control file. Raises LabError with the kernel's reason."""
    try:
        path.write_text(value)
    except OSError as error:
        raise LabError(f"{value!r} cannot be written to {path}: {error.strerror}") from error


def children(group: Path) -> list[Path]:
    """List what is in a group: its control files, and the groups below. Raises LabError."""
    try:
        return list(group.iterdir())
    except OSError as error:
        raise LabError(f"{group} cannot be read: {error.strerror}") from error


def make_group(path: Path) -> None:
    """Create one group. Raises LabError, also when it exists: it would be somebody else's."""
    try:
        path.mkdir()
    except OSError as error:
        raise LabError(f"the control group {path} cannot be made: {error.strerror}") from error


def remove_tree(root: Path) -> None:
    """Remove a group and all below it, innermost first; one that is gone already is fine.

    Raises LabError when a group is still in use.
    """
    for group in _innermost_first(root):
        try:
            group.rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise LabError(
                f"the control group {group} cannot be removed ({error.strerror}): "
                "a process of the lab is probably still in it"
            ) from error


def _innermost_first(root: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(root, topdown=False):
        yield Path(folder)
