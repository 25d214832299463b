"""How results look on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.verdict import Verdict
from scenarios.repro import Report

_STYLES = {Verdict.PASS: "bold green", Verdict.FAIL: "bold red", Verdict.UNKNOWN: "bold yellow"}


def show_report(report: Report, console: Console) -> None:
    """Print the claims with verdict, evidence and where it lies; then the trials, then the end."""
    table = Table(title="discourse: the report's claims", show_lines=True, title_justify="left")
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("measured, and where it lies")
    for claim in report.claims:
        table.add_row(
            Text(claim.id),
            Text(claim.verdict, style=_STYLES[claim.verdict]),
            Text.assemble(
                (claim.text, "bold"), "\n", claim.evidence, "\n", (claim.where, "dim italic")
            ),
        )
    console.print(table)
    for trials in report.trials:
        console.print(Text(f"{trials.proportion} {trials.what}"))
        for reason in trials.lacking:
            console.print(Text(f"    not: {reason}"))
    if report.note:
        console.print(Text(report.note))
    console.print(Text(report.reproduced))
    console.print(Text(f"deployed by: {report.abra}; its fidelity to abra is not proved yet"))
    console.print(Text(f"replay: {report.replay}"))
    console.print(Text(f"evidence: {report.evidence}"), soft_wrap=True)
    console.print(Text(f"verdict: {report.verdict}", style=_STYLES[report.verdict]))
