"""Schedules played on the real SwarmKit: what a trial knows, and who watches it."""

from __future__ import annotations

import pytest

from stamplab.harness.checks.upgrade_truth import UpgradeObserver, upgrade_observed
from stamplab.lab.faults.memory_pressure import Ample, Pressure, Pulse, Ramp, Squeeze
from stamplab.lab.faults.operator import (
    NextVersion,
    Operation,
    Recreate,
    Redeploy,
    Remove,
    Restamp,
    RollBack,
    Scale,
)
from stamplab.lab.faults.stamp import WrongStamp
from stamplab.lab.model.history import LimitSet, OperatorActed, StageBegan
from stamplab.lab.recipe.workload_overlay import Fault
from stamplab.lab.virtual.conditions import EveryCommit, EveryMoment, PeriodicTaskLists, Visibility
from stamplab.search.explorable import REFERENCE, SchedulePlayer
from stamplab.search.laws import LAWS
from stamplab.search.schedule import Change, Schedule, TimedOperation
from stamplab.search.search import outcome
from stamplab.search.trial import AFTERWARDS_S, Trial
from tests.unit.stamplab.search.trials import but

INCIDENT = but(REFERENCE, pressure=Squeeze(short_by=0.5), hc1_pause_s=60.0)
STOP_FIRST = but(INCIDENT, policy=but(INCIDENT.policy, order="stop-first"))


EARLIER = NextVersion(version="3.3.1-earlier", labels={})


def meddled_with(*operations: Operation, at_s: float = 1.0) -> Schedule:
    return but(
        REFERENCE,
        operations=tuple(TimedOperation(after_s=at_s, what=operation) for operation in operations),
    )


ENDS: list[tuple[Schedule, str, str]] = [
    (REFERENCE, "pass", "converged"),
    (INCIDENT, "fail", "rolled back"),
    (STOP_FIRST, "pass", "converged"),
    (but(REFERENCE, fault=Fault.CRASHES), "fail", "rolled back"),
    (but(REFERENCE, fault=Fault.ABSENT), "fail", "rolled back"),
    (but(REFERENCE, wrong_stamp=WrongStamp.STALE), "fail", "converged"),
    (but(REFERENCE, change=Change.LABELS), "pass", "converged"),
    (but(INCIDENT, pressure=Pulse(after_s=0, for_s=60)), "fail", "rolled back"),
    (
        but(REFERENCE, wrong_stamp=WrongStamp.STALE, reports_expected_stamp=True),
        "fail",
        "broken otherwise",
    ),
    (but(REFERENCE, head_replicas=0), "pass", "converged"),
    (but(REFERENCE, refused=True), "fail", "broken otherwise"),
    (but(REFERENCE, blind_after_s=1.0), "unknown", "broken otherwise"),
    (but(REFERENCE, earlier=(EARLIER,)), "pass", "converged"),
    (but(INCIDENT, earlier=(EARLIER, RollBack())), "fail", "rolled back"),
    (meddled_with(Restamp(labels={"theirs": "1"})), "fail", "superseded"),
    (meddled_with(NextVersion(version="9", labels={})), "fail", "superseded"),
    (meddled_with(Remove()), "fail", "superseded"),
    (meddled_with(Recreate()), "fail", "superseded"),
]


def name_of(schedule: Schedule) -> str:
    return schedule.id


@pytest.mark.parametrize(("schedule", "end", "text"), ENDS)
def test_the_guard_says_what_became_of_it_and_breaks_no_law(
    player: SchedulePlayer, schedule: Schedule, end: str, text: str
) -> None:
    trial = player.play(schedule, guard=True)
    assert (trial.end, outcome(trial)) == (end, text), trial.reason
    assert [law.check(trial) for law in LAWS.values()] == [None] * len(LAWS)


@pytest.mark.parametrize(("pause_s", "law"), [(0.0, "no-false-green"), (60.0, "true-reason")])
def test_the_old_harness_has_two_faces(player: SchedulePlayer, pause_s: float, law: str) -> None:
    trial = player.play(but(INCIDENT, hc1_pause_s=pause_s), guard=False)
    assert [name for name, schedule in LAWS.items() if schedule.check(trial)] == [law]


# The truth, from its watcher and from the history.


def facts(truth: UpgradeObserver) -> tuple[object, ...]:
    """All of it; times as a history has them."""
    updates = [(round(at_s, 6), spec) for at_s, spec in truth.updates]
    times_s = [at_s and round(at_s, 6) for at_s in (truth.applied_s, truth.rolled_back_s)]
    return truth.head, times_s, updates


