"""The table of bug reports: what the client said of each, what the guard said, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from stamplab.harness.checks.ground_truth import WATCH_S
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.errors import LabError
from stamplab.lab.live.world import LiveWorld
from stamplab.lab.model.history_file import encode_history, read_history
from stamplab.lab.world import World
from stamplab.runner.bug_reports.deployer import deployer_on
from stamplab.runner.bug_reports.own_records import is_of
from stamplab.runner.bug_reports.player import BugReportPlayer
from stamplab.runner.bug_reports.side_by_side import play_side_by_side
from stamplab.runner.bug_reports.verdict import ControlVerdict, ReportVerdict, judge, judge_control
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.worlds import Live, Means, Opening
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.results import BugReportPlay, ClientResult, GuardResult

CONTROL_WATCH_S = 25.0
"""How long a control is watched after its last change: longer than what counts as steady."""


class DeployRow(msgspec.Struct, frozen=True, kw_only=True):
    """One deploy of a report."""

    deploy: str
    client: ClientResult | None
    guard: str
    guard_reason: str
    guard_after_s: float
    """How long after the deploy the guard ruled."""
    command: GuardResult | None = None
    """What ``stamplab guard`` said, where there is an engine that it can reach."""
    truth: str
    truth_reason: str


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One report in one world; its verdict.json holds it."""

    name: str
    source: str
    title: str
    world: str
    engine: str
    client: str
    """The docker client's version; empty where there is none."""
    played_utc: str
    verdict: Verdict
    result: ReportVerdict | None = msgspec.field(name="judged", default=None)
    deploys: tuple[DeployRow, ...] = msgspec.field(name="said", default=())
    control: ControlVerdict | None = None
    """None where there is no control, or none was played."""
    why: str = ""
    """Why it was not played to its end, or is not played in this world."""
    evidence: str = ""


