"""``stamplab generations``: since when a tool is the same on a NixOS host, and its changes."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from pathlib import Path

import click
import msgspec

from stamplab.harness.checks.tool_constancy import ToolChange, judge_constancy
from stamplab.harness.verdict import Verdict
from stamplab.lab.errors import NotPossibleHere, UsageError
from stamplab.lab.nixos.generations import PROFILES, SYSTEM, Profile, read_profile
from stamplab.render import Screen, print_json, show_generations

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    _DAY.pattern + r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def _moment(value: str) -> datetime:
    """Parse a day, meaning its end, or a time; in this machine's zone if no zone is given."""
    try:
        if _DAY.fullmatch(value):
            return datetime.combine(date.fromisoformat(value), time.max).astimezone()
        if _MOMENT.fullmatch(value):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError):
        pass
    raise click.BadParameter(f"{value!r} is no date: give 2026-06-05 or 2026-06-05T02:17")


class Constancy(msgspec.Struct, frozen=True, kw_only=True):
    """The generations and the verdict; printed with --json as they are."""

    profiles: str
    profile: str
    tool: str
    since: datetime | None
    until: datetime | None
    verdict: Verdict
    sentence: str
    changes: tuple[ToolChange, ...]
    read: Profile


@click.command()
@click.option(
    "--profiles",
    type=click.Path(path_type=Path),
    help=f"The folder with the generations' links.  [default: {PROFILES}]",
)
@click.option("--tool", default="abra", show_default=True, help="The program that is looked for.")
@click.option("--profile", default=SYSTEM, show_default=True, help="The profile's name.")
@click.option(
    "--since",
    type=_moment,
    metavar="DATE",
    help="Judge from this date on: a day (its end), or a time such as 2026-06-05T02:17.",
)
@click.option(
    "--until", type=_moment, metavar="DATE", help="Judge only until this date.  [default: now]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON on stdout.")
def generations(
    *,
    profiles: Path | None,
    tool: str,
    profile: str,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> int:
    """Say since when a tool is the same on a NixOS host, and which generation changed it.

    Reads the links of the system's generations and, in each, where sw/bin/TOOL leads to; runs
    nothing. A generation's date is when it was made. A switch back to an older generation leaves no
    trace once a newer generation is made.

    Exit codes: 0 the tool is constant (in the span asked for, without a gap), 1 it changed in it, 2
    unknown, 64 usage, 77 this is no NixOS host.
    """
    if since and until and since > until:
        raise UsageError("--since lies after --until: give the earlier date to --since")
    folder = _folder(profiles)
    read = read_profile(folder, profile, tool)
    ruling = judge_constancy(read, since, until)
    if as_json:
        findings = Constancy(
            profiles=str(folder).encode(errors="backslashreplace").decode(),
            profile=profile,
            tool=tool,
            since=since,
            until=until,
            verdict=ruling.verdict,
            sentence=ruling.sentence,
            changes=ruling.changes,
            read=read,
        )
        print_json(findings)
    else:
        show_generations(tool, read, ruling, Screen(highlight=False))
    return ruling.verdict.exit_code


def _folder(asked: Path | None) -> Path:
    if asked is not None:
        if not asked.is_dir():
            raise UsageError(f"{str(asked)!r} is no folder: give the one with the profile's links")
        return asked
    if not PROFILES.is_dir():
        raise NotPossibleHere(
            f"there is no {PROFILES}, so this is no NixOS host: give a folder of profiles copied "
            "from one, with the store that they lead to, by --profiles"
        )
    return PROFILES
