"""The result of one check of this machine; a check that crashes hides no other."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec


class CheckState(StrEnum):
    """How it stands with one thing that a live lab needs."""

    OK = "ok"
    NOTE = "note"
    """Live labs run, but what was found changes what a run means or leaves behind."""
    LACK = "lack"
    """Live labs are impossible until the lack is mended."""
    UNKNOWN = "unknown"
    """The check itself failed: nothing is known."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check of this machine, with what it found."""

    name: str
    state: CheckState
    facts: str = msgspec.field(name="found")
    """One clause with the facts: versions, paths, sizes."""
    means: str = ""
    """One sentence: what it means for the lab, and what to do about it."""


def ok(name: str, facts: str, means: str = "") -> Check:
    """Return that all that a lab needs is there."""
    return Check(name=name, state=CheckState.OK, facts=facts, means=means)


def note(name: str, facts: str, means: str) -> Check:
    """Return what whoever reads a lab's verdict should know."""
    return Check(name=name, state=CheckState.NOTE, facts=facts, means=means)


def lack(name: str, facts: str, means: str) -> Check:
    """Return that no lab can run."""
    return Check(name=name, state=CheckState.LACK, facts=facts, means=means)


def run_check(name: str, ask: Callable[[], Check]) -> Check:
    """Run a check, and turn its crash into a check of its own."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks must be heard
        return crash(name, error)


def crash(name: str, error: Exception) -> Check:
    """Return that a check crashed."""
    return Check(
        name=name,
        state=CheckState.UNKNOWN,
        facts=f"{type(error).__name__}: {error}",
        means="The check itself failed, so nothing is known of this; the others still hold.",
    )


def format_size(size_bytes: int) -> str:
    """Return a size as a person would say it, in powers of ten: ``79.3 GB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} bytes"


def sentence(error: Exception) -> str:
    """Return an error's text, which begins small and has no full stop, as a sentence."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
