"""The command ``stamplab parity``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from stamplab.cli.options import fast_option, json_option, quiet_option, runs_option
from stamplab.invocation import command_line
from stamplab.lab.errors import NotPossibleHere, UsageError
from stamplab.lab.live.lab import prepare
from stamplab.parity.table import (
    ParityCell,
    ParityTable,
    parity_table,
    play_cells,
    scenarios_with_shape,
)
from stamplab.render import VERDICT_STYLES, Screen, print_result, progress_printer
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage
from stamplab.runner.worlds import Live, Means, virtual
from stamplab.scenarios.discourse.plays import Settings
from stamplab.scenarios.scenario import Scenario


@click.command()
@click.option(
    "--engine",
    "engines",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    help="A folder with an unpacked docker engine; may be repeated.  [default: the lab's own]",
)
@click.option("--no-live", is_flag=True, help="The virtual world alone.")
@fast_option
@runs_option
@json_option
@quiet_option
@click.argument("names", nargs=-1)
def parity(
    *,
    engines: tuple[Path, ...],
    no_live: bool,
    fast: bool,
    runs: Path,
    as_json: bool,
    quiet: bool,
    names: tuple[str, ...],
) -> int:
    """Play scenarios in both worlds and compare the shapes of their histories.

    NAMES are scenarios that declare a shape; without any, all of them are played. Exit code 0: all
    agree, or differ for a cause that is written down; 1: one differs; 2: one could not be played.
    """
    on_progress = progress_printer(quiet=quiet)
    scenarios = _chosen(names, fast=fast)
    means, not_played = _means(engines, live=not no_live)
    stages = [
        Stage(means=world_means, argv=command_line(), on_progress=lambda _: None)
        for world_means in means
    ]
    folder = EvidenceFolder.create(runs.absolute(), "parity")

    def show_cell(cell: ParityCell) -> None:
        on_progress(f"{cell.scenario} ({cell.world}, {cell.engine}): {_cell_text(cell)}")

    table = parity_table(play_cells(scenarios, stages, folder, show_cell), not_played)
    folder.write_json("verdict.json", table)
    console = Screen(highlight=False)
    print_result(table, lambda: _show(table, console), folder.path, as_json=as_json)
    return table.verdict.exit_code


def _chosen(names: tuple[str, ...], *, fast: bool) -> list[Scenario]:
    scenarios = scenarios_with_shape(Settings(fast=fast))
    unknown = [name for name in names if name not in scenarios]
    if unknown:
        raise UsageError(
            f"no scenario {unknown[0]!r} declares a shape; there are: {', '.join(scenarios)}"
        )
    return [scenarios[name] for name in names or scenarios]


def _means(engines: tuple[Path, ...], *, live: bool) -> tuple[list[Means], tuple[str, ...]]:
    """Return the worlds that this machine can run, and why it cannot run the others.

    An engine that was named must be one of them.
    """
    means: list[Means] = [virtual()]
    if not live:
        return means, ("live: left out (--no-live)",)
    if engines:
        return [*means, *(Live(prepare(engine)) for engine in engines)], ()
    try:
        return [*means, Live(prepare())], ()
    except NotPossibleHere as reason:
        return means, (f"live: {reason}",)


def _show(parity: ParityTable, console: Screen) -> None:
    worlds = list(dict.fromkeys((cell.world, cell.engine) for cell in parity.cells))
    table = Table(title="parity: as declared, or how not", title_justify="left", show_lines=True)
    table.add_column("scenario", no_wrap=True)
    for world, engine in worlds:
        table.add_column(f"{world}\n{engine}", overflow="fold")
    for name in dict.fromkeys(cell.scenario for cell in parity.cells):
        row = {(c.world, c.engine): c for c in parity.cells if c.scenario == name}
        cells = [row[world] for world in worlds]
        table.add_row(
            name, *(Text(_cell_text(cell), style=VERDICT_STYLES[cell.verdict]) for cell in cells)
        )
    console.print(table)
    for line in parity.not_played:
        click.echo(f"not played: {line}")


def _cell_text(cell: ParityCell) -> str:
    if not cell.differences:
        return "agrees"
    cause = f" ({cell.cause})" if cell.cause else ""
    return f"{'; '.join(cell.differences)}{cause}"
