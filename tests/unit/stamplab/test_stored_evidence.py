"""Evidence of schema 1 is judged as the program that wrote it judged it; what is newer is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from stamplab.claims.discourse import judge
from stamplab.claims.negative_controls import judge_negative_control
from stamplab.claims.plan import Choice
from stamplab.harness.checks.attribution import explain, memory_at_oom
from stamplab.harness.checks.upgrade_truth import upgrade_observed
from stamplab.harness.guard import Baseline, Expectation, Guard, Outcome
from stamplab.harness.guard.report import GuardReport
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import (
    CommandRan,
    Finding,
    Note,
    Record,
    ServiceSeen,
    StageBegan,
    StageEnded,
)
from stamplab.lab.model.history_file import read_history
from stamplab.lab.model.schema import NewerSchema
from stamplab.parity.shape_reader import compare_shapes
from stamplab.runner.play_record import PlayRecord, read_play
from stamplab.scenarios.discourse.plays import Settings
from stamplab.search.explorable import REFERENCE
from stamplab.search.schedule import Kept, keep
from tests import unpack
from tests.programs import Command

STORED = Path(__file__).parents[2] / "golden" / "schema1"
EXPECTED: Any = msgspec.json.decode((STORED / "expected.json").read_bytes())
PLAYS = [(run, name) for run in ("live", "virtual") for name in EXPECTED[run]["plays"]]
REPORT = "healthy-task-is-gone"


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs, unpacked."""
    folder = tmp_path_factory.mktemp("stored")
    for archive in STORED.glob("*.tar.xz"):
        unpack(archive, folder)
    return folder


@pytest.fixture(scope="session")
def read(stored: Path) -> dict[tuple[str, str], PlayRecord]:
    """Each play, read back."""
    return {(run, name): read_play(stored / run / name) for run, name in PLAYS}


StoredPlay = tuple[PlayRecord, Any]


@pytest.fixture(params=PLAYS, ids="-".join)
def judged(request: pytest.FixtureRequest, read: dict[tuple[str, str], PlayRecord]) -> StoredPlay:
    """A play, and how the program of before judged it."""
    run, name = request.param
    return read[run, name], EXPECTED[run]["plays"][name]


