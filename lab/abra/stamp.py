"""The stamp: which commit of the recipe a chaos deploy says that it deployed."""

from __future__ import annotations

from pathlib import Path

from stamplab.lab.abra import gogit
from stamplab.lab.abra.label_names import DIRTY_MARK, SMALL_SHA_DIGITS, label, stack_name

__all__ = [
    "DIRTY_MARK",
    "SMALL_SHA_DIGITS",
    "chaos_version",
    "is_clean",
    "label",
    "stack_name",
]


def chaos_version(checkout: Path, home: Path | None = None) -> str:
    """Small SHA of the checkout's HEAD, with ``+U`` when its work tree is dirty *for go-git*.

    Source: abra@06a57de pkg/recipe/git.go:300-318 (ChaosVersion) and :483-495 (Head). For ``home``
    see `is_clean`. Raises LabError.
    """
    reading = gogit.read(checkout, home)
    return reading.head[:SMALL_SHA_DIGITS] + ("" if reading.is_clean else DIRTY_MARK)


def is_clean(checkout: Path, home: Path | None = None) -> bool:
    """Whether the work tree has no change for go-git; git may say otherwise (docs/abra.md).

    ``home`` is the HOME that abra would have: its global excludes count (unverified). The lab runs
    abra with a HOME of its own, where there are none. Raises LabError.
    """
    return gogit.read(checkout, home).is_clean
