"""What counts as success, and what only looks like it."""

from __future__ import annotations

import pytest

from stamplab.harness.guard import Outcome
from stamplab.lab.model.history import Observation, TasksSeen
from stamplab.lab.model.swarm import ServiceSpec, Task, UpdatePolicy
from tests.builders import (
    BASE,
    HEAD,
    RELABELLED,
    STAMP,
    Story,
    deployed,
    listed,
    policy,
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
    guard_of,
    outcome,
    redeployed,
    rule,
    upgrade,
)

Moments = list[tuple[float, Observation]]
AT_HEAD = service(HEAD, BASE, "completed")


def test_completed_and_the_new_task_ran_unchanged_for_the_monitor() -> None:
    ruling = rule(BEFORE, upgrade((10, listed(OLD, NEW)), (15, seen(AT_HEAD))))
    assert ruling.outcome is Outcome.CONVERGED
    assert ruling.decided_s == 15
    assert ruling.update_state == "completed"
    assert ruling.failed_task is None
    assert ruling.reason == (
        "converged: UpdateStatus=completed, 1 of 1 tasks of the new spec ran unchanged for 5 s "
        "after they were up"
    )


@pytest.mark.parametrize(
    ("listings", "from_s"),
    [
        pytest.param([(10, listed(NEW, since_s={"new": 7.5}))], 7.5, id="known, seen later"),
        pytest.param([(10, listed(NEW, since_s={"old": 7.5}))], 10, id="another's is known"),
        pytest.param(
            [(10, listed(NEW)), (11, listed(NEW, since_s={"new": 7.5}))], 10, id="known too late"
        ),
        pytest.param(
            [(8, listed(NEW)), (9, listed()), (10, listed(NEW, since_s={"new": 7.5}))],
            9,
            id="not before it was seen not to run",
        ),
        pytest.param(
            [(10, listed(NEW, task("two", HEAD), since_s={"new": 7.5, "two": 8.5}))],
            8.5,
            id="of several, the last one counts",
        ),
        pytest.param(
            [(8, listed(NEW, task("two", HEAD))), (9, listed(NEW, since_s={"new": 7.5}))],
            9,
            id="one has gone",
        ),
    ],
)
def test_a_task_has_run_since_it_is_known_to(
    listings: list[tuple[float, TasksSeen]], from_s: float
) -> None:
    ruling = rule(BEFORE, upgrade(*listings, (11.5, seen(AT_HEAD)), (60, listed(NEW))))
    assert ruling.outcome is Outcome.CONVERGED
    assert ruling.decided_s == from_s + 5


@pytest.mark.parametrize("running_s", [2.0, 7.5, 30.0])
@pytest.mark.parametrize("completed_s", [2.0, 7.5, 30.0])
@pytest.mark.parametrize(
    ("update", "hold_s"),
    [
        (policy(), 5),
        (policy(monitor_s=1), 1),
        (policy(monitor_s=20), 20),
        (policy(monitor_s=5, delay_s=4.9), 5),
        (policy(monitor_s=5, delay_s=5), 6),
        (policy(monitor_s=2, delay_s=15), 16),
    ],
)
def test_converged_when_terminal_and_held_for_monitor_or_delay_plus_one(
    running_s: float, completed_s: float, update: UpdatePolicy, hold_s: float
) -> None:
    head = spec("head", update=update)
    story = redeployed().at(1, seen(service(head, BASE, "updating")))
    events: Moments = [
        (running_s, listed(task("new", head))),
        (completed_s, seen(service(head, BASE, "completed"))),
    ]
    story.at_all(sorted(events, key=lambda event: event[0]))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.CONVERGED
    assert ruling.decided_s == max(completed_s, running_s + hold_s)


@pytest.mark.parametrize("changes", [1, 2, 5])
def test_every_change_of_the_running_set_begins_the_hold_anew(changes: int) -> None:
    story = upgrade((2, seen(AT_HEAD)))
    for number in range(changes + 1):
        story.at(10 + 4 * number, listed(task(f"new{number}", HEAD)))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.CONVERGED
    assert ruling.decided_s == 10 + 4 * changes + 5


def test_a_crash_loop_faster_than_the_hold_never_converges() -> None:
    story = upgrade((2, seen(AT_HEAD)))
    for number in range(40):
        story.at(3 + 3 * number, listed(task(f"new{number}", HEAD)))
        story.at(5 + 3 * number, listed(task(f"new{number}", HEAD, "failed")))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.STALLED
    assert ruling.decided_s == DEADLINE_S


