"""A play's own ways: several side by side, steps that never come about, a watch that lasts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stamplab.harness.checks.deploy_ground_truth import WATCH_S, Fate
from stamplab.lab.errors import LabError
from stamplab.lab.faults.operator import Scale
from stamplab.lab.model.history import Note
from stamplab.lab.model.history_file import read_history
from stamplab.lab.model.service_spec import Wanted, changed
from stamplab.lab.virtual.world import VirtualWorld
from stamplab.runner.bug_reports.deployer import operator_on
from stamplab.runner.bug_reports.player import Play
from stamplab.runner.bug_reports.side_by_side import conduct
from stamplab.runner.worlds import Opening, Virtual
from stamplab.scenarios.bug_reports.registry import find
from stamplab.scenarios.bug_reports.report import Entry
from stamplab.scenarios.bug_reports.step import (
    Create,
    Deploy,
    Interrupt,
    Meddle,
    Pass,
    Step,
    WaitFor,
    told,
)
from tests.unit.harness.fake_world import FakeWorld, as_memory_allows

BASE = Wanted()
UP = (Create(wanted=BASE), WaitFor(until="running"))


def entry(*steps: Step, name: str = "story") -> Entry:
    return Entry(
        name=name, source="D0", title="t", seen="s", expected="e", steps=steps, signature=()
    )


def play_all(virtual: Virtual, folder: Path, *entries: Entry, at_once: int = 9) -> dict[str, Play]:
    """Play them in one virtual world; an error is raised."""
    over: dict[str, Play] = {}

    def told_over(play: Play, error: LabError | None) -> None:
        if error is not None:
            raise error
        over[play.entry.name] = play

    with virtual.open(folder, Opening(service="web")) as (world, _):
        operator = operator_on(world, None)
        conduct(world, [Play(one, world, operator) for one in entries], at_once, told_over)
    return over


@pytest.mark.parametrize("at_once", [1, 3])
def test_plays_side_by_side_come_to_what_they_come_to_alone(
    virtual: Virtual, tmp_path: Path, at_once: int
) -> None:
    names = ("label-only", "healthy-task-is-gone", "paused-and-serving")
    plays = play_all(virtual, tmp_path, *map(find, names), at_once=at_once)
    fates = {
        name: play.played.last.truth.fate for name, play in plays.items() if play.played is not None
    }
    assert fates == {
        "label-only": Fate.DEPLOYED,
        "healthy-task-is-gone": Fate.ROLLED_BACK,
        "paused-and-serving": Fate.PAUSED,
    }


def test_it_looks_on_for_a_minute_after_the_last_change_by_whomever(
    virtual: Virtual, tmp_path: Path
) -> None:
    scaled = entry(
        *UP,
        Deploy(wanted=changed(BASE, stamp="2"), why="another label"),
        Pass(20.0),
        Meddle(service="web", what=Scale(replicas=2)),
    )
    (play,) = play_all(virtual, tmp_path, scaled).values()
    assert play.played is not None
    history, _ = read_history(tmp_path / "history.jsonl")
    told_s = [r.seen_s for r in history if isinstance(r.what, Note) and "scaled" in r.what.text]
    assert play.played.until_s == pytest.approx(told_s[-1] + WATCH_S, abs=0.5)
    assert play.played.last.truth.fate is Fate.DEPLOYED


def test_every_step_is_told_in_the_history(virtual: Virtual, tmp_path: Path) -> None:
    story = entry(*UP, Deploy(wanted=changed(BASE, stamp="2"), why="another label"))
    play_all(virtual, tmp_path, story)
    history, _ = read_history(tmp_path / "history.jsonl")
    notes = [record.what.text for record in history if isinstance(record.what, Note)]
    assert notes == [f"story: {told(step)}" for step in story.steps]


def test_a_step_that_never_comes_about_is_no_verdict(virtual: Virtual, tmp_path: Path) -> None:
    absent = entry(Create(wanted=changed(BASE, absent=True)), WaitFor(until="running"))
    with pytest.raises(LabError, match="it did not come about in time: wait until all tasks"):
        play_all(virtual, tmp_path, absent)


def test_what_the_swarm_refuses_is_no_verdict(virtual: Virtual, tmp_path: Path) -> None:
    refused = entry(Create(wanted=changed(BASE, restart="sometimes")))
    with pytest.raises(LabError, match="create web: refused"):
        play_all(virtual, tmp_path, refused)


def test_nobody_can_be_interrupted_in_virtual_time(virtual: Virtual, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no docker client to interrupt"):
        play_all(virtual, tmp_path, entry(*UP, Interrupt()))


def test_one_play_that_fails_does_not_end_the_others(virtual: Virtual, tmp_path: Path) -> None:
    broken = entry(Create(wanted=changed(BASE, restart="sometimes")), name="broken")
    ends: dict[str, str] = {}
    with virtual.open(tmp_path, Opening(service="web")) as (world, _):
        operator = operator_on(world, None)
        plays = [Play(one, world, operator) for one in (broken, find("label-only"))]
        conduct(world, plays, 9, lambda play, error: ends.update({play.stack: str(error or "")}))
    assert ends["label-only"] == ""
    assert "refused" in ends["broken"]


def test_a_guard_that_wants_to_be_told_the_time_is_no_answer_of_the_swarms(
    virtual: Virtual, tmp_path: Path
) -> None:
    with virtual.open(tmp_path, Opening(service="web")) as (world, _):
        play = Play(entry(*UP), world, operator_on(world, None))
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
        operator_on(FakeWorld(as_memory_allows), None)


def test_an_entry_can_be_read_back_from_json() -> None:
    # Steps are values: they could be kept as JSON, as schedules are.
    for step in (*UP, Deploy(wanted=BASE, why="x"), Pass(1.0), Interrupt()):
        assert msgspec.json.decode(msgspec.json.encode(step), type=Step) == step
