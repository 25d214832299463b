"""The stamp: which commit of the recipe a chaos deploy says that it deployed."""

from __future__ import annotations

from pathlib import Path

from lab.abra import gogit

SMALL_SHA_DIGITS = 8
DIRTY_MARK = "+U"


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


def stack_name(domain: str) -> str:
    """The stack of an app.

    Its domain with underscores, cut at 45 characters (unverified for abra).
    """
    return domain.replace(".", "_")[:45]


def label(stack: str, name: str) -> str:
    """The full name of one of abra's service labels."""
    return f"coop-cloud.{stack}.{name}"
