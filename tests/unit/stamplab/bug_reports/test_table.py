"""The table: its rows, what is said of them, and what is remembered of earlier ones."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from stamplab.harness.guard import Outcome
from stamplab.harness.verdict import Verdict
from stamplab.lab.model.history import CommandRan, Deployed, EngineEvent, Note, Record
from stamplab.lab.model.history_file import read_history
from stamplab.lab.model.service_request import ServiceRequest
from stamplab.runner.bug_reports.own_records import is_of
from stamplab.runner.bug_reports.table import ReportRow, play_reports, table_of
from stamplab.runner.bug_reports.text import (
    client_text,
    conclusion,
    control_text,
    last_rows,
    show_list,
    show_page,
    show_row,
    show_table,
)
from stamplab.runner.bug_reports.verdict import ReportVerdict
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.worlds import Virtual
from stamplab.scenarios.bug_reports.registry import REPORTS_BY_NAME, find
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.results import ClientResult, GuardResult
from stamplab.scenarios.bug_reports.step import Create
from tests.unit.stamplab.bug_reports.made import BASE, gone, service

JUDGED = ReportVerdict(
    verdict=Verdict.PASS,
    reproduced=True,
    must=True,
    missing=(),
    unseen=(),
    wrong=(),
    later=(),
    differences=(),
)


def row(name: str = "label-only", **changes: object) -> ReportRow:
    made = ReportRow(
        name=name,
        source="moby#29012",
        title="t",
        world="virtual",
        engine="e",
        client="",
        played_utc="2026-01-01T00:00:00+00:00",
        verdict=Verdict.PASS,
        result=JUDGED,
    )
    return msgspec.structs.replace(made, **changes)


def judged(**changes: object) -> ReportRow:
    return row(result=msgspec.structs.replace(JUDGED, **changes))


def printed(show: object) -> str:
    assert callable(show)
    console = Console(file=io.StringIO(), width=200)
    show(console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_what_follows_from_a_row() -> None:
    assert conclusion(row()) == "reproduced, as it must; the guard is right"
    assert "unexpected" in conclusion(judged(must=False))
    lacking = judged(reproduced=False, missing=("«this part» (seen: that)",))
    assert conclusion(lacking).startswith(
        "not reproduced: missing sign «this part» (seen: that), and that is unexpected"
    )
    fixed = judged(reproduced=False, must=False, missing=("this part",))
    assert conclusion(fixed) == "not reproduced, as it must not be; the guard is right"
    assert conclusion(judged(wrong=("it was wrong",))).endswith("; it was wrong")
    assert "when it ruled; it broke" in conclusion(judged(later=("it broke",)))
    assert "not to be seen here: that" in conclusion(judged(unseen=("that",)))
    assert "another shape: this" in conclusion(judged(differences=("this",)))
    assert conclusion(row(result=None, why="the lab failed")) == "the lab failed"


def test_how_a_clients_wait_ended() -> None:
    ran = CommandRan(argv=("docker",), exit_code=0, took_s=2.5, output="a\n\nverify: b \n\n")
    assert client_text(ClientResult.of(ran)) == "exit 0 after 2.5 s: verify: b"
    killed = msgspec.structs.replace(ran, exit_code=-9, took_s=60.2)
    assert client_text(ClientResult.of(killed)) == "still waiting after 60 s: verify: b"
    assert ClientResult.of(msgspec.structs.replace(ran, output="")).last_words == ""
    assert client_text(None) == "none here"


def test_what_the_guards_command_said() -> None:
    document = {
        "outcome": "rolled back",
        "exit_code": 10,
        "reason": "web: rolled back",
        "targets": ["web"],
        "engine": "unix:///x",
        "baseline": "before the deploy",
        "deploy": None,
        "waited_s": 3.0,
        "api_calls": 11,
        "services": [],
        "schema": 1,
    }
    output = msgspec.json.encode(document).decode()
    ran = CommandRan(argv=("guard",), exit_code=10, took_s=3, output=output)
    record = Record(seq=0, source="lab", happened_s=42, seen_s=42, what=ran)
    command = GuardResult.of(record)
    assert (command.outcome, command.exit_code) == (Outcome.ROLLED_BACK, 10)
    assert (command.reason, command.decided_s, command.api_calls) == ("web: rolled back", 42, 11)


@pytest.mark.parametrize("output", ["", "the engine cannot be reached", '{"outcome": "fine"}'])
def test_a_guard_without_a_document_is_unknown(output: str) -> None:
    ran = CommandRan(argv=("guard",), exit_code=0, took_s=3, output=output)
    record = Record(seq=0, source="lab", happened_s=42, seen_s=42, what=ran)
    command = GuardResult.of(record)
    assert (command.outcome, command.reason) == (Outcome.UNKNOWN, output)


def test_the_tables_verdict_is_no_pass_if_any_row_is_none() -> None:
    assert table_of([row(), row()]).verdict is Verdict.PASS
    assert table_of([row(), row(verdict=Verdict.FAIL)]).verdict is Verdict.FAIL
    assert table_of([row(), row(verdict=Verdict.UNKNOWN)]).verdict is Verdict.UNKNOWN


def test_a_record_is_of_its_stack_alone() -> None:
    def record(what: object) -> Record:
        made = Record(seq=0, source="lab", happened_s=0, seen_s=0, what=Note(text=""))
        return msgspec.structs.replace(made, what=what)

    own = [
        gone(),
        Deployed(stack="story", exit_code=0, output=""),
        CommandRan(argv=("docker", "story_web"), exit_code=0, took_s=0, output=""),
        Note(text="story: create web", stack="story"),
        EngineEvent(
            kind="service", action="update", actor_id="s1", attributes={"name": "story_web"}
        ),
    ]
    for what in own:
        assert is_of("story", record(what))
        assert not is_of("other", record(what))


def test_plays_leave_their_rows_and_their_histories(virtual: Virtual, tmp_path: Path) -> None:
    folder = EvidenceFolder.create(tmp_path, "record")
    entries: list[BugReport] = [find("label-only"), find("D4")]
    names: list[str] = []
    rows = play_reports(
        entries, virtual, folder, 9, lambda played_row: names.append(played_row.name)
    )
    assert {played_row.name: played_row.verdict for played_row in rows} == {
        "label-only": Verdict.PASS,
        "interrupted-client": Verdict.PASS,
    }
    assert set(names) == {"label-only", "interrupted-client"}
    left_out = next(played_row for played_row in rows if played_row.name == "interrupted-client")
    assert left_out.result is None
    assert "no docker client" in conclusion(left_out)
    part = folder.path / "label-only"
    history, torn = read_history(part / "history.jsonl")
    assert history
    assert not torn
    last = last_rows(tmp_path, REPORTS_BY_NAME.values())
    assert set(last) == {("label-only", "virtual")}
    assert msgspec.structs.replace(last["label-only", "virtual"], evidence="") == (
        msgspec.structs.replace(
            next(played_row for played_row in rows if played_row.name == "label-only"), evidence=""
        )
    )


def test_the_newest_row_counts_and_what_cannot_be_read_is_passed_by(tmp_path: Path) -> None:
    for name, text in (
        ("1", msgspec.json.encode(row(engine="old"))),
        ("2", msgspec.json.encode(row(engine="new", played_utc="2026-02-01T00:00:00+00:00"))),
        ("3", b"{}"),
        ("4", b"\xff"),
    ):
        folder = tmp_path / "record" / name / "label-only"
        folder.mkdir(parents=True)
        (folder / "verdict.json").write_bytes(text)
    last = last_rows(tmp_path, REPORTS_BY_NAME.values())
    assert last["label-only", "virtual"].engine == "new"


def test_what_is_shown(virtual: Virtual, tmp_path: Path) -> None:
    folder = EvidenceFolder.create(tmp_path, "record")
    rows = play_reports([find("D2")], virtual, folder, 1, lambda _: None)
    page = printed(lambda console: show_page(find("D2"), console))
    for words in ("D2, moby#26421", "seen:", "expected:", "1. create web", "reproduced if:"):
        assert words in page
    shown = printed(lambda console: show_row(rows[0], console))
    assert "guard:  superseded by another update" in shown
    assert "truth:  rolled back" in shown
    grid = printed(lambda console: show_table(table_of(rows), console))
    for words in ("docker client none", "rolled back", "reproduced, as it must", "verdict: pass"):
        assert words in grid
    last = last_rows(tmp_path, REPORTS_BY_NAME.values())
    listed = printed(
        lambda console: show_list(REPORTS_BY_NAME.values(), {"stamp_copy": "how"}, last, console)
    )
    for words in ("back-to-the-unproved", "not played", "not possible", "pass, 20", "stamp_copy"):
        assert words in listed


def test_a_service_that_is_seen_belongs_to_its_stack() -> None:
    seen = Record(seq=0, source="swarm", happened_s=0, seen_s=0, what=service(BASE))
    assert is_of("story", seen)
    assert not is_of("stor", seen)


def test_a_control_that_shows_the_same_fails_its_report(virtual: Virtual, tmp_path: Path) -> None:
    report = find("label-only")
    same = msgspec.structs.replace(report, control=report.steps)
    folder = EvidenceFolder.create(tmp_path, "bug-reports")
    (failed,) = play_reports([same], virtual, folder, 1, lambda _: None)
    assert failed.result is not None
    assert (failed.result.verdict, failed.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert conclusion(failed).endswith("its control shows the same, so it shows nothing")
    assert (folder.path / "label-only-control" / "history.jsonl").stat().st_size > 0


def test_an_unplayable_control_leaves_its_report_unknown(virtual: Virtual, tmp_path: Path) -> None:
    report = find("label-only")
    refused = (Create(request=ServiceRequest(restart="sometimes"), judged=True),)
    folder = EvidenceFolder.create(tmp_path, "bug-reports")
    broken = msgspec.structs.replace(report, control=refused)
    (unknown,) = play_reports([broken], virtual, folder, 1, lambda _: None)
    assert unknown.verdict is Verdict.UNKNOWN
    assert "its control: label-only-control: create web: refused" in conclusion(unknown)


def test_a_report_without_a_control_says_why(virtual: Virtual, tmp_path: Path) -> None:
    report = msgspec.structs.replace(find("label-only"), control="no engine does otherwise")
    listed = printed(lambda console: show_list([report], {}, {}, console))
    assert "none: no engine does" in listed
    assert control_text(find("label-only")) == "update web: another label and another version"
    folder = EvidenceFolder.create(tmp_path, "bug-reports")
    (passed,) = play_reports([report], virtual, folder, 1, lambda _: None)
    assert (passed.verdict, passed.control) == (Verdict.PASS, None)


def test_rows_of_before_there_were_controls_are_read_as_they_were() -> None:
    stored = msgspec.json.decode(msgspec.json.encode(row()))
    assert {"judged", "said"} <= stored.keys()
    del stored["control"]
    read = msgspec.json.decode(msgspec.json.encode(stored), type=ReportRow)
    assert conclusion(read) == "reproduced, as it must; the guard is right"
