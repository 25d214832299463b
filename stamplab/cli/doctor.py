"""``stamplab doctor``: whether live labs can run on this machine, by checks or by trying one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import click
import msgspec

from stamplab.cli.options import engine_option, runs_option
from stamplab.lab.errors import LabError, NotPossibleHere
from stamplab.lab.live.doctor import Check, CheckState, examine, try_sandbox
from stamplab.lab.live.lab import deferred_signals
from stamplab.lab.live.reaper import LabRemoval, LabStatus, Standing
from stamplab.lab.live.reaper import reap as reap_labs
from stamplab.lab.live.sandbox import require_root
from stamplab.lab.support.cache import cache_folder, remove_unfinished_builds
from stamplab.render import Screen, print_json, show_checks, show_reaped

Possible = Literal["possible", "not possible", "unknown"]
_EXIT: dict[Possible, int] = {
    "possible": 0,
    "not possible": NotPossibleHere.exit_code,
    "unknown": LabError.exit_code,
}


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of doctor; printed with --json as they are."""

    live_labs: Possible
    why: tuple[str, ...]
    """The names of the checks that decide."""
    tried: bool = False
    """Whether a lab was started, whose steps are then among the checks."""
    checks: tuple[Check, ...]
    reaped: tuple[LabRemoval, ...] = ()
    """With --reap: what dead labs left, and whether it is gone."""


# Trying tells more than predicting (ADR 0061).
@click.command()
@engine_option
@runs_option
@click.option(
    "--try", "trying", is_flag=True, help="As root: start a lab, and take it down at once."
)
@click.option("--reap", is_flag=True, help="First remove exactly what dead labs left.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON on stdout.")
def doctor(*, engine: Path | None, runs: Path, trying: bool, reap: bool, as_json: bool) -> int:
    """Explain this machine: what a live lab needs, what is here, and what each lack means.

    Changes nothing and needs no root. With --try, as root, it starts a lab with one task and one
    OOM kill, says which step fails and why, and takes all of it down again.

    Exit codes: 0 live labs can run here, 77 they cannot, 2 a check itself failed, or something that
    a lab left could not be removed.
    """
    if trying:
        require_root()
    reaped = remove_what_is_left() if reap else ()
    checks = examine(engine, runs)
    if trying:
        checks += try_sandbox(engine, partial(click.echo, err=True))
    diagnosis = diagnose(checks, reaped, tried=trying)
    if as_json:
        print_json(diagnosis)
    else:
        screen = Screen(highlight=False)
        if reap:
            show_reaped(reaped, screen)
        show_checks(diagnosis.checks, conclusion(diagnosis), screen)
    if any(lab.resisted for lab in reaped):
        return LabError.exit_code
    return _EXIT[diagnosis.live_labs]


def remove_what_is_left() -> tuple[LabRemoval, ...]:
    """Reap dead labs, and what a killed build left in the cache."""
    with deferred_signals():
        reaped = reap_labs()
        if remove_unfinished_builds(cache_folder()):
            build = LabStatus(
                name="workload", standing=Standing.DEAD, what="a build that was killed"
            )
            reaped = (*reaped, LabRemoval(lab=build))
    return reaped


def diagnose(
    checks: tuple[Check, ...], reaped: tuple[LabRemoval, ...] = (), *, tried: bool = False
) -> Diagnosis:
    """Conclude: a check that failed makes the whole unknown, else a lack decides."""
    ends: tuple[tuple[CheckState, Possible], ...] = (
        (CheckState.UNKNOWN, "unknown"),
        (CheckState.LACK, "not possible"),
    )
    for state, end in ends:
        why = tuple(check.name for check in checks if check.state is state)
        if why:
            return Diagnosis(live_labs=end, why=why, tried=tried, checks=checks, reaped=reaped)
    return Diagnosis(live_labs="possible", why=(), tried=tried, checks=checks, reaped=reaped)


def conclusion(diagnosis: Diagnosis) -> str:
    """Return the diagnosis in one line."""
    why = ", ".join(diagnosis.why)
    untried = "" if diagnosis.tried else "; stamplab doctor --try, as root, starts one"
    return {
        "possible": f"live labs can run here{untried}",
        "not possible": f"live labs cannot run here; lacking: {why}",
        "unknown": f"whether live labs can run here is unknown; a check itself failed: {why}",
    }[diagnosis.live_labs]
