"""C12: abra is constant, so no change of abra explains the onset.

The field's host is not here. What can be shown cold is that the reading of `stamplab generations`
tells a constant tool from a changed one, and from one of which too little is known: on trees of
links made after the report (abra 0.13.0-beta from system-4, 2026-06-01, to system-11, 2026-06-11)
and on counter-examples. This machine's own generations are quoted where it has any.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from stamplab.claims.discourse import Claim
from stamplab.harness.checks.tool_constancy import Ruling, judge_constancy
from stamplab.harness.verdict import Verdict
from stamplab.lab.errors import LabError
from stamplab.lab.nixos.fixtures import Made, make_profiles, object_name
from stamplab.lab.nixos.generations import PROFILES, read_profile

# The report quotes only the digest's beginning; object_name fills it up with zeros.
_ABRA = object_name("abra-0.13.0-beta", "bf6azhpi")
_OTHER = object_name("abra-0.14.0-beta")
_DAYS = {4: 1, 5: 2, 6: 3, 7: 5, 8: 6, 9: 8, 10: 10, 11: 11}
"""When in June 2026 each generation was made; only the first and the last are the report's."""


class _Case(msgspec.Struct, frozen=True):
    """A tree of links, and how it must be judged."""

    name: str
    must_be: Verdict
    since: datetime
    until: datetime
    generations: tuple[Made, ...]


def constant(scratch: Path, host: Path = PROFILES) -> Claim:
    """Make the trees below ``scratch`` (a folder of this claim alone), and judge each of them."""
    try:
        wrong, evidence = _try_all(scratch)
        verdict = Verdict.of(not wrong)
    except (OSError, LabError) as error:
        verdict, evidence = Verdict.UNKNOWN, f"the trees could not be made and read: {error}"
    return Claim(
        id="C12",
        text="abra is constant, so no change of abra explains the onset",
        verdict=verdict,
        evidence=f"{evidence}; {_of_this_machine(host)}",
        where=f"{scratch.name}/",
    )


def _try_all(scratch: Path) -> tuple[list[str], str]:
    """Return what was judged wrongly, and all in words."""
    wrong, said = [], []
    for case in _cases():
        root = scratch / case.name.replace(" ", "-")
        profiles = make_profiles(root, case.generations, current=_current(case))
        ruling = judge_constancy(read_profile(profiles), case.since, case.until)
        is_right = ruling.verdict is case.must_be
        if not is_right:
            wrong.append(case.name)
        said.append(_sentence(case, ruling, root) if is_right else _wrong(case, ruling))
    return (
        wrong,
        f"the reading, on made trees of links (not on the field's host): {'; '.join(said)}",
    )


def _current(case: _Case) -> tuple[int, datetime]:
    newest = case.generations[-1]
    return newest.number, newest.made


def _sentence(case: _Case, ruling: Ruling, root: Path) -> str:
    """Say how it was judged; of a constant tool since when, without the made store's own place."""
    if case.must_be is not Verdict.PASS:
        return f"{case.name}: {ruling.verdict}"
    return f"{case.name}: {ruling.sentence.replace(str(root.resolve()), '')}"


def _wrong(case: _Case, ruling: Ruling) -> str:
    return f"{case.name}: {ruling.verdict} ({ruling.sentence}), and not {case.must_be}"


def _cases() -> tuple[_Case, ...]:
    whole, onset, end = _june(1), _june(5), _june(10)
    fail, unknown = Verdict.FAIL, Verdict.UNKNOWN
    lost, removed = _without(collected=True), tuple(one for one in _made() if one.number != 8)
    return (
        _Case("as in the report", Verdict.PASS, whole, _june(11), _made()),
        _Case("changed on the 8th", fail, onset, end, _made(changed_at=9)),
        _Case("one garbage-collected", unknown, onset, end, lost),
        _Case("one deleted", unknown, onset, end, removed),
        _Case("abra absent in one", unknown, onset, end, _without(collected=False)),
        _Case("too young", unknown, onset, end, tuple(one for one in _made() if one.number > 8)),
    )


def _made(changed_at: int = 99) -> tuple[Made, ...]:
    return tuple(
        Made(number=number, made=_june(day), tool=_ABRA if number < changed_at else _OTHER)
        for number, day in _DAYS.items()
    )


def _without(*, collected: bool) -> tuple[Made, ...]:
    """Leave generation 8 without its system, or without abra."""
    return tuple(
        msgspec.structs.replace(one, collected=collected, tool=one.tool if collected else None)
        if one.number == 8
        else one
        for one in _made()
    )


def _june(day: int) -> datetime:
    return datetime(2026, 6, day, 12).astimezone()


def _of_this_machine(host: Path) -> str:
    try:
        if not host.is_dir():
            return f"this machine has no generations of its own (no {host})"
        ruling = judge_constancy(read_profile(host))
    except (OSError, LabError) as error:
        return f"this machine's own generations could not be read: {error}"
    return f"on this machine: {ruling.sentence}"