class ReportTable(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of one command; verdict.json holds it."""

    verdict: Verdict
    rows: tuple[ReportRow, ...]


OnRow = Callable[[ReportRow], None]


def table_of(rows: Sequence[ReportRow]) -> ReportTable:
    """Merge the rows: every report as expected, no control like it, the guard right in all."""
    return ReportTable(verdict=merge(row.verdict for row in rows), rows=tuple(rows))


def play_reports(
    reports: Sequence[BugReport],
    means: Means,
    folder: EvidenceFolder,
    at_once: int,
    on_row: OnRow,
    watch_s: float = WATCH_S,
) -> tuple[ReportRow, ...]:
    """Play reports and their controls; ``on_row`` is called with the row of each report.

    Each play has a part of the evidence. Live all are played in one lab, ``at_once`` side by side;
    a virtual swarm costs next to nothing, so there each play has one of its own. Raises LabError:
    the lab failed.
    """
    in_turn = sorted(reports, key=lambda report: -report.timeout_s)  # the longest begins first
    round_ = _Round(in_turn, means, folder, on_row)
    parts = {play.name: folder.part(play.name) for play in round_.plays}
    if isinstance(means, Live):
        round_.play(round_.plays, folder, at_once, watch_s)
        history, _ = read_history(folder.path / "history.jsonl")
        for name, part in parts.items():
            own = [record for record in history if is_of(name, record)]
            part.write("history.jsonl", encode_history(own))
    else:
        for play in round_.plays:
            round_.play([play], parts[play.name], 1, watch_s)
    for row in round_.rows.values():
        if row.name in parts:
            parts[row.name].write_json("verdict.json", row)
    return tuple(round_.rows[report.name] for report in reports)


class _Round:
    """Reports that are played together, each with its control, and the rows that they come to."""

    def __init__(
        self, reports: Sequence[BugReport], means: Means, folder: EvidenceFolder, on_row: OnRow
    ) -> None:
        self.plays: list[BugReport] = []
        """What is to be played: the reports that this world can show, each with its control."""
        self.rows: dict[str, ReportRow] = {}
        self._means = means
        self._folder = folder
        self._on_row = on_row
        self._client = ""
        self._ends: dict[str, BugReportPlay | LabError] = {}
        self._reports: dict[str, BugReport] = {}
        """By the names of their plays, their controls' as well."""
        for report in reports:
            self._reports |= {play.name: report for play in report.plays}
            if means.engine.world in report.not_in:
                self._add(self._left_out(report))
            else:
                self.plays += report.plays

    def play(
        self, plays: Sequence[BugReport], place: EvidenceFolder, at_once: int, watch_s: float
    ) -> None:
        """Play some of them in a new world. Raises LabError when the world itself fails."""
        image = self._means.apparatus.image if isinstance(self._means, Live) else None
        with self._means.open(place.path, Opening(service="web")) as (world, _):
            self._client = _client_version(world)
            deployer = deployer_on(world, image)
            players = []
            for play in plays:
                is_control = play.name != self._reports[play.name].name
                own_s = min(watch_s, CONTROL_WATCH_S) if is_control else watch_s
                players.append(BugReportPlayer(play, world, deployer, own_s))
            play_side_by_side(world, players, at_once, self._on_end)

    def _on_end(self, player: BugReportPlayer, error: LabError | None) -> None:
        name = player.report.name
        self._ends[name] = error or player.play or LabError(f"{name} has not come to its end")
        report = self._reports[name]
        names = [play.name for play in report.plays]
        if self._ends.keys() >= set(names):
            self._add(self._row(report, *(self._ends[name] for name in names)))

    def _add(self, row: ReportRow) -> None:
        self.rows[row.name] = row
        self._on_row(row)

    def _row(
        self,
        report: BugReport,
        end: BugReportPlay | LabError | None = None,
        control_end: BugReportPlay | LabError | None = None,
    ) -> ReportRow:
        engine = self._means.engine
        play = end if isinstance(end, BugReportPlay) else None
        result = judge(report, play, engine.world, engine.version) if play else None
        control_verdict = _control_verdict(report, control_end) if control_end else None
        verdicts = [result.verdict if result else Verdict.UNKNOWN]
        verdicts += [control_verdict.verdict] if control_verdict else []
        return ReportRow(
            name=report.name,
            source=report.label,
            title=report.title,
            world=engine.world,
            engine=engine.version,
            client=self._client,
            played_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            verdict=merge(verdicts),
            result=result,
            deploys=_deploy_rows(play) if play else (),
            control=control_verdict,
            why=str(end) if isinstance(end, LabError) else "",
            evidence=str(self._folder.path / report.name),
        )

    def _left_out(self, report: BugReport) -> ReportRow:
        """Return the row of a report that this world cannot show: nothing is claimed of it."""
        why = f"not played: {report.not_in[self._means.engine.world]}"
        row = self._row(report)
        return msgspec.structs.replace(row, verdict=Verdict.PASS, why=why, evidence="")


def _control_verdict(report: BugReport, end: BugReportPlay | LabError) -> ControlVerdict:
    if isinstance(end, LabError):
        return ControlVerdict(verdict=Verdict.UNKNOWN, why=str(end))
    return judge_control(report, end)


def _deploy_rows(play: BugReportPlay) -> tuple[DeployRow, ...]:
    return tuple(
        DeployRow(
            deploy=result.what,
            client=result.client,
            guard=result.ruling.outcome,
            guard_reason=result.ruling.reason,
            guard_after_s=round(result.ruling.decided_s - result.at_s, 3),
            command=result.command,
            truth=result.truth.outcome,
            truth_reason=result.truth.text,
        )
        for result in play.deploys
    )


def _client_version(world: World) -> str:
    if not isinstance(world, LiveWorld):
        return ""
    asked = ("version", "--format", "{{.Client.Version}}")
    return world.daemon.run_client(asked, {}, world.scratch).output.strip()
