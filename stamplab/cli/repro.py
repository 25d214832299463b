"""The commands ``stamplab repro discourse`` and ``stamplab repro recipe``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from stamplab.claims.plan import CLAIMS, Choice
from stamplab.cli.options import (
    abra_option,
    add_options,
    engine_option,
    fast_option,
    go_git_option,
    json_option,
    keep_option,
    memory_scale_option,
    quiet_option,
    require_stand_in,
    runs_option,
    source_options,
    time_notes,
    time_scale_option,
    world_option,
)
from stamplab.cli.repro_discourse import Report, Request, repro_discourse
from stamplab.cli.repro_recipe import RecipeRequest, repro_recipe
from stamplab.cli.vet import trust_option
from stamplab.invocation import command_line
from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.faults.memory_pressure import Ample, Pressure, Squeeze
from stamplab.lab.recipe.source import RecipeSource
from stamplab.lab.recipe.trust import Grant
from stamplab.render import print_report, progress_printer
from stamplab.runner.staging import OnProgress
from stamplab.runner.worlds import Which
from stamplab.scenarios.discourse.plays import Settings


class _Shared(msgspec.Struct, frozen=True, kw_only=True):
    """The options that both commands have."""

    fast: bool
    memory_scale: float
    time_scale: float
    world: Which
    engine: Path | None
    trust: frozenset[Grant]
    go_git: str | None
    """Is in force since it was parsed; see `stamplab.cli.options.go_git_option`."""
    keep: bool
    runs: Path
    as_json: bool
    quiet: bool

    def settings(self, pressure: Pressure) -> Settings:
        """Return the settings of all plays."""
        return Settings(
            memory_scale=self.memory_scale,
            fast=self.fast,
            time_scale=self.time_scale,
            pressure=pressure,
        )

    def report(self, play: Callable[[OnProgress], Report]) -> int:
        """Play with progress on stderr, print the report, and return the exit code."""
        on_progress = progress_printer(quiet=self.quiet)
        for line in time_notes(fast=self.fast, time_scale=self.time_scale):
            on_progress(line)
        report = play(on_progress)
        print_report(report, as_json=self.as_json)
        return report.verdict.exit_code


def _with_shared_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the shared options; the command gets them as one value, its first argument."""

    @wraps(command)
    def with_shared(**given: Any) -> int:
        shared = _Shared(**{name: given.pop(name) for name in _Shared.__struct_fields__})
        return command(shared, **given)

    return add_options(
        fast_option,
        memory_scale_option,
        time_scale_option,
        world_option,
        engine_option,
        trust_option,
        go_git_option,
        keep_option,
        runs_option,
        json_option,
        quiet_option,
    )(with_shared)


@click.group()
def repro() -> None:
    """Reproduce a known incident from scratch, and prove its fix."""


@repro.command()
@click.option(
    "--trials",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Repeat the plays under pressure, and print k/N.",
)
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
@click.option("--ample", is_flag=True, help="A control: no memory pressure, nothing to reproduce.")
@abra_option
@_with_shared_options
def discourse(
    shared: _Shared,
    *,
    trials: int,
    guard: Literal["on", "off", "both"],
    claim: tuple[str, ...],
    ample: bool,
    abra: Path | None,
) -> int:
    """Reproduce the discourse incident: a start-first upgrade rolled back under memory pressure.

    The upgrade is played on a real private docker engine (or, where none can run, on the real
    SwarmKit in virtual time): (a) with ample memory, (b) under pressure with the old harness, (c)
    with the convergence guard, (d) with the fixed overlay (stop-first); then with wrong stamps and
    with broken heads, which must still fail. Then the report's claims are judged.
    """
    require_stand_in(shared.go_git, abra)
    settings = shared.settings(Ample() if ample else Squeeze())
    request = Request(
        choice=Choice(settings=settings, trials=trials, guard=guard, claims=claim or CLAIMS),
        runs=shared.runs.absolute(),
        argv=command_line(),
        engine=shared.engine,
        keep=shared.keep,
        trust=shared.trust,
        abra=abra,
        world=shared.world,
    )
    return shared.report(lambda on_progress: repro_discourse(request, on_progress))


@repro.command()
@source_options(required=True)
@click.option("--service", default="app", show_default=True, help="The heavy service.")
@click.option(
    "--images",
    type=click.Choice(["stand-in", "real"]),
    default="stand-in",
    show_default=True,
    help="Who plays the recipe's images; real ones are not possible in a lab without a network.",
)
@_with_shared_options
def recipe(
    shared: _Shared,
    *,
    recipe: str,
    upstream: str | None,
    base: str,
    head: str,
    service: str,
    images: Literal["stand-in", "real"],
) -> int:
    """Play the incident's upgrade with any recipe, by its own compose files and policy.

    REF is a tag, a branch, or all 40 digits of a commit. A stand-in with a memory curve replaces
    the images, so that no registry is needed; the overlay for that is in the evidence. A recipe
    with rollback and start-first goes through the incident's four plays; another recipe must show
    that no rollback goes unreported.
    """
    if images == "real":
        raise NotPossibleHere(
            "--images real is not possible: a lab's engine has no network to pull by, and what an "
            "image needs at boot is not known, so no squeeze could be measured; use stand-in"
        )
    request = RecipeRequest(
        source=RecipeSource(recipe=recipe, upstream=upstream, base=base, head=head),
        service=service,
        settings=shared.settings(Squeeze()),
        runs=shared.runs.absolute(),
        argv=command_line(),
        engine=shared.engine,
        keep=shared.keep,
        trust=shared.trust,
        world=shared.world,
    )
    return shared.report(lambda on_progress: repro_recipe(request, on_progress))