@pytest.mark.parametrize(
    ("tasks", "missing"),
    [
        pytest.param([], "0 of 1 tasks of the new spec run", id="none at all"),
        pytest.param([OLD], "no task of it was seen", id="the old spec's alone"),
        pytest.param([task("new", HEAD, "failed")], "task new is failed", id="it failed"),
        pytest.param([task("new", HEAD, "complete")], "task new is complete", id="it ended with 0"),
        pytest.param([task("new", HEAD, "starting")], "task new is starting", id="not healthy yet"),
        pytest.param(
            [task("new", HEAD, "running", desired="shutdown")],
            "0 of 1 tasks of the new spec run",
            id="it runs but is meant to stop",
        ),
        pytest.param(
            [task("new", HEAD, "ready", desired="ready")], "task new is ready", id="in waiting"
        ),
    ],
)
def test_completed_is_not_success_without_the_new_task(tasks: list[Task], missing: str) -> None:
    story = upgrade((10, listed(*tasks)), (15, seen(AT_HEAD)))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.STALLED
    assert ruling.decided_s == DEADLINE_S
    assert missing in ruling.reason
    assert ruling.reason.startswith("not converged by the deadline: 0 of 1 tasks")


@pytest.mark.parametrize("wanted", [1, 2, 3, 5])
@pytest.mark.parametrize("lacking", [0, 1])
def test_all_wanted_replicas_must_run(wanted: int, lacking: int) -> None:
    head = spec("head", replicas=wanted)
    running = [task(f"new{n}", head, slot=n) for n in range(1, 1 + wanted - lacking)]
    story = Story((1, deployed()), (1, seen(service(head, BASE, "completed"))))
    story.at(2, listed(*running))
    expected = Outcome.STALLED if lacking else Outcome.CONVERGED
    assert outcome(BEFORE, story) is expected


def test_two_tasks_in_one_slot_count_as_one() -> None:
    """Found by the search: a slot had its updater's task and its supervisor's, another had none."""
    head = spec("head", replicas=2)
    twins = [task("new", head), task("further", head)]
    story = Story((1, deployed()), (1, seen(service(head, BASE, "completed"))))
    story.at(2, listed(*twins))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.STALLED
    assert "1 of 2 tasks of the new spec run" in ruling.reason
    filled = story.at(3, listed(*twins, task("second", head, slot=2)))
    assert outcome(BEFORE, filled) is Outcome.CONVERGED


def test_d1_completed_with_the_stamp_and_nothing_running_is_not_success() -> None:
    """public-bugs.md, D1, seen by a guard whose baseline was the roll-out in flight."""
    slow, restamped = spec("head", stamp="2"), spec("head", stamp="3")
    in_flight = service(slow, BASE, status("updating", "t1"))
    story = (
        Story((0, seen(in_flight)), (0, listed(OLD, task("new", slow, "starting"))))
        .at(1, deployed(), seen(service(restamped, slow)))
        .at(2, seen(service(restamped, slow, status("updating", "t2"))))
        .at(3, listed(task("old", BASE, "shutdown"), task("new", slow, "starting")))
        .at(5, listed(task("new", slow, "failed", error="task: non-zero exit (137)")))
        .at(5, seen(service(restamped, slow, status("completed", "t2"))))
    )
    ruling = rule(in_flight, story, labels={STAMP: "3"})
    assert ruling.outcome is Outcome.STALLED
    assert "0 of 1 tasks of the new spec run, update state completed" in ruling.reason
    assert "task: non-zero exit (137)" in ruling.reason


def test_completed_with_a_crash_loop_after_the_monitor_is_not_success_before_it_holds() -> None:
    """The third face of memory pressure: the update is completed, the task dies afterwards."""
    story = upgrade(
        (2, seen(AT_HEAD)), (3, listed(NEW)), (7.9, listed(task("new", HEAD, "failed")))
    )
    assert outcome(BEFORE, story) is Outcome.STALLED


@pytest.mark.parametrize("state", [None, "updating"])
def test_running_tasks_alone_are_not_success_while_the_update_is_open(state: str | None) -> None:
    story = upgrade((2, seen(service(HEAD, BASE, state))), (3, listed(NEW)))
    if state is None:  # never seen as started: the status is still to come
        story = Story((1, deployed()), (2, seen(service(HEAD, BASE))), (3, listed(NEW)))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.TIMED_OUT
    assert f"the update state is still {state or 'nil'}" in ruling.reason


def test_no_ruling_before_the_service_was_looked_at_after_the_deploy() -> None:
    story = redeployed()
    ruling = rule(BEFORE, story)
    assert ruling.outcome is not Outcome.CONVERGED
    assert ruling.decided_s == DEADLINE_S


def test_no_ruling_before_the_deploy_has_returned() -> None:
    story = Story((0, seen(AT_HEAD)), (1, listed(NEW)), (20, seen(AT_HEAD)))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is not Outcome.CONVERGED
    assert "the deploy command has not returned" in ruling.reason


# A stale status tells of an earlier update.

STALE = ("completed", "rollback_completed", "rollback_paused", "paused")


