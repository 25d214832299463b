"""The command ``stamplab``.

Exit codes: 0 expectation met, 1 not met, 2 unknown (the apparatus failed), 64 usage, 77 not
possible on this machine, 130 interrupted by Ctrl-C (128 + signal for others).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click
from rich.text import Text

from stamplab.claims.plan import CLAIMS, Choice
from stamplab.cli import print_error, run_to_exit_code, unwind_on_signals
from stamplab.cli.abra import abra as abra_command
from stamplab.cli.bug_reports import bug_reports, list_
from stamplab.cli.doctor import doctor
from stamplab.cli.explore import explore
from stamplab.cli.generations import generations
from stamplab.cli.guard import guard as guard_command
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
from stamplab.cli.parity import parity
from stamplab.cli.recipe import recipe
from stamplab.cli.replay import replay
from stamplab.cli.repro_discourse import Request, repro_discourse
from stamplab.cli.run import run
from stamplab.cli.vet import trust_option, vet
from stamplab.invocation import command_line, sudo_command_line
from stamplab.lab.errors import NeedsRoot
from stamplab.lab.faults.memory_pressure import Ample, Squeeze
from stamplab.lab.live.inventory import inventory
from stamplab.lab.live.lab import end_lab
from stamplab.lab.recipe.trust import Grant
from stamplab.render import Screen, print_report, show_inventory
from stamplab.runner.evidence import stamplab_version
from stamplab.runner.worlds import Which
from stamplab.scenarios.discourse.plays import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.option("--version", is_flag=True, help="Print the version.")
@click.option("--verbose", is_flag=True, help="With --version: each program's version and path.")
@click.pass_context
def stamplab(context: click.Context, *, version: bool, verbose: bool) -> None:
    """Reproduce silent swarm rollbacks, and judge whether an upgrade was really deployed."""
    if verbose and not version:
        raise click.UsageError("--verbose goes with --version: it lists the programs of a lab")
    if version:
        click.echo(f"stamplab, version {stamplab_version()}")
        if verbose:
            show_inventory(inventory())
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@stamplab.group()
def repro() -> None:
    """Reproduce a known incident from scratch, and prove its fix."""


@repro.command()
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


@stamplab.command()
@click.argument("lab_id")
def end(lab_id: str) -> None:
    """Take down a lab that --keep left up."""
    end_lab(lab_id)


repro.add_command(recipe)
stamplab.add_command(abra_command)
stamplab.add_command(doctor)
stamplab.add_command(explore)
stamplab.add_command(generations)
stamplab.add_command(list_)
stamplab.add_command(guard_command)
stamplab.add_command(parity)
stamplab.add_command(bug_reports)
stamplab.add_command(replay)
stamplab.add_command(run)
stamplab.add_command(vet)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    with unwind_on_signals():
        sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    return run_to_exit_code(
        lambda: _run_or_suggest_root(arguments),
        interrupted="interrupted: the lab was torn down, the evidence is kept",
        terminated="terminated: the lab was torn down",
    )


def _run_or_suggest_root(arguments: Sequence[str] | None) -> object:
    try:
        return stamplab.main(arguments, prog_name="stamplab", standalone_mode=False)
    except NeedsRoot as error:
        return print_error(f"{error}. As root it is:\n  {sudo_command_line()}", error.exit_code)
