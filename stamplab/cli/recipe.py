"""The command ``stamplab repro recipe``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import click
from click.decorators import FC
from rich.text import Text

from stamplab.cli.options import (
    engine_option,
    fast_option,
    go_git_option,
    json_option,
    keep_option,
    memory_scale_option,
    quiet_option,
    runs_option,
    time_notes,
    time_scale_option,
    world_option,
)
from stamplab.cli.repro_recipe import RecipeRequest, repro_recipe
from stamplab.cli.vet import trust_option
from stamplab.invocation import command_line
from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.recipe.source import RecipeSource
from stamplab.lab.recipe.trust import Grant
from stamplab.render import Screen, print_report
from stamplab.runner.worlds import Which
from stamplab.scenarios.discourse.plays import Settings

_ADDRESS = "URL|PATH"


def source_options(*, required: bool) -> Callable[[FC], FC]:
    """Return a decorator with the options for a recipe and two of its commits."""

    def add(command: FC) -> FC:
        for option in reversed(
            (
                click.option(
                    "--recipe",
                    required=required,
                    metavar=_ADDRESS,
                    help="The repository that has the head; only what is committed counts.",
                ),
                click.option(
                    "--upstream",
                    metavar=_ADDRESS,
                    help="Where the tags come from.  [default: from --recipe]",
                ),
                click.option(
                    "--base", required=required, metavar="REF", help="What is installed first."
                ),
                click.option(
                    "--head", required=required, metavar="REF", help="What it is upgraded to."
                ),
            )
        ):
            command = option(command)
        return command

    return add


@click.command()
@source_options(required=True)
@click.option("--service", default="app", show_default=True, help="The heavy service.")
@click.option(
    "--images",
    type=click.Choice(["stand-in", "real"]),
    default="stand-in",
    show_default=True,
    help="Who plays the recipe's images; real ones are not possible in a lab without a network.",
)
@fast_option
@memory_scale_option
@time_scale_option
@world_option
@engine_option
@trust_option
@go_git_option
@keep_option
@runs_option
@json_option
@quiet_option
def recipe(
    *,
    recipe: str,
    upstream: str | None,
    base: str,
    head: str,
    service: str,
    images: Literal["stand-in", "real"],
    fast: bool,
    memory_scale: float,
    time_scale: float,
    world: Which,
    engine: Path | None,
    trust: frozenset[Grant],
    go_git: str | None,
    keep: bool,
    runs: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """Play the incident's upgrade with any recipe, by its own compose files and policy.

    REF is a tag, a branch, or all 40 digits of a commit. A stand-in with a memory curve replaces
    the images, so that no registry is needed; the overlay for that is in the evidence. A recipe
    with rollback and start-first goes through the incident's four plays; another recipe must show
    that no rollback goes unreported.
    """
    del go_git  # chosen as it was read
    if images == "real":
        raise NotPossibleHere(
            "--images real is not possible: a lab's engine has no network to pull by, and what an "
            "image needs at boot is not known, so no squeeze could be measured; use stand-in"
        )
    progress = Screen(stderr=True, quiet=quiet, highlight=False)
    for line in time_notes(fast=fast, time_scale=time_scale):
        progress.print(line)
    request = RecipeRequest(
        source=RecipeSource(recipe=recipe, upstream=upstream, base=base, head=head),
        service=service,
        settings=Settings(memory_scale=memory_scale, fast=fast, time_scale=time_scale),
        runs=runs.absolute(),
        argv=command_line(),
        engine=engine,
        keep=keep,
        trust=trust,
        world=world,
    )
    report = repro_recipe(request, lambda line: progress.print(Text(line), soft_wrap=True))
    print_report(report, as_json=as_json)
    return report.verdict.exit_code
