"""A play's own ways: several side by side, steps that never come about, a watch that lasts."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import msgspec
import pytest

from stamplab.harness.checks.ground_truth import WATCH_S, TrueOutcome
from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import Scale
from stamplab.lab.model.history import Note
from stamplab.lab.model.history_file import read_history
from stamplab.lab.model.service_request import changed
from stamplab.lab.virtual.world import VirtualWorld
from stamplab.lab.world import World
from stamplab.runner.bug_reports.deployer import deployer_on
from stamplab.runner.bug_reports.player import BugReportPlayer
from stamplab.runner.bug_reports.side_by_side import play_side_by_side
from stamplab.runner.worlds import Opening, Virtual
from stamplab.scenarios.bug_reports.registry import find
from stamplab.scenarios.bug_reports.report import BugReport
from stamplab.scenarios.bug_reports.step import (
    Create,
    Deploy,
    Interrupt,
    Intervene,
    Pause,
    Step,
    WaitFor,
    describe,
)
from tests.unit.stamplab.bug_reports.made import BASE, report

UP = (Create(request=BASE), WaitFor(until="running"))


def entry(*steps: Step, name: str = "story") -> BugReport:
    return report(steps=steps, name=name)


def play_all(
    virtual: Virtual, folder: Path, *entries: BugReport, at_once: int = 9
) -> dict[str, BugReportPlayer]:
    """Play them in one virtual world; an error is raised."""
    over: dict[str, BugReportPlayer] = {}

    def told_over(play: BugReportPlayer, error: LabError | None) -> None:
        if error is not None:
            raise error
        over[play.report.name] = play

    with virtual.open(folder, Opening(service="web")) as (world, _):
        operator = deployer_on(world, None)
        play_side_by_side(
            world,
            [BugReportPlayer(report, world, operator) for report in entries],
            at_once,
            told_over,
        )
    return over


@pytest.mark.parametrize("at_once", [1, 3])
def test_side_by_side_they_end_as_alone(virtual: Virtual, tmp_path: Path, at_once: int) -> None:
    names = ("label-only", "healthy-task-is-gone", "paused-and-serving")
    plays = play_all(virtual, tmp_path, *map(find, names), at_once=at_once)
    fates = {
        name: play.play.last.truth.outcome for name, play in plays.items() if play.play is not None
    }
    assert fates == {
        "label-only": TrueOutcome.DEPLOYED,
        "healthy-task-is-gone": TrueOutcome.ROLLED_BACK,
        "paused-and-serving": TrueOutcome.PAUSED,
    }


def test_it_watches_for_a_minute_after_the_last_change(virtual: Virtual, tmp_path: Path) -> None:
    scaled = entry(
        *UP,
        Deploy(request=changed(BASE, stamp="2"), why="another label"),
        Pause(20.0),
        Intervene(service="web", operation=Scale(replicas=2)),
    )
    (play,) = play_all(virtual, tmp_path, scaled).values()
    assert play.play is not None
    history, _ = read_history(tmp_path / "history.jsonl")
    told_s = [r.seen_s for r in history if isinstance(r.what, Note) and "scaled" in r.what.text]
    assert play.play.until_s == pytest.approx(told_s[-1] + WATCH_S, abs=0.5)
    assert play.play.last.truth.outcome is TrueOutcome.DEPLOYED


def test_every_step_is_told_in_the_history(virtual: Virtual, tmp_path: Path) -> None:
    story = entry(*UP, Deploy(request=changed(BASE, stamp="2"), why="another label"))
    play_all(virtual, tmp_path, story)
    history, _ = read_history(tmp_path / "history.jsonl")
    notes = [record.what.text for record in history if isinstance(record.what, Note)]
    assert notes == [f"story: {describe(step)}" for step in story.steps]


def test_a_step_that_never_comes_about_is_no_verdict(virtual: Virtual, tmp_path: Path) -> None:
    absent = entry(Create(request=changed(BASE, absent=True)), WaitFor(until="running"))
    with pytest.raises(LabError, match="it did not come about in time: wait until all tasks"):
        play_all(virtual, tmp_path, absent)


def test_what_the_swarm_refuses_is_no_verdict(virtual: Virtual, tmp_path: Path) -> None:
    refused = entry(Create(request=changed(BASE, restart="sometimes")))
    with pytest.raises(LabError, match="create web: refused"):
        play_all(virtual, tmp_path, refused)


def test_nobody_can_be_interrupted_in_virtual_time(virtual: Virtual, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no docker client to interrupt"):
        play_all(virtual, tmp_path, entry(*UP, Interrupt()))


def test_one_play_that_fails_does_not_end_the_others(virtual: Virtual, tmp_path: Path) -> None:
    broken = entry(Create(request=changed(BASE, restart="sometimes")), name="broken")
    ends: dict[str, str] = {}
    with virtual.open(tmp_path, Opening(service="web")) as (world, _):
        operator = deployer_on(world, None)
        plays = [
            BugReportPlayer(report, world, operator) for report in (broken, find("label-only"))
        ]
        play_side_by_side(
            world, plays, 9, lambda play, error: ends.update({play.stack: str(error or "")})
        )
    assert ends["label-only"] == ""
    assert "refused" in ends["broken"]


def test_a_wait_for_the_time_is_no_answer_of_the_swarms(virtual: Virtual, tmp_path: Path) -> None:
    with virtual.open(tmp_path, Opening(service="web")) as (world, _):
        play = BugReportPlayer(entry(*UP), world, deployer_on(world, None))
        waiting = play.run()
        until_s = next(waiting)
        assert waiting.send(None) == until_s


def test_a_swarm_that_takes_no_changes_any_more_has_shown_nothing(
    virtual: Virtual, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VirtualWorld, "schedule", lambda *_: None)
    with pytest.raises(LabError, match="the swarm still takes changes"):
        play_all(virtual, tmp_path, find("label-only"))


def test_there_is_no_operator_for_a_world_of_another_kind() -> None:
    with pytest.raises(LabError, match="live lab or in virtual time"):
        deployer_on(cast("World", object()), None)


def test_an_entry_can_be_read_back_from_json() -> None:
    # Steps are values: they could be kept as JSON, as schedules are.
    for step in (*UP, Deploy(request=BASE, why="x"), Pause(1.0), Interrupt()):
        assert msgspec.json.decode(msgspec.json.encode(step), type=Step) == step
