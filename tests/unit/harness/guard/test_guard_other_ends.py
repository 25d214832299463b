"""The other ends: refused, removed, wrongly stamped, given up; and what all ends have in common."""

from __future__ import annotations

import pytest

from stamplab.harness.guard import Baseline, Outcome, update_status_started
from stamplab.harness.guard.outcome import Ruling
from stamplab.lab.model.history import Observation, RecorderLost
from stamplab.lab.model.swarm import Service, Task
from tests.builders import (
    BASE,
    HEAD,
    NAME,
    STAMP,
    Story,
    deployed,
    listed,
    seen,
    service,
    spec,
    status,
    task,
)
from tests.unit.harness.watching import (
    BEFORE,
    DEADLINE_S,
    NEW,
    OLD,
    follow,
    guard_of,
    outcome,
    redeployed,
    rule,
    upgrade,
)


@pytest.mark.parametrize("exit_code", [1, 2, 64, 125, 137, -9])
def test_a_refused_deploy_is_ruled_at_once_with_code_and_words(exit_code: int) -> None:
    story = Story((0, seen(BEFORE)), (1, deployed(exit_code, "no such network\n")))
    ruling = rule(BEFORE, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.DEPLOY_FAILED, 1)
    expected = f"the deploy command failed with exit code {exit_code} and said: no such network"
    assert ruling.reason == expected


def test_a_refused_deploy_that_says_nothing() -> None:
    assert rule(BEFORE, Story((1, deployed(1, " \n")))).reason.endswith("and said: nothing")


def test_a_refused_deploy_is_no_success_though_head_is_there_and_runs() -> None:
    story = Story((0, seen(service(HEAD, BASE, "completed"))), (0, listed(NEW)), (9, deployed(1)))
    assert outcome(BEFORE, story) is Outcome.DEPLOY_FAILED


@pytest.mark.parametrize("before", [None, BEFORE])
def test_a_service_that_is_not_there_after_the_deploy_is_removed(before: Service | None) -> None:
    story = Story((1, deployed()), (1, seen(None)))
    ruling = rule(before, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.REMOVED, 1)
    assert ruling.reason == f"there is no service {NAME} (any more)"
    assert ruling.other_update == (None if before is None else "removal")


def test_a_service_removed_during_the_hold() -> None:
    story = upgrade((3, listed(NEW)), (3, seen(service(HEAD, BASE, "completed"))), (7, seen(None)))
    assert rule(BEFORE, story).outcome is Outcome.REMOVED


def test_a_service_that_is_not_there_yet_is_waited_for() -> None:
    story = Story((0, seen(None)), (1, deployed()), (2, seen(service(HEAD))), (3, listed(NEW)))
    assert outcome(None, story) is Outcome.CONVERGED


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({STAMP: "other"}, f"the service's label {STAMP} is 'head', not 'other'"),
        ({"absent": "x"}, "the service's label absent is None, not 'x'"),
        ({STAMP: "other", "absent": "x"}, "absent is None, not 'x'; coop-cloud"),
    ],
)
def test_a_wrong_stamp_is_ruled_by_label_and_value(labels: dict[str, str], message: str) -> None:
    ruling = rule(BEFORE, upgrade((9, listed(NEW))), labels=labels)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.STAMP_MISMATCH, 1)
    assert message in ruling.reason


def test_a_wrong_stamp_is_a_mismatch_on_an_unchanged_service_too() -> None:
    story = redeployed((1, seen(BEFORE)))
    assert rule(BEFORE, story, labels={STAMP: "head"}).outcome is Outcome.STAMP_MISMATCH


def test_the_old_stamp_before_the_deploy_has_returned_is_no_mismatch() -> None:
    story = Story((0, seen(BEFORE)), (0.5, seen(BEFORE)), (1, deployed()))
    story.at(1, seen(service(HEAD, BASE, "completed")), listed(NEW))
    assert rule(BEFORE, story, labels={STAMP: "head"}).outcome is Outcome.CONVERGED


