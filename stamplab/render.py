"""How results look on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stamplab.harness.checks.tool_constancy import day, describe
from stamplab.harness.verdict import Verdict
from stamplab.lab.model.schema import encode_document

if TYPE_CHECKING:  # each command prints one kind of these, and loads no other's modules
    from stamplab.claims.discourse import Claim
    from stamplab.claims.negative_controls import ControlResult
    from stamplab.cli.repro_discourse import Report
    from stamplab.harness.checks.tool_constancy import ProfileEvent, ToolRuling
    from stamplab.lab.live.doctor import Check
    from stamplab.lab.live.inventory import Item
    from stamplab.lab.live.reaper import LabRemoval
    from stamplab.lab.nixos.generations import Profile
    from stamplab.lab.recipe.trust import Demand
    from stamplab.runner.stamping.verdict import Stamped

VERDICT_STYLES = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.UNKNOWN: "bold yellow",
}
_STATE_STYLES = {
    "ok": "bold green",
    "note": "bold yellow",
    "lack": "bold red",
    "unknown": "bold magenta",
}
"""By the value of `stamplab.lab.live.doctor.CheckState`."""


class Screen(Console):
    """A console whose reader may go away: that is no verdict, so it must not exit with 1."""

    def on_broken_pipe(self) -> None:
        """Raise what `main` turns into exit code 2; rich itself would exit with 1."""
        raise BrokenPipeError


def progress_printer(*, quiet: bool) -> Callable[[str], None]:
    """Return a function that prints a line of progress on stderr, unless that is not wanted."""
    screen = Screen(stderr=True, quiet=quiet, highlight=False)
    return lambda line: screen.print(Text(line), soft_wrap=True)


def print_result(
    document: object, show: Callable[[], None], evidence: Path | str, *, as_json: bool
) -> None:
    """Print a result on stdout: its document for a machine; for a person, and where it lies."""
    if as_json:
        click.echo(encode_document(document), nl=False)
    else:
        show()
        click.echo(f"evidence: {evidence}")


def print_json(document: object) -> None:
    """Print findings that are no evidence as readable JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())


def show_inventory(items: Sequence[Item]) -> None:
    """Print each program's version and path, a line each, whole on any terminal."""
    for item in items:
        where = item.path or "not found"
        click.echo(f"{item.name:<24}{item.version or '-':<20}{where}")


def print_report(report: Report, *, as_json: bool) -> None:
    """Print a report on stdout, for a machine or for a person."""
    if as_json:
        click.echo(encode_document(report), nl=False)
    else:
        show_report(report, Screen(highlight=False))


def show_report(report: Report, console: Console) -> None:
    """Print the claims with verdict, evidence and where it lies; then the trials, then the end."""
    table = Table(title=report.title, show_lines=True, title_justify="left")
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("measured, and where it lies")
    for claim in report.claims:
        table.add_row(
            Text(claim.id),
            _verdict_of(claim),
            Text.assemble(
                (claim.text, "bold"),
                f"\n{claim.evidence or claim.not_possible_here}",
                (f"\n{claim.where}" if claim.where else "", "dim italic"),
            ),
        )
    console.print(table)
    if report.negative_controls:
        _show_control_results(report.negative_controls, console)
    for trials in report.trials:
        console.print(Text(f"{trials.proportion} {trials.what}"))
        for reason in trials.lacking:
            console.print(Text(f"    not: {reason}"))
    if report.note:
        console.print(Text(report.note))
    console.print(Text(report.reproduced))
    console.print(
        Text(f"deployed by: {report.abra}; what is known of its fidelity is in docs/abra.md")
    )
    console.print(Text(f"replay: {report.replay}"))
    console.print(Text(f"evidence: {report.evidence}"), soft_wrap=True)
    console.print(Text(f"verdict: {report.verdict}", style=VERDICT_STYLES[report.verdict]))


def _verdict_of(claim: Claim) -> Text:
    if claim.verdict is None:
        return Text("not possible here", style="dim")
    return Text(claim.verdict, style=VERDICT_STYLES[claim.verdict])


