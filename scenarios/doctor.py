"""``stamplab doctor``: explains this machine, and whether live labs can run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
import msgspec

from lab.errors import LabError, NotPossibleHere
from lab.live.doctor import Check, State, examine
from scenarios.render import Screen, show_checks

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


@click.command()
@click.option(
    "--engine",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="STAMPLAB_ENGINE",
    help="A folder with an unpacked docker engine.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    envvar="STAMPLAB_RUNS",
    help="Where evidence would be kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON on stdout.")
def doctor(*, engine: Path | None, runs: Path, as_json: bool) -> int:
    """Explain this machine: what a live lab needs, what is here, and what each lack means.

    Exit codes: 0 live labs can run here, 77 they cannot, 2 a check itself failed.
    """
    diagnosis = diagnose(examine(engine, runs))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(diagnosis)).decode())
    else:
        show_checks(diagnosis.checks, conclusion(diagnosis), Screen(highlight=False))
    return _EXIT[diagnosis.live_labs]


def diagnose(checks: tuple[Check, ...]) -> Diagnosis:
    """Conclude: a check that failed makes the whole unknown, else a lack decides."""
    ends: tuple[tuple[State, Possible], ...] = (
        (State.UNKNOWN, "unknown"),
        (State.LACK, "not possible"),
    )
    for state, end in ends:
        why = tuple(check.name for check in checks if check.state is state)
        if why:
            return Diagnosis(live_labs=end, why=why, checks=checks)
    return Diagnosis(live_labs="possible", why=(), checks=checks)


def conclusion(diagnosis: Diagnosis) -> str:
    """Say it in one line."""
    why = ", ".join(diagnosis.why)
    return {
        "possible": "live labs can run here",
        "not possible": f"live labs cannot run here; lacking: {why}",
        "unknown": f"whether live labs can run here is unknown; a check itself failed: {why}",
    }[diagnosis.live_labs]
