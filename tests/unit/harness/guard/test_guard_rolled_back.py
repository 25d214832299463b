"""The swarm put the old spec back, or stopped half-way."""

from __future__ import annotations

import pytest

from stamplab.harness.guard import Outcome
from stamplab.harness.guard.rules import FAILED_TASK_WAIT_S
from stamplab.lab.model.history import Observation, RecorderLost
from stamplab.lab.model.swarm import Task, UpdatePolicy
from tests.builders import (
    BASE,
    HEAD,
    RELABELLED,
    STAMP,
    THIRD,
    Story,
    deployed,
    listed,
    seen,
    service,
    spec,
    status,
    task,
)
from tests.unit.harness.watching import BEFORE, DEADLINE_S, OLD, outcome, redeployed, rule, upgrade

STARTED = service(BASE, None, "rollback_started")
COMPLETED = service(BASE, None, "rollback_completed")
PAUSED_ROLLBACK = service(BASE, None, status("rollback_paused", task="old2"))
SAID = "head spec applied then swarm-rolled-back: new task new failed the update monitor"
LOST = RecorderLost(recorder="events", reason="the stream ended")


def test_the_incident_is_ruled_with_the_reports_words() -> None:
    ruling = rule(BEFORE, upgrade((7, seen(STARTED)), (8, seen(COMPLETED))))
    assert ruling.outcome is Outcome.ROLLED_BACK
    assert ruling.reason == SAID
    assert ruling.failed_task == "new"
    assert ruling.update_state == "rollback_completed"


@pytest.mark.parametrize("after_s", [0.0, 0.5, 30.0])
def test_the_ruling_waits_for_the_rollbacks_own_end(after_s: float) -> None:
    ruling = rule(BEFORE, upgrade((7, seen(STARTED)), (7 + after_s, seen(COMPLETED))))
    assert (ruling.outcome, ruling.decided_s) == (Outcome.ROLLED_BACK, 7 + after_s)


def test_a_failed_task_that_nobody_saw_named_is_not_made_up() -> None:
    ruling = rule(BEFORE, upgrade((8, seen(COMPLETED))))
    assert ruling.failed_task is None
    assert ruling.reason.endswith("swarm-rolled-back: a new task failed the update monitor")


WORDS = "task: non-zero exit (1)"
FAILED = task("new", HEAD, "failed", error=WORDS)


@pytest.mark.parametrize("listed_s", [7.5, 8.0, 8.3])
def test_a_rollback_that_ended_before_a_look_names_the_failed_task(listed_s: float) -> None:
    """Seen live, stop-first: rollback_started and rollback_completed within a millisecond."""
    moments: list[tuple[float, Observation]] = [(8.0, seen(COMPLETED)), (listed_s, listed(FAILED))]
    ruling = rule(BEFORE, upgrade(*sorted(moments, key=lambda moment: moment[0])))
    assert (ruling.reason, ruling.failed_task) == (f"{SAID} ({WORDS})", "new")
    assert ruling.decided_s == max(8.0, listed_s)


def test_for_a_task_that_nobody_lists_as_failed_the_ruling_waits_only_a_little() -> None:
    ruling = rule(BEFORE, upgrade((8, seen(COMPLETED)), (30, listed(FAILED))))
    assert (ruling.failed_task, ruling.decided_s) == (None, 8 + FAILED_TASK_WAIT_S)


def test_of_several_failed_tasks_of_head_the_first_is_named() -> None:
    rejected = task("new2", HEAD, "rejected", error="No such image: x")
    story = upgrade((7, listed(FAILED)), (7.5, listed(rejected)), (8, seen(COMPLETED)))
    assert rule(BEFORE, story).failed_task == "new"


@pytest.mark.parametrize(
    "other",
    [task("old2", BASE, "failed", error=WORDS), task("new", HEAD, "shutdown"), task("new", HEAD)],
)
def test_neither_the_olds_failure_nor_a_task_that_was_told_to_stop_is_named(other: Task) -> None:
    assert rule(BEFORE, upgrade((7, listed(other)), (8, seen(COMPLETED)))).failed_task is None


def test_a_failed_task_is_named_in_a_rollback_alone() -> None:
    story = upgrade((7, listed(FAILED)), (9, listed(OLD)))
    assert rule(BEFORE, story).failed_task is None


def test_a_rollback_that_pauses_says_so_and_its_own_failed_task_is_not_heads() -> None:
    """Found by the search: the rollback's own failed task was called the new one."""
    ruling = rule(BEFORE, upgrade((7, seen(STARTED)), (20, seen(PAUSED_ROLLBACK))))
    assert (ruling.outcome, ruling.decided_s) == (Outcome.ROLLED_BACK, 20)
    assert ruling.reason.endswith("the rollback itself is paused, for its task failed too")
    assert ruling.failed_task == "new"
    assert ruling.reason.startswith(SAID)
    story = upgrade((7, listed(OLD, FAILED)), (20, seen(PAUSED_ROLLBACK)))
    assert rule(BEFORE, story).failed_task == "new"


