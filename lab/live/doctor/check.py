"""What a check of this machine says, and how a check that fails is kept from hiding the others."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec


class State(StrEnum):
    """How it stands with one of the things that a live lab needs."""

    OK = "ok"
    NOTE = "note"
    """Live labs run, and this changes what a run means or leaves behind."""
    LACK = "lack"
    """Live labs are impossible until this is mended."""
    UNKNOWN = "unknown"
    """The check itself failed: nothing is known."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at on this machine."""

    name: str
    state: State
    found: str
    """One clause with the facts: versions, paths, sizes."""
    means: str = ""
    """One sentence: what it means for the lab, and what to do about it."""


def ok(name: str, found: str, means: str = "") -> Check:
    """All that a lab needs is there."""
    return Check(name=name, state=State.OK, found=found, means=means)


def note(name: str, found: str, means: str) -> Check:
    """A lab runs, but whoever reads its verdict should know this."""
    return Check(name=name, state=State.NOTE, found=found, means=means)


def lack(name: str, found: str, means: str) -> Check:
    """No lab can run."""
    return Check(name=name, state=State.LACK, found=found, means=means)


def guarded(name: str, ask: Callable[[], Check]) -> Check:
    """Ask, and turn a crash of the check into an answer of its own."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks must be heard
        return Check(
            name=name,
            state=State.UNKNOWN,
            found=f"{type(error).__name__}: {error}",
            means="The check itself failed, so nothing is known of this; the others still hold.",
        )


def size(size_bytes: int) -> str:
    """Say a size as a person would, in powers of ten: ``79.3 GB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} bytes"


def sentence(error: Exception) -> str:
    """Make an error's text, which begins small and has no full stop, a sentence."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
