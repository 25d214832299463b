"""How the record looks on a terminal: a notebook page an entry, a table of all, and the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from stamplab.lab.model.schema import decode_document
from stamplab.render import VERDICT_STYLES
from stamplab.runner.bug_reports.table import Row, Said, Table
from stamplab.scenarios.bug_reports.report import Entry
from stamplab.scenarios.bug_reports.step import told
from stamplab.scenarios.bug_reports.timeline import Client

WORLDS = ("live", "virtual")


def show_page(entry: Entry, console: Console) -> None:
    """Print what is reported, by which steps it is played, and what it is recognised by."""
    console.print(Text(f"{_reports(entry)}: {entry.title}", style="bold"))
    if entry.url:
        console.print(Text(f"  {entry.url}"), soft_wrap=True)
    console.print(Text(f"  seen:     {entry.seen}"))
    console.print(Text(f"  expected: {entry.expected}"))
    for number, step in enumerate(entry.steps, start=1):
        console.print(Text(f"  {number}. {told(step)}"))
    signs = "; ".join(sign.text for sign in entry.signature)
    console.print(Text(f"  reproduced if: {signs}"))


def show_row(row: Row, console: Console) -> None:
    """Print what came of one play."""
    where = f"{row.world}, {row.engine}" + (f", docker client {row.client}" if row.client else "")
    console.print(Text(f"\n{row.source} ({where})", style="bold"))
    for said in row.said:
        console.print(Text(f"  {said.deploy}"))
        console.print(Text(f"    client: {of_client(said.client)}"))
        console.print(
            Text(f"    guard:  {said.guard} after {said.guard_after_s:.1f} s: {said.guard_reason}")
        )
        if said.command is not None:
            words = said.command.reason
            console.print(Text(f"    stamplab guard: exit {said.command.exit_code}: {words}"))
        console.print(Text(f"    truth:  {said.truth}: {said.truth_reason}"))
    console.print(Text(f"  {concluded(row)}", style=VERDICT_STYLES[row.verdict]))


def show_table(table: Table, console: Console) -> None:
    """Print all rows, a line a deploy."""
    first = table.rows[0] if table.rows else None
    clients = sorted({row.client for row in table.rows if row.client})
    engine = f"{first.world}, {first.engine}" if first else "nothing was played"
    title = f"the public record ({engine}; docker client {', '.join(clients) or 'none'})"
    grid = Grid(title=title, title_justify="left", show_lines=True)
    for column in ("report", "docker client's wait", "guard", "truth", "so"):
        grid.add_column(column, overflow="fold")
    for row in table.rows:
        grid.add_row(
            Text.assemble((row.source, "bold"), f"\n{row.title}"),
            Text(_lines(row, lambda said: of_client(said.client))),
            Text(_lines(row, _of_guards)),
            Text(_lines(row, lambda said: said.truth)),
            Text(concluded(row), style=VERDICT_STYLES[row.verdict]),
        )
    console.print(grid)
    console.print(Text(f"verdict: {table.verdict}", style=VERDICT_STYLES[table.verdict]))


def show_list(
    entries: Iterable[Entry],
    others: Mapping[str, str],
    last: Mapping[tuple[str, str], Row],
    console: Console,
) -> None:
    """Print everything that `stamplab run` plays, with its last result in each world."""
    grid = Grid(title="stamplab run NAME", title_justify="left")
    grid.add_column("name", no_wrap=True)
    for column in ("source, title", *WORLDS):
        grid.add_column(column, overflow="fold")
    for entry in entries:
        results = [_last(entry, world, last) for world in WORLDS]
        grid.add_row(Text(entry.name), Text(f"{_reports(entry)}: {entry.title}"), *results)
    for name, title in others.items():
        grid.add_row(Text(name), Text(f"C2: {title}"), Text("no daemon"), Text("no daemon"))
    console.print(grid)


def last_rows(runs: Path, entries: Iterable[Entry]) -> dict[tuple[str, str], Row]:
    """The newest row of each entry and world among all evidence; what cannot be read is passed by.

    Evidence may be of an older program, so a row that is none is no error. Raises NewerSchema.
    """
    newest: dict[tuple[str, str], Row] = {}
    for entry in entries:
        for path in runs.glob(f"*/*/{entry.name}/verdict.json"):
            try:
                row = decode_document(path.read_bytes(), Row, path)
            except (OSError, msgspec.MsgspecError):
                continue
            before = newest.get((row.name, row.world))
            if before is None or before.played_utc < row.played_utc:
                newest[row.name, row.world] = row
    return newest


def of_client(client: Client | None) -> str:
    """How a client's wait ended, in a clause."""
    if client is None:
        return "none here"
    if client.exit_code is None:
        return f"still waiting after {client.waited_s:.0f} s: {client.last_words}"
    return f"exit {client.exit_code} after {client.waited_s:.1f} s: {client.last_words}"


def _of_guards(said: Said) -> str:
    """What both guards say: the one in the lab, and the command as any CI runs it."""
    code = f", exit {said.command.exit_code}" if said.command else ""
    return f"{said.guard} ({said.guard_after_s:.0f} s){code}"


def concluded(row: Row) -> str:
    """What follows from a row, in a sentence."""
    judged = row.judged
    if judged is None:
        return row.why
    said = "reproduced" if judged.reproduced else f"not reproduced ({'; '.join(judged.missing)})"
    said += ", as it must" if judged.reproduced == judged.must else ", and that is unexpected"
    if not judged.reproduced and not judged.must:
        said = "not reproduced, as it must not be"
    right = "the guard was right when it ruled" if judged.later else "the guard is right"
    said += f"; {'; '.join((*(judged.wrong or (right,)), *judged.later))}"
    if judged.unseen:
        said += f"; not to be seen here: {'; '.join(judged.unseen)}"
    if judged.differences:
        said += f"; another shape: {'; '.join(judged.differences)}"
    return said


def _lines(row: Row, part: Callable[[Said], str]) -> str:
    return "\n".join(part(said) for said in row.said)


def _last(entry: Entry, world: str, last: Mapping[tuple[str, str], Row]) -> Text:
    if world in entry.not_in:
        return Text("not possible")
    row = last.get((entry.name, world))
    if row is None:
        return Text("not played")
    return Text(f"{row.verdict}, {row.played_utc[:10]}", style=VERDICT_STYLES[row.verdict])


def _reports(entry: Entry) -> str:
    return ", ".join((entry.label, *entry.also))
