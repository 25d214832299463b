"""``stamplab run``: plays one thing by its name: a public report, or how abra stamps."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import msgspec

from stamplab.claims.offline_claims import discourse_repositories
from stamplab.claims.stamping import play_all
from stamplab.cli.options import (
    abra_option,
    engine_option,
    go_git_option,
    json_option,
    require_stand_in,
    runs_option,
    source_options,
    world_option,
)
from stamplab.invocation import program_path
from stamplab.lab.abra.driver import AbraProgram, find_abra, stand_in_program
from stamplab.lab.abra.go_git import VERSION_VARIABLE, chosen_version, prepare
from stamplab.lab.errors import UsageError
from stamplab.lab.recipe import checkout
from stamplab.lab.recipe.source import RecipeSource, acquire
from stamplab.render import Screen, print_result, show_stamped
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.stamping.repositories import make_repositories
from stamplab.runner.worlds import Which, choose
from stamplab.scenarios.bug_reports.registry import find as find_report
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.stamping.experiment import Experiment, StampingRepositories
from stamplab.scenarios.stamping.variants import EXPERIMENTS

_AT_ONCE = 2
"""A report and its control are played side by side."""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What was played; printed with --json as it is."""

    stamped: object
    by_hand: str
    evidence: str


@click.command()
@world_option
@engine_option
@abra_option
@go_git_option
@source_options(required=False)
@runs_option
@json_option
@click.argument("name")
def run(
    *,
    world: Which,
    engine: Path | None,
    abra: Path | None,
    go_git: str | None,
    recipe: str | None,
    upstream: str | None,
    base: str | None,
    head: str | None,
    runs: Path,
    as_json: bool,
    name: str,
) -> int:
    """Play one thing by its name; `stamplab list` has all names.

    A public bug report, by its name, its report (moby#43081) or its number: what docker's client
    says, what the guard says, and the truth. Or how abra stamps a recipe's checkout (claim C2), for
    which no daemon is needed and no root: abra ends for want of a secret, after it has taken its
    stamp, and the commands that are printed do the same by hand.
    """
    if name not in EXPERIMENTS:
        if recipe is not None or go_git is not None:
            raise UsageError(
                "--recipe and --go-git are of the stamping experiments; a report is not stamped"
            )
        return _run_report(find_report(name), world, engine, runs, as_json=as_json)
    if world != "auto" or engine is not None:
        raise UsageError(f"{name} needs no world: leave --world and --engine out")
    source = _source(recipe, upstream, base, head)
    require_stand_in(go_git, abra)
    program, experiment = stand_in_program() if go_git else find_abra(abra), EXPERIMENTS[name]
    if not program.is_real:
        prepare(lambda line: click.echo(line, err=True))
    folder = EvidenceFolder.create(runs.absolute(), name)
    repositories = _repositories(folder.path / "ground", source)
    (stamped,) = play_all((experiment,), repositories, program, folder.path)
    folder.write_json("verdict.json", stamped)
    ran = Ran(
        stamped=stamped,
        by_hand=by_hand(experiment, repositories, program),
        evidence=str(folder.path),
    )

    def show() -> None:
        show_stamped((stamped,), Screen(highlight=False))
        click.echo(f"\nThe same by hand:\n\n{ran.by_hand}")

    print_result(ran, show, ran.evidence, as_json=as_json)
    return stamped.verdict.exit_code


def _run_report(
    report: BugReport, world: Which, engine: Path | None, runs: Path, *, as_json: bool
) -> int:
    """Play one bug report and its control: its page, then what came of it."""
    # Here, for docker's SDK takes long to import, and a stamping experiment needs no engine.
    from stamplab.cli.bug_reports import play_into
    from stamplab.runner.bug_reports.text import show_page, show_row

    screen = Screen(highlight=False)
    if not as_json:
        show_page(report, screen)
    means = choose(world, engine, lambda line: click.echo(line, err=True))
    folder = EvidenceFolder.create(runs.absolute(), report.name)
    table = play_into(folder, [report], means, _AT_ONCE, lambda _: None)
    print_result(table, lambda: show_row(table.rows[0], screen), folder.path, as_json=as_json)
    return table.verdict.exit_code


def _source(
    recipe: str | None, upstream: str | None, base: str | None, head: str | None
) -> RecipeSource | None:
    """Return the recipe that was asked for; None for our own. Raises UsageError for half of one."""
    if recipe is None:
        if upstream or base or head:
            raise UsageError("--upstream, --base and --head are of another recipe: add --recipe")
        return None
    if base is None or head is None:
        raise UsageError("--recipe needs --base, a tag, and --head")
    return RecipeSource(recipe=recipe, upstream=upstream, base=base, head=head)


def _repositories(folder: Path, source: RecipeSource | None) -> StampingRepositories:
    if source is None:
        return discourse_repositories(folder)
    folder.mkdir()
    acquired = acquire(source, folder)
    recipe = folder / "recipe"
    checkout.fetch(acquired.mirror, acquired.upstream, recipe, acquired.head)
    return make_repositories(acquired.name, recipe, source.base, acquired.head, folder)


def by_hand(
    experiment: Experiment, repositories: StampingRepositories, program: AbraProgram
) -> str:
    """Return an experiment's commands for a POSIX shell, from making the ABRA_DIR on."""
    real = f'HOME="$ABRA_DIR/home" {shlex.join(program.argv)}'
    ours = f"{VERSION_VARIABLE}={chosen_version()} {shlex.join((program_path(), 'abra'))}"
    abra = real if program.is_real else ours
    lines = [
        "export ABRA_DIR=$(mktemp -d)",
        'mkdir -p "$ABRA_DIR/servers/default" "$ABRA_DIR/recipes" "$ABRA_DIR/home"',
        f'abra() {{ {abra} "$@"; }}',
        *(step.pasted() for step in experiment.commands(repositories)),
    ]
    return "".join(f"{line}\n" for line in lines)
