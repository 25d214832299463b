"""The commands of the record: ``stamplab record`` plays all of it, ``stamplab list`` shows it."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.text import Text

from stamplab.cli.options import engine_option, json_option, quiet_option, runs_option, world_option
from stamplab.invocation import again
from stamplab.lab.model.schema import encode_document
from stamplab.render import Screen
from stamplab.runner.bug_reports.table import Row, Table, Told, play_entries, table_of
from stamplab.runner.bug_reports.text import concluded, last_rows, show_list, show_table
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, manifest
from stamplab.runner.worlds import Means, Which, choose
from stamplab.scenarios.bug_reports.registry import ENTRIES, find
from stamplab.scenarios.bug_reports.report import Entry
from stamplab.scenarios.stamping.variants import EXPERIMENTS

_AT_ONCE = 9
_DEPLOYER = "none: docker's own client deploys, or in virtual time the swarm's own API"


@click.command()
@world_option
@engine_option
@click.option(
    "--at-once",
    type=click.IntRange(1, 50),
    default=_AT_ONCE,
    show_default=True,
    help="How many are played side by side in the one live lab.",
)
@runs_option
@json_option
@quiet_option
@click.argument("names", nargs=-1)
def record(
    *,
    world: Which,
    engine: Path | None,
    at_once: int,
    runs: Path,
    as_json: bool,
    quiet: bool,
    names: tuple[str, ...],
) -> int:
    """Play public bug reports: what docker's client says, what the guard says, and the truth.

    NAMES are names, reports (moby#43081) or their numbers; without any, all are played. Each is
    watched for a minute after the last change. Exit code 0: each reproduces where it must and does
    not where it must not, and the guard is right in all; 1: not so; 2: one could not be played.
    """
    screen = Screen(stderr=True, quiet=quiet, highlight=False)
    chosen = {entry.name: entry for entry in map(find, names)} if names else ENTRIES
    entries = list(chosen.values())
    means = choose(world, engine, lambda line: screen.print(Text(line), soft_wrap=True))

    def told(row: Row) -> None:
        screen.print(Text(f"{row.source}: {row.verdict}: {concluded(row)}"), soft_wrap=True)

    folder = EvidenceFolder.create(runs.absolute(), "record")
    table = played(entries, means, folder, at_once, told)
    if as_json:
        click.echo(encode_document(table), nl=False)
    else:
        show_table(table, Screen(highlight=False))
        click.echo(f"evidence: {folder.path}")
    return table.verdict.exit_code


@click.command(name="list")
@runs_option
@json_option
def list_(*, runs: Path, as_json: bool) -> None:
    """List what `stamplab run` plays: its source, its worlds, its last result in each."""
    last = last_rows(runs, ENTRIES.values())
    if as_json:
        listed = [_listed(entry, last) for entry in ENTRIES.values()]
        click.echo(msgspec.json.format(msgspec.json.encode(listed)).decode())
        return
    others = {name: experiment.title for name, experiment in EXPERIMENTS.items()}
    show_list(ENTRIES.values(), others, last, Screen(highlight=False))


def played(
    entries: list[Entry],
    means: Means,
    folder: EvidenceFolder,
    at_once: int,
    told: Told,
) -> Table:
    """Play entries into a folder, with its manifest and its verdict. Raises LabError."""
    stage = Stage(means=means, argv=again(), tell=lambda _: None)
    options: dict[str, object] = {"entries": [entry.name for entry in entries], "at_once": at_once}
    written = manifest("record", stage, options)
    folder.write_json("manifest.json", msgspec.structs.replace(written, abra=_DEPLOYER))
    table = table_of(play_entries(entries, means, folder, at_once, told))
    folder.write_json("verdict.json", table)
    return table


def _listed(entry: Entry, last: dict[tuple[str, str], Row]) -> dict[str, object]:
    rows = {world: row for (name, world), row in last.items() if name == entry.name}
    return {
        "name": entry.name,
        "reports": (entry.label, *entry.also),
        "url": entry.url,
        "title": entry.title,
        "not_in": entry.not_in,
        "last": {
            world: {"verdict": row.verdict, "played_utc": row.played_utc, "evidence": row.evidence}
            for world, row in rows.items()
        },
    }