@pytest.mark.parametrize("state", ["rollback_started", "rollback_completed", "rollback_paused"])
def test_a_rollback_before_head_was_ever_seen_is_a_rollback(state: str) -> None:
    story = redeployed().at(2, seen(service(BASE, None, state)))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.ROLLED_BACK
    assert "(before it was ever seen applied)" in ruling.reason


def test_a_rollback_seen_whole_before_the_deploy_returned_is_a_rollback() -> None:
    story = Story((1, seen(service(HEAD, BASE, "updating"))), (7, seen(STARTED)))
    story.at(8, seen(COMPLETED)).at(9, deployed(), seen(COMPLETED))
    assert rule(BEFORE, story).outcome is Outcome.ROLLED_BACK


def test_a_spec_that_is_back_under_completed_is_rolled_back() -> None:
    """rollback_config with failure_action rollback ends so, with the base crash-looping."""
    story = upgrade((7, seen(STARTED)), (9, seen(service(BASE, None, "completed"))))
    ruling = rule(BEFORE, story)
    assert (ruling.outcome, ruling.reason) == (Outcome.ROLLED_BACK, SAID)
    assert ruling.decided_s == 9


def test_a_spec_that_is_back_under_completed_is_rolled_back_though_nothing_else_was_seen() -> None:
    story = upgrade((9, seen(service(BASE, None, "completed"))), (10, listed(task("old2"))))
    assert outcome(BEFORE, story) is Outcome.ROLLED_BACK


@pytest.mark.parametrize("state", [None, "updating"])
def test_a_spec_that_is_back_is_no_success_whatever_the_state_says(state: str | None) -> None:
    story = upgrade((7, seen(service(BASE, None, state))), (9, listed(task("old2"))))
    story = story if state else story.but(3, seen(service(HEAD, BASE)))
    ruling = rule(BEFORE, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.ROLLED_BACK, DEADLINE_S)


@pytest.mark.parametrize("labels", [{}, {STAMP: "head"}])
def test_an_end_without_a_previous_spec_is_an_unseen_rollback(labels: dict[str, str]) -> None:
    """An update of one's own leaves PreviousSpec; only a rollback erases it (updater.go:607)."""
    story = redeployed().at(9, seen(service(BASE, None, "completed")), listed(OLD))
    assert rule(BEFORE, story, labels=labels).outcome is Outcome.ROLLED_BACK


def test_the_deadline_in_the_middle_of_a_rollback() -> None:
    story = upgrade((119, seen(STARTED)), (121, seen(COMPLETED)))
    ruling = rule(BEFORE, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.ROLLED_BACK, DEADLINE_S)
    assert ruling.reason == f"{SAID}; the rollback had not ended at the deadline"


def test_the_reverted_stamp_is_no_stamp_mismatch_while_the_rollback_is_under_way() -> None:
    story = upgrade((7, seen(STARTED)), (30, seen(COMPLETED)))
    ruling = rule(BEFORE, story, labels={STAMP: "head"})
    assert (ruling.outcome, ruling.decided_s) == (Outcome.ROLLED_BACK, 30)


def test_a_new_task_of_the_old_spec_after_the_rollback_changes_nothing() -> None:
    """OOM within monitor after RUNNING: the old task was retired already (moby#43081)."""
    story = upgrade(
        (5, listed(task("old", BASE, "shutdown"), task("new", HEAD))),
        (7, listed(task("old", BASE, "shutdown"), task("new", HEAD, "failed"))),
        (7, seen(STARTED)),
        (12, listed(task("old2", BASE))),
        (12, seen(COMPLETED)),
    )
    assert rule(BEFORE, story).reason == SAID


def test_d2_rolled_back_to_a_version_never_proved_is_another_update_for_the_first_guard() -> None:
    """public-bugs.md, D2: v3 pushed during v2 rolls back to v2; neither guard is content."""
    second, third = spec("v2"), spec("v3")
    story = (
        redeployed()
        .at(1, seen(service(second, BASE, status("updating", "t1"))))
        .at(3, seen(service(third, second)))
        .at(4, seen(service(third, second, status("updating", "t2"))))
        .at(5, seen(service(second, None, status("rollback_started", "t2", task="three"))))
        .at(6, seen(service(second, None, status("rollback_completed", "t2"))))
    )
    assert outcome(BEFORE, story) is Outcome.SUPERSEDED


def test_d2_rolled_back_to_a_version_never_proved_is_a_rollback_for_the_second_guard() -> None:
    second, third = spec("v2"), spec("v3")
    in_flight = service(second, BASE, status("updating", "t1"))
    story = (
        Story((2, seen(in_flight)), (2, listed(OLD)), (3, deployed()))
        .at(3, seen(service(third, second)))
        .at(4, seen(service(third, second, status("updating", "t2"))))
        .at(5, seen(service(second, None, status("rollback_started", "t2", task="three"))))
        .at(6, seen(service(second, None, status("rollback_completed", "t2"))))
    )
    ruling = rule(in_flight, story, labels={STAMP: "v3"})
    assert (ruling.outcome, ruling.failed_task) == (Outcome.ROLLED_BACK, "three")


