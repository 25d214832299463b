"""The generations of a NixOS profile, and which tool each of them had.

They show whether a tool changed before an incident began. Only links are read: no program is run,
no file is opened. Sources: ``nix-env --list-generations`` (a generation is a link
``<profile>-<number>-link``, its date that link's own mtime; a new one gets the highest number plus
one) and ``readlink -f <generation>/sw/bin/<tool>``.

NixOS does not record a switch back to an older generation once a newer generation has been made,
nor the newest generations once they were deleted after such a switch (their numbers are reused),
nor whether a generation was booted.
"""

from __future__ import annotations

import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.nixos.store_path import StorePath, store_path_in

PROFILES = Path("/nix/var/nix/profiles")
"""The folder of the system profile's links on NixOS."""
SYSTEM = "system"


class Present(msgspec.Struct, frozen=True, tag="present"):
    """The generation has the tool."""

    path: StorePath


class Absent(msgspec.Struct, frozen=True, tag="absent"):
    """The system exists and does not have the tool."""


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """A link's target was garbage-collected."""

    why: str


class Unreadable(msgspec.Struct, frozen=True, tag="unreadable"):
    """The tool cannot be read: a loop of links, a lack of permission, no link at all."""

    why: str


ToolReading = Present | Absent | Gone | Unreadable


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """One generation, with the tool in it."""

    number: int
    made: datetime
    """The time when the generation's link was made, in this machine's time zone."""
    system: StorePath | None
    """The link's target, which may be gone."""
    tool: ToolReading


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """The generation that the profile itself points to, and the time of the switch to it."""

    number: int
    switched: datetime


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """All generations of one profile, by number."""

    generations: tuple[Generation, ...]
    current: Current | None
    """None where the profile's own link is missing, or points to no generation."""


def read_profile(folder: Path, profile: str = SYSTEM, tool: str = "abra") -> Profile:
    """Read every generation of a profile.

    Raises UsageError for names that are no file names, OSError when the folder cannot be listed,
    and LabError for a date beyond the calendar.
    """
    for what, name in (("a profile", profile), ("a tool", tool)):
        if name in {"", ".", ".."} or "/" in name or not name.isprintable():
            raise UsageError(f"{name!r} is no name of {what}: give the name alone, without a path")
    link = re.compile(re.escape(profile) + r"-(0|[1-9][0-9]{0,17})-link")
    readings = [
        _generation(folder / entry, int(match[1]), tool)
        for entry in os.listdir(folder)  # noqa: PTH208 - names, not paths
        if (match := link.fullmatch(entry))
    ]
    generations = sorted(filter(None, readings), key=lambda generation: generation.number)
    return Profile(generations=tuple(generations), current=_current(folder / profile, link))


def _generation(link: Path, number: int, tool: str) -> Generation | None:
    """Read one generation; return None if it was removed since the folder was listed."""
    try:
        status = link.lstat()
        target = str(link.readlink()) if stat.S_ISLNK(status.st_mode) else ""
    except FileNotFoundError:
        return None
    return Generation(
        number=number,
        made=_date(link, status),
        system=store_path_in(target),
        tool=_tool(link, tool) if target else Unreadable(f"{str(link)!r} is no link"),
    )


def _current(link: Path, generation: re.Pattern[str]) -> Current | None:
    try:
        match = generation.fullmatch(link.readlink().name)
        switched = _date(link, link.lstat())
    except OSError:
        return None
    return Current(number=int(match[1]), switched=switched) if match else None


def _date(link: Path, status: os.stat_result) -> datetime:
    try:
        return datetime.fromtimestamp(status.st_mtime, UTC).astimezone()
    except (OverflowError, ValueError) as error:
        raise LabError(
            f"the date of {str(link)!r} is beyond any calendar ({status.st_mtime:.0f} s after "
            "1970): give the link its right date with `touch --no-dereference --date`"
        ) from error


def _tool(link: Path, tool: str) -> ToolReading:
    try:
        place = os.path.realpath(link, strict=True)
        for name in ("sw", "bin", tool):
            step = Path(place, name)
            if _is_absent(step):
                return Absent()
            place = os.path.realpath(step, strict=True)
        is_file = stat.S_ISREG(os.lstat(place).st_mode)
    except FileNotFoundError as error:
        return Gone(f"{str(error.filename)!r} is not there")
    except OSError as error:
        return Unreadable(f"{str(error.filename)!r}: {error.strerror}")
    path = store_path_in(place)
    if not is_file:
        return Unreadable(f"{place!r} is no file")
    return Present(path) if path else Unreadable(f"{place!r} is in no Nix store")


def _is_absent(step: Path) -> bool:
    try:
        step.lstat()
    except FileNotFoundError:
        return True
    return False
