"""When a swarm is looked at: how soon after what, how often without a cause, and at what."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.foreign.pace import COALESCE_S, POLL_S, REMOTE_S, REPORT_S, SAFETY_S, Pace
from lab.history import EngineEvent
from lab.swarm import TASK_LABEL, Task
from tests.builders import HEAD, task


def event(kind: str, action: str, **attributes: str) -> EngineEvent:
    return EngineEvent(kind=kind, action=action, actor_id="x", attributes=attributes)


def of_service(state: str | None = None, action: str = "update") -> EngineEvent:
    attributes: Mapping[str, str] = {"updatestate.new": state} if state else {}
    return EngineEvent(kind="service", action=action, actor_id="x", attributes=dict(attributes))


def of_task(action: str, task_id: str = "new") -> EngineEvent:
    return EngineEvent(
        kind="container", action=action, actor_id="c", attributes={TASK_LABEL: task_id}
    )


def quiet() -> Pace:
    """One that has looked at second 0, with the stream up."""
    pace = Pace()
    pace.stream(is_up=True, now_s=0)
    look(pace, 0)
    return pace


def look(pace: Pace, now_s: float, *tasks: Task, full: bool = True, remote: bool = False) -> None:
    pace.looked(now_s, full=full, tasks=tasks, has_remote=remote)


def test_it_begins_with_a_look_at_everything() -> None:
    pace = Pace()
    assert pace.due_s == 0
    assert pace.is_full(0)


def test_in_the_quiet_it_looks_seldom() -> None:
    assert quiet().due_s == SAFETY_S


@pytest.mark.parametrize("state", ["completed", "paused", "rollback_completed", "rollback_paused"])
def test_an_update_that_is_over_is_looked_at_at_once(state: str) -> None:
    pace = quiet()
    pace.see(of_service(state), 3)
    assert pace.due_s == 3
    assert pace.is_full(3)


def test_a_removal_is_looked_at_at_once() -> None:
    pace = quiet()
    pace.see(of_service(action="remove"), 3)
    assert pace.due_s == 3


@pytest.mark.parametrize("state", [None, "updating", "rollback_started"])
def test_other_writes_are_looked_at_together(state: str | None) -> None:
    pace = quiet()
    pace.see(of_service(), 3)
    pace.see(of_service(state), 3.01)
    assert pace.due_s == 3 + COALESCE_S
    look(pace, 3.06)
    assert pace.due_s == 3.06 + SAFETY_S


def test_a_burst_of_writes_does_not_put_the_look_off() -> None:
    pace = quiet()
    for number in range(100):
        pace.see(of_service(), 3 + number / 1000)
    assert pace.due_s == 3 + COALESCE_S


def test_a_node_that_changes_is_looked_at() -> None:
    pace = quiet()
    pace.see(event("node", "update"), 3)
    assert pace.due_s == 3 + REPORT_S


@pytest.mark.parametrize("action", ["start", "health_status: healthy", "die"])
def test_a_containers_change_has_its_task_looked_at_when_that_was_reported(action: str) -> None:
    pace = quiet()
    pace.see(of_task(action), 3)
    assert pace.due_s == 3 + REPORT_S
    assert not pace.is_full(3 + REPORT_S)


@pytest.mark.parametrize("action", ["create", "oom", "exec_start", "destroy"])
def test_other_events_of_containers_are_no_cause(action: str) -> None:
    pace = quiet()
    pace.see(of_task(action), 3)
    assert pace.due_s == SAFETY_S


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("start", "running"),
        ("health_status: healthy", "running"),
        ("start", "failed"),
        ("health_status: unhealthy", "failed"),
        ("die", "failed"),
        ("die", "shutdown"),
    ],
)
def test_once_it_has_come_about_it_is_not_looked_for(action: str, state: str) -> None:
    pace = quiet()
    pace.see(of_task(action), 3)
    look(pace, 3.1, task("new", HEAD, state), full=False)
    assert pace.due_s == SAFETY_S


@pytest.mark.parametrize(
    ("action", "state"), [("health_status: healthy", "starting"), ("die", "running")]
)
def test_a_report_that_is_late_is_looked_for_more_and_more_seldom(action: str, state: str) -> None:
    pace = quiet()
    pace.see(of_task(action), 3)
    waits_s = []
    while pace.due_s < SAFETY_S:
        waits_s.append(round(pace.due_s - 3, 3))
        look(pace, pace.due_s, task("new", HEAD, state), full=False)
    assert waits_s == [0.1, 0.2, 0.35, 0.6, 1.1, 2.1, 4.1]


def test_a_start_that_only_begins_a_boot_is_looked_for_twice() -> None:
    pace = quiet()
    pace.see(of_task("start"), 3)
    for due_s in (3.1, 4.1):
        assert round(pace.due_s, 3) == due_s
        look(pace, pace.due_s, task("new", HEAD, "starting"), full=False)
    assert pace.due_s == SAFETY_S
    pace.see(of_task("health_status: healthy"), 9)
    assert pace.due_s == 9 + REPORT_S


def test_a_task_that_is_not_listed_is_not_waited_for() -> None:
    pace = quiet()
    pace.see(of_task("start"), 3)
    look(pace, 3.1, full=False)
    assert pace.due_s == SAFETY_S


def test_a_look_before_the_report_can_be_there_does_not_count() -> None:
    pace = quiet()
    pace.see(of_task("die"), 3)
    look(pace, 3.05, task("new", HEAD, "running"))
    assert pace.due_s == 3 + REPORT_S


def test_tasks_elsewhere_are_looked_at_now_and_then() -> None:
    pace = quiet()
    look(pace, 1, remote=True)
    assert pace.due_s == 1 + REMOTE_S
    assert not pace.is_full(pace.due_s)
    look(pace, 4, full=False, remote=True)
    assert pace.due_s == 4 + REMOTE_S
    look(pace, 7, full=False)
    assert pace.due_s == 1 + SAFETY_S


def test_without_the_stream_everything_is_polled() -> None:
    pace = quiet()
    pace.stream(is_up=False, now_s=3)
    assert pace.due_s == 3
    assert pace.is_full(3)
    look(pace, 3)
    assert pace.due_s == 3 + POLL_S
    assert pace.is_full(pace.due_s)
    pace.stream(is_up=True, now_s=3.2)
    assert pace.due_s == 3.2
    look(pace, 3.2)
    assert pace.due_s == 3.2 + SAFETY_S


def test_a_look_that_failed_is_had_again_soon() -> None:
    pace = quiet()
    pace.see(of_service("completed"), 3)
    pace.failed(3)
    assert pace.due_s == 3 + POLL_S
    assert pace.is_full(pace.due_s)


def test_an_upgrade_costs_a_tenth_of_what_polling_does() -> None:
    """A health-checked boot of 20 s and a monitor of 5 s; a poller asks twice every 0.5 s."""
    pace = quiet()
    coming = [
        (0.0, of_service()),
        (0.01, of_service("updating")),
        (0.3, of_task("start")),
        (20.3, of_task("health_status: healthy")),
        (20.6, of_task("die", "old")),
        (25.4, of_service("completed")),
    ]
    calls, now_s = 2, 0.0
    while now_s < 25.5:
        next_s = coming[0][0] if coming else 26.0
        if pace.due_s <= next_s:
            now_s = pace.due_s
            booted = task("new", HEAD, "running" if now_s > 20.35 else "starting")
            calls += 2 if pace.is_full(now_s) else 1
            look(pace, now_s, booted, task("old", HEAD, "shutdown"), full=pace.is_full(now_s))
        else:
            now_s, what = coming.pop(0) if coming else (26.0, None)
            if what is not None:
                pace.see(what, now_s)
    assert calls / (2 * 25.5 / 0.5) <= 0.13