def as_json(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def of_before(value: Any, wanted: Any) -> Any:
    """A document without the keys that the program of before did not write."""
    if isinstance(wanted, dict):
        return {key: of_before(value[key], part) for key, part in wanted.items()}
    if isinstance(wanted, list):
        return [of_before(*pair) for pair in zip(value, wanted, strict=True)]
    return value


# Schema 1, judged as before.


def test_a_play_of_before_has_the_same_signature_shape_and_end(judged: StoredPlay) -> None:
    play, wanted = judged
    assert play.signature.verdict == wanted["verdict"]
    assert of_before(as_json(play.signature), wanted["signature"]) == wanted["signature"]
    assert of_before(as_json(compare_shapes(play)), wanted["compared"]) == wanted["compared"]
    assert (play.upgrade.end, play.upgrade.reason) == tuple(wanted["upgrade_end"])
    assert (play.ended_s, list(play.stamps)) == (wanted["ended_s"], wanted["stamps"])
    assert (play.results.level, play.results.capped_by) == (wanted["level"], wanted["capped_by"])


def test_a_play_of_before_has_the_same_cause(judged: StoredPlay) -> None:
    play, wanted = judged
    attribution = play.attribution
    assert attribution is not None
    failure = attribution.failure
    statuses = [snapshot.service.update_status for snapshot in attribution.snapshots]
    cause = {
        "explained": explain(attribution),
        "memory_at_oom": memory_at_oom(attribution),
        "failed_task": failure.task.id if failure else None,
        "is_oom": failure.is_oom if failure else None,
        "window": failure.window if failure else None,
        "kept_tasks": attribution.kept_tasks,
        "lost_tasks": attribution.lost_tasks,
        "served_before": attribution.served_before,
        "clients": {
            "asked": attribution.probes.sent,
            "failed": attribution.probes.failed,
            "versions": attribution.probes.versions,
        },
        "applied_s": attribution.applied_s,
        "rollback_seq": attribution.rollback.seq if attribution.rollback else None,
        "oom_kills": attribution.oom_kills,
        "states": [status.state if status else None for status in statuses],
        "failed_tasks_named": [status.failed_task if status else None for status in statuses],
    }
    assert as_json(cause) == wanted["attribution"]


def test_a_play_of_before_has_the_same_ground_truth(judged: StoredPlay) -> None:
    play, wanted = judged
    truth = upgrade_observed(play.history, play.app.service)
    assert {
        "was_applied": truth.was_applied,
        "applied_s": truth.applied_s,
        "rolled_back_s": truth.rolled_back_s,
        "failed": sorted(truth.failed),
        "updates": len(truth.updates),
        "held_head": truth.held_head(play.ended_s, play.history[-1].seen_s),
        "ran_throughout": truth.ran_throughout(play.ended_s, play.history[-1].seen_s),
    } == wanted["truth"]


@pytest.mark.parametrize("run", ["live", "virtual"])
def test_claims_of_before_are_the_same(read: dict[tuple[str, str], PlayRecord], run: str) -> None:
    plays = {name[0]: play for (of, name), play in read.items() if of == run and name[1] == "-"}
    before = EXPECTED[run]["claims"]
    now = as_json(judge(plays))
    # A claim says more than it did; what it said is the same.
    assert [claim.keys() - old.keys() for claim, old in zip(now, before, strict=True)] == (
        [{"not_possible_here"}] * len(before)
    )
    assert [{key: claim[key] for key in before[0]} for claim in now] == before


def test_what_had_to_fail_before_failed(read: dict[tuple[str, str], PlayRecord]) -> None:
    negative_controls = Choice(settings=Settings(fast=True)).negative_controls
    results = [
        judge_negative_control(control, read["virtual", control.name])
        for control in negative_controls
    ]
    assert as_json(results) == EXPECTED["virtual"]["teeth"]


def report_history(stored: Path) -> list[Record]:
    return read_history(stored / "report" / REPORT / "history.jsonl")[0]


def test_the_guard_rules_the_same_on_a_history_of_before(stored: Path) -> None:
    history = report_history(stored)
    for wanted in EXPECTED["report"]["rulings"]:
        deployed = next(n for n, record in enumerate(history) if record.seq == wanted["deploy_seq"])
        name = wanted["service"]
        before = [
            record.what.service
            for record in history[:deployed]
            if isinstance(record.what, ServiceSeen) and record.what.name == name
        ]
        baseline = Baseline(name=name, service=before[-1])
        guard = Guard(baseline, Expectation(deadline_s=history[-1].seen_s))
        for record in history[deployed:]:
            guard.feed(record)
        guard.tick(history[-1].seen_s)
        assert of_before(as_json(guard.ruling), wanted["ruling"]) == wanted["ruling"]


def test_the_guards_document_of_before_is_read(stored: Path) -> None:
    stated = EXPECTED["report"]["rows"][0]["said"][0]["command"]
    (output,) = [
        record.what.output
        for record in report_history(stored)
        if isinstance(record.what, CommandRan) and "guard" in record.what.argv
    ]
    document = GuardReport.from_json(output)
    assert (document.outcome, document.reason) == (stated["outcome"], stated["reason"])
    assert Outcome(document.outcome).exit_code == stated["exit_code"] == document.exit_code


def test_a_row_of_before_is_listed(stored: Path, tmp_path: Path, stamplab: Command) -> None:
    runs = runs_with_a_row(stored, tmp_path)
    (row,) = EXPECTED["report"]["rows"]
    entries = msgspec.json.decode(stamplab("list", "--json", "--runs", runs).out)
    (listed,) = [entry for entry in entries if entry["name"] == REPORT]
    assert listed["last"] == {
        "live": {key: row[key] for key in ("verdict", "played_utc", "evidence")}
    }


# The facts that stood in sentences are fields.


def test_no_stage_of_before_is_left_a_note(read: dict[tuple[str, str], PlayRecord]) -> None:
    for play in read.values():
        observations = [record.what for record in play.history]
        ends = [ended for ended in observations if isinstance(ended, StageEnded)]
        stages = [(ended.stage, ended.end, ended.reason) for ended in ends]
        assert stages == [(ended.stage, ended.end, ended.reason) for ended in play.results.stages]
        begins = [began.stage for began in observations if isinstance(began, StageBegan)]
        assert begins == ["install", "upgrade"]
        notes = [note.text for note in observations if isinstance(note, Note)]
        assert not any(" stage " in text for text in notes)


def test_who_failed_an_upgrade_of_before_is_known(read: dict[tuple[str, str], PlayRecord]) -> None:
    for play in read.values():
        failed = [
            record.what.step
            for record in play.history
            if isinstance(record.what, Finding) and not record.what.passed
        ]
        assert play.upgrade.failed_step == (failed[-1] if play.upgrade.end == "fail" else "")


def test_how_an_update_of_before_ended_is_known(read: dict[tuple[str, str], PlayRecord]) -> None:
    outcomes = {
        name: [ruling.outcome for ruling in play.findings("assert_upgrade_converged")]
        for (run, name), play in read.items()
        if run == "virtual"
    }
    wrong_stamps = [name for name in outcomes if name.startswith("planted")]
    crashed = [name for name in outcomes if name.startswith(("crashes", "absent"))]
    late = [name for name in outcomes if name.startswith("never-healthy")]
    assert outcomes == {
        "a-ample": ["converged"],
        "b-guard-off": [],
        "c-guard-on": ["rolled back"],
        "d-stop-first": ["converged"],
        **{name: ["converged"] for name in wrong_stamps},
        **{name: ["rolled back"] for name in crashed},
        **{name: ["timed out"] for name in late},
    }


# What cannot be judged.


def test_a_torn_history_is_judged_by_what_is_left(stored: Path, tmp_path: Path) -> None:
    folder = copied(stored / "live" / "c-guard-on", tmp_path)
    history = folder / "history.jsonl"
    lines = history.read_bytes().splitlines(keepends=True)
    history.write_bytes(b"".join(lines[: len(lines) // 2]) + lines[len(lines) // 2][:40])
    assert read_play(folder).signature.verdict != "pass"


@pytest.mark.parametrize("name", ["results.json", "manifest.json", "history.jsonl"])
def test_a_play_that_lacks_a_part_is_not_judged(stored: Path, tmp_path: Path, name: str) -> None:
    folder = copied(stored / "live" / "c-guard-on", tmp_path)
    (folder / name).unlink()
    with pytest.raises(LabError, match=rf"{name}"):
        read_play(folder)


@pytest.mark.parametrize("name", ["results.json", "manifest.json"])
def test_a_newer_play_is_not_judged(stored: Path, tmp_path: Path, name: str) -> None:
    folder = copied(stored / "live" / "c-guard-on", tmp_path)
    says_newer(folder / name)
    with pytest.raises(NewerSchema, match=rf"{name} was written by schema 3, .* up to 2"):
        read_play(folder)


def test_a_history_of_another_app_is_not_judged(stored: Path, tmp_path: Path) -> None:
    folder = copied(stored / "live" / "c-guard-on", tmp_path)
    history = folder / "history.jsonl"
    history.write_bytes(history.read_bytes().replace(b"discourse-", b"otherwise-"))
    with pytest.raises(LabError, match="does not show the deploy of discourse-"):
        read_play(folder)


def test_a_newer_row_ends_the_list(stored: Path, tmp_path: Path, stamplab: Command) -> None:
    runs = runs_with_a_row(stored, tmp_path)
    says_newer(runs / "run" / "now" / REPORT / "verdict.json")
    ended = stamplab("list", "--runs", runs)
    assert ended.code == 2
    assert "verdict.json was written by schema 3, this stamplab reads up to 2" in ended.err


def test_a_newer_schedule_is_not_replayed(tmp_path: Path, stamplab: Command) -> None:
    kept = Kept(
        scenario="discourse",
        law="told",
        guard=True,
        broken="not named",
        in_words="in words",
        schedule=REFERENCE,
    )
    path = keep(kept, tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"schema": 2', b'"schema": 3'))
    ended = stamplab("replay", path, "--runs", tmp_path)
    assert ended.code == 2
    assert "was written by schema 3, this stamplab reads up to 2" in ended.err


def copied(folder: Path, tmp_path: Path) -> Path:
    there = tmp_path / folder.name
    there.mkdir()
    for file in folder.iterdir():
        (there / file.name).write_bytes(file.read_bytes())
    return there


def runs_with_a_row(stored: Path, tmp_path: Path) -> Path:
    part = tmp_path / "runs" / "run" / "now"
    part.mkdir(parents=True)
    copied(stored / "report" / REPORT, part)
    return tmp_path / "runs"


def says_newer(path: Path) -> None:
    content = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    path.write_bytes(msgspec.json.encode({**content, "schema": 3}))
