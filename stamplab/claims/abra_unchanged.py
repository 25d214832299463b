"""C12: abra is constant, so no change of abra explains the onset.

The report reads the same abra in every NixOS generation of its CI host from 2026-06-01 on, up to
system-11 of 2026-06-11. The claim is judged on this machine's own generations of that time; where
there are none, nothing here can show it.
"""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

from stamplab.claims.discourse import Claim
from stamplab.harness.checks.tool_constancy import judge_constancy
from stamplab.harness.verdict import Verdict
from stamplab.lab.errors import LabError
from stamplab.lab.nixos.generations import PROFILES, Absent, Profile, read_profile

_TEXT = "abra is constant, so no change of abra explains the onset"


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time.max).astimezone()


def abra_is_unchanged(host: Path = PROFILES) -> Claim:
    """Judge the generations below ``host``, or say why they cannot show the claim."""
    since, until = _end_of(date(2026, 6, 1)), _end_of(date(2026, 6, 11))
    try:
        if not host.is_dir():
            return _not_possible(f"there is no {host}, so this machine has no NixOS generations")
        read = read_profile(host)
    except (OSError, LabError) as error:
        return _claim(Verdict.UNKNOWN, f"this machine's generations cannot be read: {error}", host)
    if not read.generations:
        return _not_possible(f"{host} has no generation of a NixOS system")
    if reason := _why_not_shown(read, until):
        return _not_possible(reason)
    ruling = judge_constancy(read, since, until)
    return _claim(ruling.verdict, f"this machine's generations: {ruling.sentence}", host)


def _why_not_shown(read: Profile, until: datetime) -> str:
    """Return why these generations are none of the report's, or nothing."""
    if all(isinstance(generation.tool, Absent) for generation in read.generations):
        return f"none of this machine's {len(read.generations)} generations has abra"
    if all(generation.made > until for generation in read.generations):
        oldest = min(generation.made for generation in read.generations)
        return f"this machine's oldest generation is of {oldest:%Y-%m-%d}, after the report"
    return ""


def _claim(verdict: Verdict, evidence: str, host: Path) -> Claim:
    return Claim(id="C12", text=_TEXT, verdict=verdict, evidence=evidence, where=str(host))


def _not_possible(reason: str) -> Claim:
    return Claim(id="C12", text=_TEXT, verdict=None, not_possible_here=reason)
