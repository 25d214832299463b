"""``stamplab vet``: what recipes ask for beyond an ordinary container, before any is deployed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from stamplab.lab.recipe.layout import stack_at, stray_sample
from stamplab.lab.recipe.trust import MEANING, Demand, Grant, demands_of
from stamplab.render import Screen, show_demands


def _grants(_: click.Context, __: click.Parameter, names: Iterable[str]) -> frozenset[Grant]:
    return frozenset(map(Grant, names))


trust_option = click.option(
    "--trust",
    type=click.Choice([str(grant) for grant in Grant]),
    multiple=True,
    callback=_grants,
    help="Let recipes have this; may be repeated. `stamplab vet --help` says what each allows.",
)


class Vetted(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one recipe; printed with --json as it is."""

    path: str
    refused: tuple[Demand, ...]


# \b keeps click from filling the list up into one paragraph.
_HELP = "\b\nWhat --trust can allow:\n" + "\n".join(
    f"  {grant}: {meaning}" for grant, meaning in MEANING.items()
)


@click.command(epilog=_HELP)
@trust_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON on stdout.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def vet(*, trust: frozenset[Grant], as_json: bool, paths: tuple[Path, ...]) -> int:
    """Say what recipes (their folders, or single compose files) would be refused for.

    Of a folder every compose file is judged, with the settings of its .env.sample. Exit codes: 0
    nothing is refused, 1 something is, 64 there is no recipe.
    """
    found = [Vetted(path=str(path), refused=_refused(path, trust)) for path in paths]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        for recipe in found:
            show_demands(recipe.path, recipe.refused, Screen(highlight=False))
    return 1 if any(recipe.refused for recipe in found) else 0


def _refused(path: Path, trust: frozenset[Grant]) -> tuple[Demand, ...]:
    stack = stack_at(path)
    stray = stray_sample(stack.directory)
    demands = demands_of(stack, stack.environment, trust)
    return (
        *([] if stray is None else [stray]),
        *(demand for demand in demands if demand.grant not in trust),
    )
