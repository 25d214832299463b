"""Bug reports on a terminal: a notebook page a report, a table of all, and the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from stamplab.harness.verdict import Verdict
from stamplab.lab.model.schema import decode_document
from stamplab.render import VERDICT_STYLES
from stamplab.runner.bug_reports.table import DeployRow, ReportRow, ReportTable
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.results import ClientResult
from stamplab.scenarios.bug_reports.step import Create, Deploy, describe

WORLDS = ("live", "virtual")


def show_page(report: BugReport, console: Console) -> None:
    """Print what is reported, by which steps it is played, and what it is recognised by."""
    console.print(Text(f"{_sources(report)}: {report.title}", style="bold"))
    if report.url:
        console.print(Text(f"  {report.url}"), soft_wrap=True)
    for what, text in (("seen", report.seen), ("expected", report.expected)):
        if text:
            console.print(Text(f"  {what + ':':<10}{text}"))
    for number, step in enumerate(report.steps, start=1):
        console.print(Text(f"  {number}. {describe(step)}"))
    signs = "; ".join(sign.text for sign in report.signature)
    console.print(Text(f"  reproduced if: {signs}"))
    console.print(Text(f"  control:  {control_text(report)}"))


def show_row(row: ReportRow, console: Console) -> None:
    """Print what came of one play."""
    where = f"{row.world}, {row.engine}" + (f", docker client {row.client}" if row.client else "")
    console.print(Text(f"\n{row.source} ({where})", style="bold"))
    for deploy in row.deploys:
        console.print(Text(f"  {deploy.deploy}"))
        console.print(Text(f"    client: {client_text(deploy.client)}"))
        ruled = f"{deploy.guard} after {deploy.guard_after_s:.1f} s: {deploy.guard_reason}"
        console.print(Text(f"    guard:  {ruled}"))
        if deploy.command is not None:
            reason = deploy.command.reason
            console.print(Text(f"    stamplab guard: exit {deploy.command.exit_code}: {reason}"))
        console.print(Text(f"    truth:  {deploy.truth}: {deploy.truth_reason}"))
    console.print(Text(f"  {conclusion(row)}", style=VERDICT_STYLES[row.verdict]))


def show_table(table: ReportTable, console: Console) -> None:
    """Print all rows, a line a deploy."""
    first = table.rows[0] if table.rows else None
    clients = sorted({row.client for row in table.rows if row.client})
    engine = f"{first.world}, {first.engine}" if first else "nothing was played"
    title = f"bug reports ({engine}; docker client {', '.join(clients) or 'none'})"
    grid = Grid(title=title, title_justify="left", show_lines=True)
    for column in ("report", "docker client's wait", "guard", "truth", "so"):
        grid.add_column(column, overflow="fold")
    for row in table.rows:
        grid.add_row(
            Text.assemble((row.source, "bold"), f"\n{row.title}"),
            Text(_lines(row, lambda deploy: client_text(deploy.client))),
            Text(_lines(row, _guards_text)),
            Text(_lines(row, lambda deploy: deploy.truth)),
            Text(conclusion(row), style=VERDICT_STYLES[row.verdict]),
        )
    console.print(grid)
    console.print(Text(f"verdict: {table.verdict}", style=VERDICT_STYLES[table.verdict]))


def show_list(
    reports: Iterable[BugReport],
    others: Mapping[str, str],
    last: Mapping[tuple[str, str], ReportRow],
    console: Console,
) -> None:
    """Print everything that `stamplab run` plays, with its last result in each world."""
    grid = Grid(title="stamplab run NAME", title_justify="left")
    grid.add_column("name", no_wrap=True)
    for column in ("source, title", "control", *WORLDS):
        grid.add_column(column, overflow="fold")
    for report in reports:
        results = [_last(report, world, last) for world in WORLDS]
        about = Text(f"{_sources(report)}: {report.title}")
        grid.add_row(Text(report.name), about, Text(control_text(report)), *results)
    for name, title in others.items():
        grid.add_row(
            Text(name), Text(f"C2: {title}"), Text(""), Text("no daemon"), Text("no daemon")
        )
    console.print(grid)


def last_rows(runs: Path, reports: Iterable[BugReport]) -> dict[tuple[str, str], ReportRow]:
    """Return the newest row of each report and world among all evidence; skip what cannot be read.

    Evidence may be of an older program, so a row that is none is no error. Raises NewerSchema.
    """
    newest: dict[tuple[str, str], ReportRow] = {}
    for report in reports:
        for path in runs.glob(f"*/*/{report.name}/verdict.json"):
            try:
                row = decode_document(path.read_bytes(), ReportRow, path)
            except (OSError, msgspec.MsgspecError):
                continue
            before = newest.get((row.name, row.world))
            if before is None or before.played_utc < row.played_utc:
                newest[row.name, row.world] = row
    return newest


def client_text(client: ClientResult | None) -> str:
    """How a client's wait ended, in a clause."""
    if client is None:
        return "none here"
    if client.exit_code is None:
        return f"still waiting after {client.waited_s:.0f} s: {client.last_words}"
    return f"exit {client.exit_code} after {client.waited_s:.1f} s: {client.last_words}"


def _guards_text(deploy: DeployRow) -> str:
    """Return what both guards say: the one in the lab, and the command as any CI runs it."""
    code = f", exit {deploy.command.exit_code}" if deploy.command else ""
    return f"{deploy.guard} ({deploy.guard_after_s:.0f} s){code}"


def conclusion(row: ReportRow) -> str:
    """Return what follows from a row, in a sentence."""
    result = row.result
    if result is None:
        return row.why
    is_expected = result.reproduced == result.must
    if result.reproduced:
        text = "reproduced" + (", as it must" if is_expected else ", and that is unexpected")
    elif result.must:
        missing = "; ".join(result.missing)
        text = f"not reproduced: missing sign {missing}, and that is unexpected"
    else:
        text = "not reproduced, as it must not be"
    right = "the guard was right when it ruled" if result.later else "the guard is right"
    text += f"; {'; '.join((*(result.wrong or (right,)), *result.later))}"
    if result.unseen:
        text += f"; not to be seen here: {'; '.join(result.unseen)}"
    if result.differences:
        text += f"; another shape: {'; '.join(result.differences)}"
    return text + _control_conclusion(row)


def _control_conclusion(row: ReportRow) -> str:
    """Return what is wrong with a row's control; empty where nothing is."""
    control = row.control
    if control is None or control.verdict is Verdict.PASS:
        return ""
    if control.reproduced:
        return "; its control shows the same, so it shows nothing"
    return f"; its control: {'; '.join(control.wrong) or control.why}"


def control_text(report: BugReport) -> str:
    """Return a report's control: what is deployed last in it, or why there is none."""
    if isinstance(report.control, str):
        return f"none: {report.control}"
    return next(
        (
            describe(step)
            for step in reversed(report.control)
            if isinstance(step, Deploy) or (isinstance(step, Create) and step.judged)
        ),
        "",
    )


def _lines(row: ReportRow, part: Callable[[DeployRow], str]) -> str:
    return "\n".join(part(deploy) for deploy in row.deploys)


def _last(report: BugReport, world: str, last: Mapping[tuple[str, str], ReportRow]) -> Text:
    if world in report.not_in:
        return Text("not possible")
    row = last.get((report.name, world))
    if row is None:
        return Text("not played")
    return Text(f"{row.verdict}, {row.played_utc[:10]}", style=VERDICT_STYLES[row.verdict])


def _sources(report: BugReport) -> str:
    return ", ".join((report.label, *report.also))
