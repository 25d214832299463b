"""The table of the record: what the client said of each, what the guard said, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from stamplab.harness.checks.deploy_ground_truth import WATCH_S
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.errors import LabError
from stamplab.lab.live.world import LiveWorld
from stamplab.lab.model.history import (
    CommandRan,
    ContainerEnded,
    Deployed,
    EngineEvent,
    History,
    Note,
    Record,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.model.history_file import encode_history, read_history
from stamplab.lab.model.swarm import SERVICE_NAME_LABEL
from stamplab.lab.world import World
from stamplab.runner.bug_reports.deployer import operator_on
from stamplab.runner.bug_reports.player import Play
from stamplab.runner.bug_reports.side_by_side import conduct
from stamplab.runner.bug_reports.verdict import Judged, judge
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.worlds import Live, Means, Opening
from stamplab.scenarios.bug_reports.report import Entry
from stamplab.scenarios.bug_reports.timeline import Client, Command, Played


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One deploy of a row."""

    deploy: str
    client: Client | None
    guard: str
    guard_reason: str
    guard_after_s: float
    """How long after the deploy the guard ruled."""
    command: Command | None = None
    """What ``stamplab guard`` said, where there is an engine that it can reach."""
    truth: str
    truth_reason: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One entry in one world; its verdict.json holds it."""

    name: str
    source: str
    title: str
    world: str
    engine: str
    client: str
    """The docker client's version; empty where there is none."""
    played_utc: str
    verdict: Verdict
    judged: Judged | None = None
    said: tuple[Said, ...] = ()
    why: str = ""
    """Why it was not played to its end, or is not played in this world."""
    evidence: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of one command; verdict.json holds it."""

    verdict: Verdict
    rows: tuple[Row, ...]


Told = Callable[[Row], None]


def table_of(rows: Sequence[Row]) -> Table:
    """The table's verdict: every entry as expected, the guard right in all."""
    return Table(verdict=merge(row.verdict for row in rows), rows=tuple(rows))


def play_entries(
    entries: Sequence[Entry],
    means: Means,
    folder: EvidenceFolder,
    at_once: int,
    told: Told,
    watch_s: float = WATCH_S,
) -> tuple[Row, ...]:
    """Play entries, each with a part of the evidence; ``told`` hears of each as it is over.

    Live all are played in one lab, ``at_once`` side by side. Raises LabError: the lab failed.
    """
    playable = [entry for entry in entries if means.engine.world not in entry.not_in]
    playable.sort(key=lambda entry: -entry.timeout_s)  # what lasts longest is not to begin last
    rows = [_left_out(entry, means) for entry in entries if means.engine.world in entry.not_in]
    for row in rows:
        told(row)
    opening = Opening(service="web")
    if isinstance(means, Live):
        with means.open(folder.path, opening) as (world, _):
            played = _conducted(playable, means, world, folder, at_once, told, watch_s)
        history, _ = read_history(folder.path / "history.jsonl")
        for row in played:
            _keep(row, folder.part(row.name), history)
        return _in_order(entries, [*rows, *played])
    for entry in playable:
        part = folder.part(entry.name)
        with means.open(part.path, opening) as (world, _):
            rows += _conducted([entry], means, world, folder, 1, told, watch_s)
        part.write_json("verdict.json", rows[-1])
    return _in_order(entries, rows)


def _in_order(entries: Sequence[Entry], rows: Sequence[Row]) -> tuple[Row, ...]:
    by_name = {row.name: row for row in rows}
    return tuple(by_name[entry.name] for entry in entries)


def _conducted(
    entries: Sequence[Entry],
    means: Means,
    world: World,
    folder: EvidenceFolder,
    at_once: int,
    told: Told,
    watch_s: float,
) -> list[Row]:
    rows: list[Row] = []
    image = means.apparatus.image if isinstance(means, Live) else None
    client = _client_version(world)
    operator = operator_on(world, image)

    def over(play: Play, error: LabError | None) -> None:
        row = _row(play.entry, means, client, play.played, error)
        rows.append(msgspec.structs.replace(row, evidence=str(folder.path / play.entry.name)))
        told(rows[-1])

    conduct(world, [Play(entry, world, operator, watch_s) for entry in entries], at_once, over)
    return rows


def _row(
    entry: Entry, means: Means, client: str, played: Played | None, error: LabError | None
) -> Row:
    engine = means.engine
    judged = judge(entry, played, engine.world, engine.version) if played else None
    return Row(
        name=entry.name,
        source=entry.label,
        title=entry.title,
        world=engine.world,
        engine=engine.version,
        client=client,
        played_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=judged.verdict if judged else Verdict.UNKNOWN,
        judged=judged,
        said=_said(played) if played else (),
        why=str(error) if error else "",
    )


def _left_out(entry: Entry, means: Means) -> Row:
    """An entry that this world cannot show: nothing is claimed of it."""
    row = _row(entry, means, "", None, None)
    why = entry.not_in[means.engine.world]
    return msgspec.structs.replace(row, verdict=Verdict.PASS, why=f"not played: {why}")


def _said(played: Played) -> tuple[Said, ...]:
    return tuple(
        Said(
            deploy=tried.what,
            client=tried.client,
            guard=tried.ruling.outcome,
            guard_reason=tried.ruling.reason,
            guard_after_s=round(tried.ruling.decided_s - tried.at_s, 3),
            command=tried.command,
            truth=tried.truth.fate,
            truth_reason=tried.truth.text,
        )
        for tried in played.tried
    )


def _client_version(world: World) -> str:
    if not isinstance(world, LiveWorld):
        return ""
    asked = ("version", "--format", "{{.Client.Version}}")
    return world.daemon.run_client(asked, {}, world.scratch).output.strip()


def _keep(row: Row, part: EvidenceFolder, history: History) -> None:
    """Put an entry's own part of the lab's history beside its row."""
    own = [record for record in history if is_of(row.name, record)]
    part.write("history.jsonl", encode_history(own))
    part.write_json("verdict.json", row)


def is_of(stack: str, record: Record) -> bool:
    """Whether a record is of one stack of several in a lab."""
    match record.what:
        case ServiceSeen(name=name) | TasksSeen(service=name):
            return name.startswith(f"{stack}_")
        case Deployed(stack=name):
            return name == stack
        case CommandRan(argv=argv):
            return any(word.startswith(f"{stack}_") for word in argv)
        case EngineEvent(attributes=attributes):
            name = attributes.get(SERVICE_NAME_LABEL) or attributes.get("name") or ""
            return name.startswith(f"{stack}_")
        case ContainerEnded():
            return True
        case Note(stack=name):
            return name == stack
        case _:
            return False
