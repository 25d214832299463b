"""``stamplab run``: plays one experiment by its name, and prints how to do the same by hand."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
import msgspec

from harness.evidence import EvidenceFolder
from lab.abra.program import Program, find
from lab.errors import UsageError
from lab.recipe import upstream
from scenarios.discourse.recipe import BASE_TAG, RECIPE, asking_for_a_secret
from scenarios.options import runs_option
from scenarios.render import Screen, show_stamped
from scenarios.stamping.claim import play_all
from scenarios.stamping.experiment import Experiment, Ground
from scenarios.stamping.ground import make_ground
from scenarios.stamping.variants import EXPERIMENTS

abra_option = click.option(
    "--abra",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="STAMPLAB_ABRA",
    help="The real abra to be used.  [default: the abra on PATH, else the stand-in]",
)


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What was played; printed with --json as it is."""

    stamped: object
    by_hand: str
    evidence: str


@click.command()
@abra_option
@click.option("--recipe", type=click.Path(path_type=Path), help="Another recipe's repository.")
@click.option("--base", help="Its tag that is deployed first.")
@click.option("--head", help="Its revision that is the intended head.  [default: HEAD]")
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout.")
@click.argument("name", type=click.Choice(sorted(EXPERIMENTS)))
def run(
    *,
    abra: Path | None,
    recipe: Path | None,
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
    if recipe is None and (base or head):
        raise UsageError("--base and --head are of a --recipe")
    if recipe is not None and base is None:
        raise UsageError("--recipe needs --base, the tag that is deployed first")
    program, experiment = find(abra), EXPERIMENTS[name]
    folder = EvidenceFolder.create(runs.absolute(), name)
    ground = _ground(folder.path / "ground", recipe, base or BASE_TAG, head or "HEAD")
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


def _ground(folder: Path, recipe: Path | None, base: str, head: str) -> Ground:
    folder.mkdir()
    if recipe is not None:
        return make_ground(recipe.absolute().name.removesuffix(".git"), recipe, base, head, folder)
    upstream.build(asking_for_a_secret(RECIPE), folder / "recipe")
    return make_ground(RECIPE.name, folder / "recipe", base, head, folder)


def by_hand(experiment: Experiment, ground: Ground, program: Program) -> str:
    """The commands of an experiment for a POSIX shell, from making the ABRA_DIR to removing it."""
    real = f'HOME="$ABRA_DIR/home" {shlex.join(program.argv)}'
    abra = real if program.is_real else shlex.join(_ourselves())
    lines = [
        "export ABRA_DIR=$(mktemp -d)",
        'mkdir -p "$ABRA_DIR/servers/default" "$ABRA_DIR/recipes" "$ABRA_DIR/home"',
        f'abra() {{ {abra} "$@"; }}',
        *(step.pasted() for step in experiment.commands(ground)),
    ]
    return "".join(f"{line}\n" for line in lines)


def _ourselves() -> tuple[str, ...]:
    """How this very program is run as abra, whatever the folder one is in then."""
    root = Path(__file__).parents[1]
    if (root / "run").exists():
        return (str(root / "run"), "abra")
    return (sys.argv[0], "abra")