def test_d3_completed_by_the_monitor_alone_is_waited_out_and_the_rollback_seen() -> None:
    """public-bugs.md, D3: monitor 2 s, delay 15 s, the new task exits at 8 s."""
    head = spec("head", update=UpdatePolicy(monitor_s=2, delay_s=15))
    story = (
        redeployed()
        .at(1, seen(service(head, BASE, "updating")))
        .at(2, listed(task("new", head)))
        .at(8, listed(task("new", head, "failed")))
        .at(8, seen(STARTED))
        .at(10, seen(COMPLETED))
    )
    assert outcome(BEFORE, story) is Outcome.ROLLED_BACK


# Paused: failure_action pause.


def test_a_paused_update_is_ruled_at_once_and_names_the_task() -> None:
    failed = listed(OLD, task("new", HEAD, "failed"))
    ruling = rule(BEFORE, upgrade((7, failed), (7, seen(service(HEAD, BASE, "paused")))))
    assert (ruling.outcome, ruling.decided_s) == (Outcome.PAUSED, 7)
    assert ruling.reason == (
        "the update is paused: task new failed, and old and new tasks may run side by side"
    )
    assert ruling.failed_task == "new"


def test_a_paused_update_is_no_success_though_all_tasks_of_head_run() -> None:
    story = upgrade((3, listed(task("new", HEAD))), (9, seen(service(HEAD, BASE, "paused"))))
    assert rule(BEFORE, story, labels={STAMP: "head"}).outcome is Outcome.PAUSED


# Sight lost: what was seen before stays seen.


def test_sight_lost_is_unknown() -> None:
    ruling = rule(BEFORE, upgrade((3, LOST), (4, listed(task("new", HEAD)))))
    assert (ruling.outcome, ruling.decided_s) == (Outcome.UNKNOWN, 3)
    assert ruling.reason == "sight was lost of the swarm (events: the stream ended)"


@pytest.mark.parametrize("at_s", [0.5, 1.0, 9.0])
def test_sight_lost_at_any_time_never_becomes_success(at_s: float) -> None:
    moments: list[tuple[float, Observation]] = [
        (0.0, seen(BEFORE)),
        (1.0, deployed()),
        (1.0, seen(service(HEAD, BASE, "completed"))),
        (5.0, listed(task("new", HEAD))),
        (at_s, LOST),
    ]
    story = Story(*sorted(moments, key=lambda moment: moment[0]))
    assert outcome(BEFORE, story) is Outcome.UNKNOWN


@pytest.mark.parametrize("state", ["rollback_started", "rollback_completed", "rollback_paused"])
def test_a_rollback_already_seen_is_ruled_though_sight_is_lost_afterwards(state: str) -> None:
    ruling = rule(BEFORE, upgrade((7, seen(service(BASE, None, state))), (8, LOST)))
    assert ruling.outcome is Outcome.ROLLED_BACK


def test_a_rollback_whose_end_went_unseen_says_so() -> None:
    ruling = rule(BEFORE, upgrade((7, seen(STARTED)), (8, LOST)))
    assert (ruling.outcome, ruling.decided_s) == (Outcome.ROLLED_BACK, 8)
    assert ruling.reason == f"{SAID}; its end was not seen, for sight was lost of the swarm"


def test_a_pause_already_seen_is_ruled_though_sight_is_lost_afterwards() -> None:
    story = upgrade((7, seen(service(HEAD, BASE, "paused"))), (7, LOST))
    assert outcome(BEFORE, story) is Outcome.PAUSED


AFTERWARDS = {
    "a retry": service(HEAD, BASE),
    "a retry that is updating": service(HEAD, BASE, status("updating", "t2")),
    "a third version": service(THIRD, BASE, status("updating", "t2")),
    "labels": service(RELABELLED, BASE),
}


@pytest.mark.parametrize("afterwards", AFTERWARDS)
def test_a_rollback_that_has_begun_stays_one_whoever_comes_next(afterwards: str) -> None:
    """Found by the search: it was called superseded, though the head was lost before."""
    story = upgrade((7, seen(STARTED)), (8, seen(AFTERWARDS[afterwards])))
    ruling = rule(BEFORE, story, labels={STAMP: "head"})
    assert ruling.outcome is Outcome.ROLLED_BACK
    assert ruling.reason.startswith(SAID)
    assert "; before its end was seen, another update came in: " in ruling.reason
    assert ruling.decided_s == 8


def test_a_rollback_that_was_never_seen_applied_stays_one_too() -> None:
    story = redeployed().at(2, seen(STARTED)).at(3, seen(AFTERWARDS["a retry that is updating"]))
    assert outcome(BEFORE, story) is Outcome.ROLLED_BACK


def test_a_service_that_is_removed_while_it_is_rolled_back_was_rolled_back() -> None:
    """Found by the search: it was called removed, though the head was lost before."""
    ruling = rule(BEFORE, upgrade((7, seen(STARTED)), (8, seen(None))))
    assert (ruling.outcome, ruling.decided_s) == (Outcome.ROLLED_BACK, 8)
    assert ruling.reason == f"{SAID}; before its end was seen, the service was removed"
