"""Short words for profiles: which tool each generation had, and when it was made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from stamplab.lab.nixos.generations import (
    Absent,
    Current,
    Generation,
    Gone,
    Present,
    Profile,
    ToolReading,
    Unreadable,
)
from stamplab.lab.nixos.store_path import StorePath

GAPS: tuple[ToolReading, ...] = (Absent(), Gone("collected"), Unreadable("a loop"))
START = datetime(2026, 6, 1, tzinfo=UTC)


def at(day: float) -> datetime:
    """A day of June 2026; halves are noon."""
    return START + timedelta(days=day - 1)


def tool(letter: str) -> ToolReading:
    """A tool, another for each letter; ``-`` absent, ``x`` gone, ``?`` unreadable."""
    if letter in "-x?":
        return GAPS["-x?".index(letter)]
    path = f"/nix/store/{letter * 32}-abra-1"
    return Present(StorePath(path=path, digest=letter * 32, name="abra", version="1"))


def generation(number: int, day: float, letter: str) -> Generation:
    return Generation(number=number, made=at(day), system=None, tool=tool(letter))


def profile(text: str, current: tuple[int, float] | None = None) -> Profile:
    """Of words such as ``4:1:a``: generation 4 was made on day 1, and has tool a."""
    parts = [word.split(":") for word in text.split()]
    return Profile(
        generations=tuple(
            generation(int(number), float(day), letter) for number, day, letter in parts
        ),
        current=Current(number=current[0], switched=at(current[1])) if current else None,
    )
