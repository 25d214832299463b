"""``stamplab bug-reports`` plays public bug reports, and ``stamplab list`` lists them."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from stamplab.cli.options import engine_option, json_option, quiet_option, runs_option, world_option
from stamplab.invocation import command_line
from stamplab.render import Screen, print_json, print_result, progress_printer
from stamplab.runner.bug_reports.table import OnRow, ReportRow, ReportTable, play_reports, table_of
from stamplab.runner.bug_reports.text import (
    conclusion,
    control_text,
    last_rows,
    show_list,
    show_table,
)
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, manifest
from stamplab.runner.worlds import Means, Which, choose
from stamplab.scenarios.bug_reports.registry import REPORTS_BY_NAME, find
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.stamping.variants import EXPERIMENTS

_AT_ONCE = 9
_DEPLOYER = "none: docker's own client deploys, or in virtual time the swarm's own API"


@click.command(name="bug-reports")
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
def bug_reports(
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
    watched for a minute after the last change, and so is its control, which must not show the same.
    Exit code 0: each reproduces where it must and does not where it must not, no control does, and
    the guard is right in all; 1: not so; 2: one could not be played.
    """
    on_progress = progress_printer(quiet=quiet)
    chosen = {report.name: report for report in map(find, names)} if names else REPORTS_BY_NAME
    reports = list(chosen.values())
    means = choose(world, engine, on_progress)

    def on_row(row: ReportRow) -> None:
        on_progress(f"{row.source}: {row.verdict}: {conclusion(row)}")

    folder = EvidenceFolder.create(runs.absolute(), "bug-reports")
    table = play_into(folder, reports, means, at_once, on_row)
    console = Screen(highlight=False)
    print_result(table, lambda: show_table(table, console), folder.path, as_json=as_json)
    return table.verdict.exit_code


@click.command(name="list")
@runs_option
@json_option
def list_(*, runs: Path, as_json: bool) -> None:
    """List what `stamplab run` plays: its source, its worlds, its last result in each."""
    reports = REPORTS_BY_NAME.values()
    last = last_rows(runs, reports)
    if as_json:
        print_json([_listed(report, last) for report in reports])
        return
    others = {name: experiment.title for name, experiment in EXPERIMENTS.items()}
    show_list(reports, others, last, Screen(highlight=False))


def play_into(
    folder: EvidenceFolder,
    reports: list[BugReport],
    means: Means,
    at_once: int,
    on_row: OnRow,
) -> ReportTable:
    """Play reports into a folder, with its manifest and its verdict. Raises LabError."""
    stage = Stage(means=means, argv=command_line(), on_progress=lambda _: None)
    options = {"entries": [report.name for report in reports], "at_once": at_once}
    written = manifest("bug-reports", stage, options)
    folder.write_json("manifest.json", msgspec.structs.replace(written, abra=_DEPLOYER))
    table = table_of(play_reports(reports, means, folder, at_once, on_row))
    folder.write_json("verdict.json", table)
    return table


def _listed(report: BugReport, last: dict[tuple[str, str], ReportRow]) -> dict[str, object]:
    rows = {world: row for (name, world), row in last.items() if name == report.name}
    return {
        "name": report.name,
        "reports": (report.label, *report.also),
        "url": report.url,
        "title": report.title,
        "not_in": report.not_in,
        "control": control_text(report),
        "last": {
            world: {"verdict": row.verdict, "played_utc": row.played_utc, "evidence": row.evidence}
            for world, row in rows.items()
        },
    }