def held(truth: UpgradeObserver, trial: Trial) -> list[bool]:
    """Whether it held head over each second."""
    seconds = range(round(trial.watched_until_s))
    return [truth.held_head(at_s, at_s + 1) for at_s in seconds]


BY_HAND = meddled_with(RollBack(), at_s=30.0)
SCHEDULES = [
    *(schedule for schedule, _, _ in ENDS),
    meddled_with(Scale(replicas=2), Redeploy()),
    but(INCIDENT, pressure=Ramp(after_s=0, over_s=5)),
    but(BY_HAND, memory=but(REFERENCE.memory, boot_s=1.0)),
]


@pytest.mark.parametrize("guard", [True, False])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=name_of)
def test_a_history_without_gaps_tells_what_the_watcher_saw(
    player: SchedulePlayer, schedule: Schedule, *, guard: bool
) -> None:
    assert schedule.conditions.visibility == EveryCommit()
    trial = player.play(schedule, guard=guard)
    read = upgrade_observed(trial.history, trial.app.service)
    assert facts(read) == facts(trial.truth)
    assert held(read, trial) == held(trial.truth, trial)


@pytest.mark.parametrize("visibility", [EveryMoment(), PeriodicTaskLists(every_s=1.7, phase_s=0.3)])
def test_the_watcher_sees_all_in_any_case(player: SchedulePlayer, visibility: Visibility) -> None:
    conditions = but(INCIDENT.conditions, visibility=visibility)
    trial = player.play(but(INCIDENT, conditions=conditions), guard=True)
    read = upgrade_observed(trial.history, trial.app.service)
    assert trial.truth.rolled_back_s is not None
    assert len(trial.truth.sightings) > len(read.sightings)


def test_what_is_rolled_back_by_hand_was_not_by_the_swarm(player: SchedulePlayer) -> None:
    """The old harness, whose pause lets the second operator in after head has converged."""
    trial = player.play(but(BY_HAND, hc1_pause_s=60.0), guard=False)
    acts = [record.what for record in trial.history if isinstance(record.what, OperatorActed)]
    assert [record.refused for record in acts] == [""]
    states = [state.service.update_state for state in trial.truth.sightings if state.service]
    assert "rollback_completed" in states
    assert trial.truth.rolled_back_s is None


# Time.


def test_it_is_watched_for_the_hold_time_while_nobody_acts(player: SchedulePlayer) -> None:
    late = but(REFERENCE, operations=(TimedOperation(after_s=500, what=Redeploy()),))
    trial = player.play(late, guard=True)
    assert trial.hold_s == 5.0
    assert trial.watched_until_s == trial.end_s + 5.0
    assert not any(isinstance(record.what, OperatorActed) for record in trial.history)
    assert trial.history[-1].seen_s <= trial.watched_until_s + AFTERWARDS_S


def test_the_upgrade_begins_with_its_stage(player: SchedulePlayer) -> None:
    trial = player.play(REFERENCE, guard=True)
    (began,) = [
        record.seen_s for record in trial.history if record.what == StageBegan(stage="upgrade")
    ]
    assert trial.truth.applied_s is not None
    assert began == trial.upgrade_s <= trial.truth.applied_s < trial.end_s


@pytest.mark.parametrize(
    ("pressure", "limits"),
    [
        (Ample(), 1),
        (Squeeze(), 1),
        (Pulse(after_s=0, for_s=1), 3),
        (Ramp(after_s=0, over_s=1, steps=3), 4),
    ],
)
def test_the_pressure_is_in_its_history(
    player: SchedulePlayer, pressure: Pressure, limits: int
) -> None:
    trial = player.play(but(REFERENCE, pressure=pressure), guard=True)
    limits_set = [record.what for record in trial.history if isinstance(record.what, LimitSet)]
    assert len(limits_set) == limits
    assert (limits_set[0].limit_bytes is not None) is isinstance(pressure, Squeeze)


def test_nothing_of_one_trial_is_left_in_the_next(player: SchedulePlayer) -> None:
    first = player.play(REFERENCE, guard=True)
    player.play(but(INCIDENT, wrong_stamp=WrongStamp.STALE, fault=Fault.CRASHES), guard=False)
    assert player.play(REFERENCE, guard=True).as_jsonl() == first.as_jsonl()
