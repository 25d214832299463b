"""``stamplab run``: plays one experiment by its name, and prints how to do the same by hand."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import msgspec

from harness.evidence import EvidenceFolder
from lab.abra.program import Program, find
from lab.errors import UsageError
from lab.recipe import checkout
from lab.recipe.source import RecipeSource, acquire
from scenarios.calling import ourselves
from scenarios.discourse.cold import discourse_ground
from scenarios.options import abra_option, json_option, runs_option
from scenarios.recipe.command import source_options
from scenarios.render import Screen, show_stamped
from scenarios.stamping.claim import play_all
from scenarios.stamping.experiment import Experiment, Ground
from scenarios.stamping.ground import make_ground
from scenarios.stamping.variants import EXPERIMENTS


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What was played; printed with --json as it is."""

    stamped: object
    by_hand: str
    evidence: str


@click.command()
@abra_option
@source_options(required=False)
@runs_option
@json_option
@click.argument("name", type=click.Choice(sorted(EXPERIMENTS)))
def run(
    *,
    abra: Path | None,
    recipe: str | None,
    upstream: str | None,
    base: str | None,
    head: str | None,
    runs: Path,
    as_json: bool,
    name: str,
) -> int:
    """Play one experiment: how abra stamps a recipe's checkout (claim C2).

    No daemon is needed, and no root: abra ends for want of a secret, after it has taken its stamp.
    The commands that it prints do the same by hand.
    """
    source = _source(recipe, upstream, base, head)
    program, experiment = find(abra), EXPERIMENTS[name]
    folder = EvidenceFolder.create(runs.absolute(), name)
    ground = _ground(folder.path / "ground", source)
    (stamped,) = play_all((experiment,), ground, program, folder.path)
    folder.write_json("verdict.json", stamped)
    ran = Ran(
        stamped=stamped,
        by_hand=by_hand(experiment, ground, program),
        evidence=str(folder.path),
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(ran)).decode())
    else:
        show_stamped((stamped,), Screen(highlight=False))
        click.echo(f"\nThe same by hand:\n\n{ran.by_hand}\nevidence: {ran.evidence}")
    return stamped.verdict.exit_code


def _source(
    recipe: str | None, upstream: str | None, base: str | None, head: str | None
) -> RecipeSource | None:
    """The recipe that was asked for; None for our own. Raises UsageError for half of one."""
    if recipe is None:
        if upstream or base or head:
            raise UsageError("--upstream, --base and --head are of another recipe: add --recipe")
        return None
    if base is None or head is None:
        raise UsageError("--recipe needs --base, a tag, and --head")
    return RecipeSource(recipe=recipe, upstream=upstream, base=base, head=head)


def _ground(folder: Path, source: RecipeSource | None) -> Ground:
    if source is None:
        return discourse_ground(folder)
    folder.mkdir()
    acquired = acquire(source, folder)
    recipe = folder / "recipe"
    checkout.fetch(acquired.mirror, acquired.upstream, recipe, acquired.head)
    return make_ground(acquired.name, recipe, source.base, acquired.head, folder)


def by_hand(experiment: Experiment, ground: Ground, program: Program) -> str:
    """The commands of an experiment for a POSIX shell, from making the ABRA_DIR to removing it."""
    real = f'HOME="$ABRA_DIR/home" {shlex.join(program.argv)}'
    abra = real if program.is_real else shlex.join((ourselves(), "abra"))
    lines = [
        "export ABRA_DIR=$(mktemp -d)",
        'mkdir -p "$ABRA_DIR/servers/default" "$ABRA_DIR/recipes" "$ABRA_DIR/home"',
        f'abra() {{ {abra} "$@"; }}',
        *(step.pasted() for step in experiment.commands(ground)),
    ]
    return "".join(f"{line}\n" for line in lines)
