"""The stamp: which commit of the recipe a chaos deploy says that it deployed."""

from __future__ import annotations

from pathlib import Path

from stamplab.lab.abra import go_git
from stamplab.lab.abra.label_names import DIRTY_MARK, SMALL_SHA_DIGITS


def chaos_version(checkout: Path) -> str:
    """Return the stamp of a checkout, as the chosen go-git reads it. Raises as `go_git.read`."""
    return stamp_of(go_git.read(checkout))


def stamp_of(reading: go_git.Reading) -> str:
    """Return the small SHA of HEAD, with ``+U`` when the work tree is dirty *for go-git*.

    Source: abra@06a57de pkg/recipe/git.go:300-318 (ChaosVersion) and :483-495 (Head).
    """
    return reading.head[:SMALL_SHA_DIGITS] + ("" if reading.is_clean else DIRTY_MARK)


def is_clean(checkout: Path) -> bool:
    """Whether the work tree has no change for go-git; git may say otherwise (docs/abra.md)."""
    return go_git.read(checkout).is_clean
