"""The command `stamplab repro discourse`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
from rich.text import Text

from stamplab.claims.plan import CLAIMS, Choice
from stamplab.cli.options import (
    abra_option,
    engine_option,
    fast_option,
    go_git_option,
    json_option,
    keep_option,
    memory_scale_option,
    quiet_option,
    require_stand_in,
    runs_option,
    time_notes,
    time_scale_option,
    world_option,
)
from stamplab.cli.repro_discourse import Request, repro_discourse
from stamplab.cli.vet import trust_option
from stamplab.invocation import command_line
from stamplab.lab.faults.memory_pressure import Ample, Squeeze
from stamplab.lab.recipe.trust import Grant
from stamplab.render import Screen, print_report
from stamplab.runner.worlds import Which
from stamplab.scenarios.discourse.plays import Settings


@click.command()
@fast_option
@click.option(
    "--trials",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Repeat the plays under pressure, and print k/N.",
)
@memory_scale_option
@time_scale_option
@click.option(
    "--guard",
    type=click.Choice(["on", "off", "both"]),
    default="both",
    show_default=True,
    help="Which harness is on trial: the guarded one, the pre-fix exhibit, or both.",
)
@click.option(
    "--claim",
    type=click.Choice(CLAIMS),
    multiple=True,
    help="Judge this claim, and play only what it needs; may be repeated.  [default: all]",
)
@world_option
@click.option("--ample", is_flag=True, help="A control: no memory pressure, nothing to reproduce.")
@engine_option
@trust_option
@abra_option
@go_git_option
@keep_option
@runs_option
@json_option
@quiet_option
def discourse(
    *,
    fast: bool,
    trials: int,
    memory_scale: float,
    time_scale: float,
    guard: Literal["on", "off", "both"],
    claim: tuple[str, ...],
    world: Which,
    ample: bool,
    engine: Path | None,
    trust: frozenset[Grant],
    abra: Path | None,
    go_git: str | None,
    keep: bool,
    runs: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """Reproduce the discourse incident: a start-first upgrade rolled back under memory pressure.

    The upgrade is played on a real private docker engine (or, where none can run, on the real
    SwarmKit in virtual time): (a) with ample memory, (b) under pressure with the old harness, (c)
    with the convergence guard, (d) with the fixed overlay (stop-first); then with wrong stamps and
    with broken heads, which must still fail. Then the report's claims are judged.
    """
    require_stand_in(go_git, abra)
    progress = Screen(stderr=True, quiet=quiet, highlight=False)
    for line in time_notes(fast=fast, time_scale=time_scale):
        progress.print(line)
    settings = Settings(
        memory_scale=memory_scale,
        fast=fast,
        time_scale=time_scale,
        pressure=Ample() if ample else Squeeze(),
    )
    request = Request(
        choice=Choice(settings=settings, trials=trials, guard=guard, claims=claim or CLAIMS),
        runs=runs.absolute(),
        argv=command_line(),
        engine=engine,
        keep=keep,
        trust=trust,
        abra=abra,
        world=world,
    )
    report = repro_discourse(request, lambda line: progress.print(Text(line), soft_wrap=True))
    print_report(report, as_json=as_json)
    return report.verdict.exit_code