def _show_control_results(negative_controls: Sequence[ControlResult], console: Console) -> None:
    """Print how each upgrade that must fail did fail."""
    table = Table(title="C9: what must still fail", show_lines=True, title_justify="left")
    table.add_column("planted, or broken", overflow="fold")
    table.add_column("order", no_wrap=True)
    table.add_column("upgrade", no_wrap=True)
    table.add_column("its sentence, and whether that is right", overflow="fold", ratio=1)
    for result in negative_controls:
        is_right = _is_right(result, "as it should")
        sentence = Text.assemble(result.sentence, "\n", is_right)
        table.add_row(Text(result.broken), Text(result.order), Text(result.end), sentence)
    console.print(table)


def _is_right(result: ControlResult | Stamped, praise: str) -> Text:
    text = praise if result.verdict is Verdict.PASS else result.wrong
    return Text(text, style=VERDICT_STYLES[result.verdict])


def show_stamped(stamped: Sequence[Stamped], console: Console) -> None:
    """Print which stamp each experiment took, whose commit that is, and how it ended."""
    table = Table(title="C2: what abra stamps", show_lines=True, title_justify="left")
    table.add_column("experiment", overflow="fold")
    table.add_column("stamp", no_wrap=True)
    table.add_column("whose commit, and how it ended", overflow="fold", ratio=1)
    for result in stamped:
        is_right = _is_right(result, "as it must be")
        table.add_row(
            Text.assemble((result.name, "bold"), "\n", result.title),
            Text(result.stamp or "none"),
            Text.assemble(
                f"{result.whose}; {result.bailed}; by {result.by or 'nobody'}\n", is_right
            ),
        )
    console.print(table)


def show_reaped(reaped: Sequence[LabRemoval], console: Console) -> None:
    """Print what was removed of dead labs, a line each, and what could not be."""
    for removal in reaped:
        end = f"not removed: {removal.resisted}" if removal.resisted else "removed"
        console.print(Text(f"{removal.lab.name}: {removal.lab.what}; {end}"), soft_wrap=True)
    if not reaped:
        console.print(Text("no dead lab has left anything"))


def show_checks(checks: Sequence[Check], conclusion: str, console: Console) -> None:
    """Print what doctor found, a row a check, and its conclusion."""
    table = Table(title="doctor: this machine", show_lines=True, title_justify="left")
    table.add_column("check", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found, and what it means", overflow="fold")
    for check in checks:
        lines = [Text(check.facts, style="bold"), *([Text(check.means)] if check.means else [])]
        state = Text(check.state, style=_STATE_STYLES[check.state])
        table.add_row(Text(check.name), state, Text("\n").join(lines))
    console.print(table)
    console.print(Text(conclusion))


def show_demands(path: str, demands: Sequence[Demand], console: Console) -> None:
    """Print what a recipe would be refused for, a line each."""
    if not demands:
        console.print(Text(f"{path}: nothing is refused"), soft_wrap=True)
    for demand in demands:
        remedy = f"--trust {demand.grant}" if demand.grant else "nothing allows it"
        console.print(Text(f"{path}: {demand}: {remedy}"), soft_wrap=True)


def show_generations(tool: str, read: Profile, ruling: ToolRuling, console: Console) -> None:
    """Print which tool each generation has, a row each, and what follows."""
    table = Table(title=f"generations: {tool}", title_justify="left")
    table.add_column("generation", no_wrap=True)
    table.add_column("made", no_wrap=True)
    table.add_column("the tool's store path", overflow="fold")
    table.add_column("changed?", no_wrap=True)
    changed_at = {change.after for change in ruling.changes}
    for step in ruling.steps:
        table.add_row(
            Text(_which(step, read)),
            Text(day(step.made) if step.made else ""),
            Text(describe(step.tool)),
            Text("changed" if step in changed_at else "" if step.path else "unknown"),
        )
    if ruling.steps:
        console.print(table)
    console.print(
        Text(f"{tool}: {ruling.sentence}", style=VERDICT_STYLES[ruling.verdict]), soft_wrap=True
    )


def _which(step: ProfileEvent, read: Profile) -> str:
    if step.first != step.last:
        return f"{step.first} to {step.last}"
    if step.is_switch:
        return f"{step.first} (switched to)"
    is_current = read.current is not None and read.current.number == step.first
    return f"{step.first}{' (current)' if is_current else ''}"