@pytest.mark.parametrize(
    ("state", "outcome_then"),
    [
        ("pending", Outcome.STALLED),
        ("assigned", Outcome.TIMED_OUT),
        ("preparing", Outcome.TIMED_OUT),
        ("starting", Outcome.TIMED_OUT),
        ("failed", Outcome.TIMED_OUT),
    ],
)
def test_stalled_waits_for_what_no_update_can_bring(state: str, outcome_then: Outcome) -> None:
    error = "no suitable node (insufficient resources)" if state == "pending" else ""
    story = upgrade((9, listed(OLD, task("new", HEAD, state, error=error))))
    ruling = rule(BEFORE, story)
    assert (ruling.outcome, ruling.decided_s) == (outcome_then, DEADLINE_S)
    assert ruling.reason == (
        "not converged by the deadline: 0 of 1 tasks of the new spec run, update state updating; "
        f"task new is {state}{f' ({error})' if error else ''}"
    )


def test_an_old_specs_pending_task_is_no_reason_to_call_it_stalled() -> None:
    """moby#36699: an old task may linger in Pending after the spec was corrected."""
    lingering = task("lingering", BASE, "pending")
    story = upgrade((9, listed(lingering, task("new", HEAD, "starting"))))
    assert outcome(BEFORE, story) is Outcome.TIMED_OUT


def test_the_last_reason_is_the_one_that_holds_at_the_deadline() -> None:
    story = upgrade(
        (9, listed(OLD, task("new", HEAD, "pending"))),
        (20, listed(OLD, NEW)),
    )
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.TIMED_OUT
    assert ruling.reason == "not converged by the deadline: the update state is still updating"


def test_a_hold_that_would_end_after_the_deadline_times_out_there() -> None:
    story = upgrade((118, seen(service(HEAD, BASE, "completed"))), (118, listed(NEW)))
    ruling = rule(BEFORE, story)
    assert ruling.decided_s == DEADLINE_S
    assert ruling.outcome is not Outcome.CONVERGED
    assert ruling.reason.endswith("the new tasks have not run long enough yet")


def test_a_hold_that_ends_at_the_deadline_converges() -> None:
    story = upgrade((115, seen(service(HEAD, BASE, "completed"))), (115, listed(NEW)))
    assert outcome(BEFORE, story) is Outcome.CONVERGED


def test_no_service_by_the_deadline_is_said() -> None:
    ruling = rule(None, Story())
    assert ruling.outcome is Outcome.TIMED_OUT
    assert ruling.reason == f"not converged by the deadline: there is no service {NAME} yet"


# The first ruling is the last.

CONVERGED: list[tuple[float, Observation]] = [
    (3.0, listed(NEW)),
    (8.0, seen(service(HEAD, BASE, "completed"))),
]
LATER: list[tuple[float, Observation]] = [
    (20.0, seen(service(BASE, None, "rollback_completed"))),
    (21.0, seen(None)),
    (22.0, deployed(1)),
    (23.0, seen(service(HEAD, spec("third"), "paused"))),
]


@pytest.mark.parametrize("later", LATER)
def test_nothing_later_changes_the_first_ruling(later: tuple[float, Observation]) -> None:
    guard = guard_of(BEFORE)
    first: Ruling | None = None
    for record in upgrade(*CONVERGED).records:
        first = guard.feed(record)
    assert first is not None
    assert first.outcome is Outcome.CONVERGED
    for record in Story(later).records:
        assert guard.feed(record) is first
    assert guard.tick(1e9) is first
    assert guard.ruling is first


# Time.


def test_the_guard_wakes_at_the_end_of_the_hold_and_else_at_the_deadline() -> None:
    guard = guard_of(BEFORE)
    for record in upgrade((10, listed(NEW))).records:
        guard.feed(record)
    assert guard.wake_s == DEADLINE_S  # still updating: time alone decides nothing
    for record in Story((12, seen(service(HEAD, BASE, "completed")))).records:
        guard.feed(record)
    assert guard.wake_s == 15
    guard.tick(15)
    assert guard.ruling is not None