@pytest.mark.parametrize("state", STALE)
def test_a_status_left_over_from_before_is_not_this_updates(state: str) -> None:
    before = service(BASE, None, status(state, "t0"))
    story = (
        Story((0, seen(before)), (0, listed(OLD)), (1, deployed()))
        .at(2, seen(service(HEAD, BASE, status("updating", "t1"))))
        .at(3, listed(NEW))
        .at(8, seen(service(HEAD, BASE, status("completed", "t1"))))
    )
    ruling = rule(before, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 8)


@pytest.mark.parametrize("state", STALE)
def test_a_stale_status_is_no_ruling_before_the_deploy_is_seen(state: str) -> None:
    before = service(BASE, None, status(state, "t0"))
    guard = guard_of(before)
    for record in Story((0, seen(before)), (0, listed(OLD)), (9, seen(before))).records:
        assert guard.feed(record) is None


@pytest.mark.parametrize("state", ["completed", "rollback_completed"])
def test_a_stale_status_under_an_unchanged_spec_is_an_unchanged_redeploy(state: str) -> None:
    before = service(BASE, None, status(state, "t0"))
    story = Story((0, seen(before)), (0, listed(OLD)), (1, deployed()), (1, seen(before)))
    ruling = rule(before, story)
    assert ruling.outcome is Outcome.CONVERGED
    assert ruling.reason == "converged: the deploy left the service unchanged, UpdateStatus=nil"


@pytest.mark.parametrize("end", ["completed", "paused", "rollback_completed"])
def test_the_end_of_an_update_in_flight_at_the_baseline_is_not_this_ones(end: str) -> None:
    before = service(BASE, spec("older"), status("updating", "t0"))
    ended = service(BASE, spec("older"), status(end, "t0"))
    if end.startswith("rollback"):
        before = service(BASE, None, status("rollback_started", "t0"))
        ended = service(BASE, None, status(end, "t0"))
    guard = guard_of(before)
    for record in Story((0, seen(before)), (0, listed(OLD)), (0.5, seen(ended))).records:
        assert guard.feed(record) is None
    story = Story((0, seen(before)), (0, listed(OLD)), (0.5, seen(ended))).at_all(
        [
            (1, deployed()),
            (1, seen(service(HEAD, BASE))),
            (2, seen(service(HEAD, BASE, status("updating", "t1")))),
            (3, listed(NEW)),
            (8, seen(service(HEAD, BASE, status("completed", "t1")))),
        ]
    )
    assert outcome(before, story) is Outcome.CONVERGED


# A status that stays nil for ever.


def unstarted(present: ServiceSpec, *moments: tuple[float, Observation]) -> Story:
    """A deploy after which the swarm starts no update."""
    story = Story((0, seen(BEFORE)), (0, listed(OLD)), (10, deployed()))
    return story.at(10, seen(service(present, BASE))).at_all(moments)


def test_a_created_service_has_no_status_and_converges_by_its_tasks() -> None:
    story = Story((1, deployed()), (1, seen(service(HEAD))), (4, listed(NEW)))
    ruling = rule(None, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 9)
    assert "UpdateStatus=nil, 1 of 1 tasks" in ruling.reason


def test_a_created_service_whose_tasks_never_run_does_not_converge() -> None:
    story = Story(
        (1, deployed()), (1, seen(service(HEAD))), (4, listed(task("new", HEAD, "failed")))
    )
    assert outcome(None, story) is Outcome.STALLED


def test_a_label_only_change_converges_with_a_nil_status() -> None:
    ruling = rule(BEFORE, unstarted(RELABELLED), labels={STAMP: "head"})
    assert ruling.outcome is Outcome.CONVERGED
    assert ruling.reason == "converged: labels alone were changed, UpdateStatus=nil"


def test_a_label_only_change_still_needs_running_tasks() -> None:
    story = Story((0, seen(BEFORE)), (0, listed(task("old", BASE, "failed"))), (1, deployed()))
    story.at(1, seen(service(RELABELLED, BASE)))
    assert outcome(BEFORE, story) is Outcome.STALLED


def test_an_unchanged_redeploy_converges_with_a_nil_status() -> None:
    ruling = rule(BEFORE, unstarted(BASE))
    assert ruling.outcome is Outcome.CONVERGED
    assert ruling.reason == "converged: the deploy left the service unchanged, UpdateStatus=nil"


def test_an_unchanged_redeploy_of_a_broken_service_does_not_converge() -> None:
    story = Story((0, seen(BEFORE)), (0, listed()), (1, deployed()), (1, seen(service(BASE, BASE))))
    assert outcome(BEFORE, story) is Outcome.STALLED


def test_a_task_change_with_a_nil_status_is_pending_not_done() -> None:
    story = unstarted(HEAD, (11, listed(OLD, NEW)))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.TIMED_OUT
    assert "the update state is still nil" in ruling.reason


