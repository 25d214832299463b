"""``stamplab doctor``: explains this machine, and whether live labs can run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
import msgspec

from stamplab.cli.options import engine_option, runs_option
from stamplab.lab.errors import LabError, NotPossibleHere
from stamplab.lab.live.doctor import Check, State, examine
from stamplab.lab.live.lab import undisturbed
from stamplab.lab.live.reaper import Found, Reaped, Standing
from stamplab.lab.live.reaper import reap as reap_labs
from stamplab.lab.support.cache import cache_folder, remove_half_built
from stamplab.render import Screen, show_checks, show_reaped

Possible = Literal["possible", "not possible", "unknown"]
_EXIT: dict[Possible, int] = {
    "possible": 0,
    "not possible": NotPossibleHere.exit_code,
    "unknown": LabError.exit_code,
}


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What doctor says; printed with --json as it is."""

    live_labs: Possible
    why: tuple[str, ...]
    """The names of the checks that decide."""
    checks: tuple[Check, ...]
    reaped: tuple[Reaped, ...] = ()
    """With --reap: what dead labs left, and whether it is gone."""


@click.command()
@engine_option
@runs_option
@click.option("--reap", is_flag=True, help="First remove exactly what dead labs left.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON on stdout.")
def doctor(*, engine: Path | None, runs: Path, reap: bool, as_json: bool) -> int:
    """Explain this machine: what a live lab needs, what is here, and what each lack means.

    Exit codes: 0 live labs can run here, 77 they cannot, 2 a check itself failed, or something that
    a dead lab left could not be removed.
    """
    reaped = remove_what_is_left() if reap else ()
    diagnosis = diagnose(examine(engine, runs), reaped)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(diagnosis)).decode())
    else:
        screen = Screen(highlight=False)
        if reap:
            show_reaped(reaped, screen)
        show_checks(diagnosis.checks, conclusion(diagnosis), screen)
    if any(one.resisted for one in reaped):
        return LabError.exit_code
    return _EXIT[diagnosis.live_labs]


def remove_what_is_left() -> tuple[Reaped, ...]:
    """Reap dead labs, and what a killed build left in the cache."""
    with undisturbed():
        reaped = reap_labs()
        if remove_half_built(cache_folder()):
            build = Found(name="workload", standing=Standing.DEAD, what="a build that was killed")
            reaped = (*reaped, Reaped(found=build))
    return reaped


def diagnose(checks: tuple[Check, ...], reaped: tuple[Reaped, ...] = ()) -> Diagnosis:
    """Conclude: a check that failed makes the whole unknown, else a lack decides."""
    ends: tuple[tuple[State, Possible], ...] = (
        (State.UNKNOWN, "unknown"),
        (State.LACK, "not possible"),
    )
    for state, end in ends:
        why = tuple(check.name for check in checks if check.state is state)
        if why:
            return Diagnosis(live_labs=end, why=why, checks=checks, reaped=reaped)
    return Diagnosis(live_labs="possible", why=(), checks=checks, reaped=reaped)


def conclusion(diagnosis: Diagnosis) -> str:
    """Say it in one line."""
    why = ", ".join(diagnosis.why)
    return {
        "possible": "live labs can run here",
        "not possible": f"live labs cannot run here; lacking: {why}",
        "unknown": f"whether live labs can run here is unknown; a check itself failed: {why}",
    }[diagnosis.live_labs]
