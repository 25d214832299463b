"""``stamplab vet``: lists what recipes ask for beyond an ordinary container."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from stamplab.lab.recipe.folder_stack import env_sample_demand, stack_of_folder
from stamplab.lab.recipe.trust import GRANT_MEANINGS, Demand, Grant, demands_of
from stamplab.render import Screen, print_json, show_demands


def _grants(_: click.Context, __: click.Parameter, names: Iterable[str]) -> frozenset[Grant]:
    return frozenset(map(Grant, names))


trust_option = click.option(
    "--trust",
    type=click.Choice([str(grant) for grant in Grant]),
    multiple=True,
    callback=_grants,
    help="Let recipes have this; may be repeated. `stamplab vet --help` says what each allows.",
)


class VetResult(msgspec.Struct, frozen=True, kw_only=True):
    """The refused demands of one recipe; the output of --json is a list of these."""

    path: str
    refused: tuple[Demand, ...]


# \b keeps click from filling the list up into one paragraph.
_HELP = "\b\nWhat --trust can allow:\n" + "\n".join(
    f"  {grant}: {meaning}" for grant, meaning in GRANT_MEANINGS.items()
)


@click.command(epilog=_HELP)
@trust_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON on stdout.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def vet(*, trust: frozenset[Grant], as_json: bool, paths: tuple[Path, ...]) -> int:
    """List why recipes (their folders, or single compose files) would be refused.

    Of a folder every compose file is judged, with the settings of its .env.sample. Exit codes: 0
    nothing is refused, 1 something is, 64 there is no recipe.
    """
    results = [VetResult(path=str(path), refused=_refused_demands(path, trust)) for path in paths]
    if as_json:
        print_json(results)
    else:
        for result in results:
            show_demands(result.path, result.refused, Screen(highlight=False))
    return 1 if any(result.refused for result in results) else 0


def _refused_demands(path: Path, trust: frozenset[Grant]) -> tuple[Demand, ...]:
    stack = stack_of_folder(path)
    of_sample = env_sample_demand(stack.directory)
    demands = demands_of(stack, stack.environment, trust)
    return (
        *([] if of_sample is None else [of_sample]),
        *(demand for demand in demands if demand.grant not in trust),
    )