@pytest.mark.parametrize(
    "tasks",
    [(), (OLD,), (NEW,), (OLD, NEW), (task("new", HEAD, "pending"),)],
    ids=["none", "old", "new", "both", "pending"],
)
@pytest.mark.parametrize("state", [None, "updating", "completed"])
@pytest.mark.parametrize("deadline_s", [0.0, 3.0, 120.0, 1e6])
def test_ticks_alone_decide_in_few_steps(
    tasks: tuple[Task, ...], state: str | None, deadline_s: float
) -> None:
    story = redeployed().at(1, seen(service(HEAD, BASE, state)), listed(*tasks))
    watched = follow(guard_of(BEFORE, deadline_s=deadline_s), story.records)
    assert len(watched.waits) <= 3
    assert list(watched.waits) == sorted(set(watched.waits))
    assert watched.ruling.decided_s <= max(deadline_s, 1)


def test_time_never_goes_back() -> None:
    guard = guard_of(BEFORE)
    guard.tick(50)
    guard.tick(10)
    for record in Story((20, seen(BEFORE)), (20, listed(OLD))).records:
        guard.feed(record)
    assert guard.wake_s == 55  # the running set was seen to change at 50, not at 20


@pytest.mark.parametrize(
    ("moments", "missing"),
    [
        ([], f"there is no service {NAME} yet"),
        ([(0, seen(service(HEAD)))], "the deploy command has not returned"),
        (
            [(0, seen(service(HEAD))), (0, deployed())],
            "0 of 1 tasks of the new spec run, update state nil; no task of it was seen",
        ),
        (
            [(0, deployed()), (0, seen(service(HEAD))), (0, listed(NEW))],
            "the new tasks have not run long enough yet",
        ),
    ],
)
def test_it_says_what_it_waits_for(moments: list[tuple[float, Observation]], missing: str) -> None:
    guard = guard_of(None)
    for record in Story(*moments).records:
        guard.feed(record)
    assert guard.waiting_for == missing


# Outcomes.


def test_the_exit_codes_are_the_documented_ones() -> None:
    assert {outcome.name: outcome.exit_code for outcome in Outcome} == {
        "CONVERGED": 0,
        "UNKNOWN": 2,
        "ROLLED_BACK": 10,
        "PAUSED": 11,
        "STALLED": 12,
        "TIMED_OUT": 13,
        "STAMP_MISMATCH": 14,
        "COMMIT_MISMATCH": 15,
        "SUPERSEDED": 16,
        "DEPLOY_FAILED": 17,
        "MIXED": 18,
        "REMOVED": 19,
    }


def test_update_status_started_tells_updates_apart() -> None:
    assert update_status_started(None) is None
    assert update_status_started(BEFORE) is None
    assert update_status_started(service(BASE, None, status("completed", "t7"))) == "t7"
    assert Baseline(name=NAME, service=None).status_started is None
    assert Baseline(name=NAME, service=None).spec is None


def test_a_pause_waits_a_little_for_what_the_engine_says_of_the_task() -> None:
    paused = (3, seen(service(HEAD, BASE, "paused")))
    listing = (3.4, listed(OLD, task("new", HEAD, "failed", error="task: non-zero exit (3)")))
    ruling = rule(BEFORE, upgrade(paused, listing))
    assert ruling.decided_s == 3.4
    assert "task new failed (task: non-zero exit (3))" in ruling.reason
    assert rule(BEFORE, upgrade(paused)).decided_s == 4
    assert rule(BEFORE, upgrade(paused), deadline_s=3.5).outcome is Outcome.PAUSED
    assert rule(BEFORE, upgrade(paused), deadline_s=3.5).decided_s == 3.5
    recorder_lost = (3.2, RecorderLost(recorder="swarm", reason="gone"))
    assert rule(BEFORE, upgrade(paused, recorder_lost)).outcome is Outcome.PAUSED