@pytest.mark.parametrize("wanted", [2, 3])
def test_a_scale_up_leaves_the_status_nil_and_converges_by_its_tasks(wanted: int) -> None:
    more = spec("base", replicas=wanted)
    tasks = [task(f"old{n}", slot=n) for n in range(1, 1 + wanted)]
    story = unstarted(more, (12, listed(*tasks[:-1])), (14, listed(*tasks)))
    ruling = rule(BEFORE, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 19)


@pytest.mark.parametrize("tasks", ["base", "head"])
@pytest.mark.parametrize("state", [None, "completed"])
def test_scaled_to_zero_converges_whatever_else_changed(tasks: str, state: str | None) -> None:
    """SwarmKit starts no update where no slot is left: the status may stay nil for ever."""
    none = spec(tasks, stamp="head", replicas=0)
    story = redeployed().at(
        1, seen(service(none, BASE, state)), listed(task("old", BASE, "shutdown"))
    )
    ruling = rule(BEFORE, story)
    assert (ruling.outcome, ruling.decided_s) == (Outcome.CONVERGED, 1)
    assert ruling.reason == "converged: the service is scaled to zero"


def test_a_created_service_of_no_replicas_converges() -> None:
    story = Story((1, deployed()), (1, seen(service(spec("head", replicas=0)))))
    assert outcome(None, story) is Outcome.CONVERGED


@pytest.mark.parametrize("running", [True, False])
def test_a_global_service_has_one_task_on_the_one_node(running: bool) -> None:
    everywhere = spec("head", mode="global")
    state = "running" if running else "pending"
    story = Story((1, deployed()), (1, seen(service(everywhere, BASE, "completed"))))
    story.at(2, listed(task("new", everywhere, state)))
    assert outcome(BEFORE, story) is (Outcome.CONVERGED if running else Outcome.STALLED)


def test_other_services_are_none_of_its_business() -> None:
    other = service(spec("other"), None, "paused", name="shop_db")
    story = upgrade(
        (2, seen(other, name="shop_db")),
        (3, listed(NEW)),
        (4, listed(name="shop_db")),
        (8, seen(None, name="shop_db")),
        (8, seen(AT_HEAD)),
    )
    assert outcome(BEFORE, story) is Outcome.CONVERGED


ON_ITS_WAY = {
    "wanted, and it boots": task("further", HEAD, "starting"),
    "wanted once another has gone": task("further", HEAD, "ready", desired="ready"),
    "told to end while it boots": task("further", HEAD, "starting", desired="shutdown"),
    "wanted, of the old spec": task("further", BASE, "preparing"),
}


@pytest.mark.parametrize("further", ON_ITS_WAY)
def test_a_further_task_on_its_way_may_kill_the_one_that_runs(further: str) -> None:
    """Found by the search: OLD was the OOM killer's victim, and its slot got another head task."""
    upcoming = ON_ITS_WAY[further]
    story = upgrade((10, listed(OLD, NEW, upcoming)), (11, seen(AT_HEAD)))
    ruling = rule(BEFORE, story)
    assert ruling.outcome is Outcome.STALLED
    assert f"a further task is on its way: further is {upcoming.state}" in ruling.reason
    over = task("further", HEAD, "shutdown", desired="shutdown")
    settled = upgrade(
        (10, listed(OLD, NEW, upcoming)), (11, seen(AT_HEAD)), (20, listed(NEW, over))
    )
    assert rule(BEFORE, settled).outcome is Outcome.CONVERGED


def test_an_old_task_on_a_node_that_is_lost_is_not_waited_for() -> None:
    """The swarm has told it to end; what it does, nobody hears any more."""
    forgotten = task("old", BASE, "starting", desired="shutdown")
    story = upgrade((10, listed(forgotten, NEW)), (11, seen(AT_HEAD)))
    assert rule(BEFORE, story).outcome is Outcome.CONVERGED


def test_an_unchanged_deploy_in_the_middle_of_an_update_to_the_same_is_no_rollback() -> None:
    """The tasks of that update are dirty still: the swarm goes on, and calls it an update."""
    going_on = service(BASE, BASE, status("updating", "t2"))
    story = Story((0, seen(BEFORE)), (1, deployed()), (1, seen(going_on)), (3, listed(OLD)))
    story.at(9, seen(service(BASE, BASE, status("completed", "t2"))))
    assert rule(BEFORE, story).outcome is Outcome.CONVERGED


def test_an_old_task_that_takes_its_time_to_end_is_not_waited_for() -> None:
    ending = task("old", BASE, "running", desired="shutdown")
    story = upgrade((10, listed(ending, NEW)), (11, seen(AT_HEAD)))
    assert rule(BEFORE, story).outcome is Outcome.CONVERGED
