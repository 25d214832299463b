"""When a swarm is looked at: how soon after what, how often without a cause, and at what."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from stamplab.lab.model.history import EngineEvent
from stamplab.lab.model.swarm import TASK_LABEL, Task
from stamplab.lab.remote.poll_schedule import (
    COALESCE_S,
    POLL_S,
    REMOTE_S,
    REPORT_S,
    SAFETY_S,
    Look,
    Pace,
)
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


ALL, SERVICES, TASKS = Look(), Look(tasks=False), Look(services=False)


def look(
    pace: Pace,
    now_s: float,
    *tasks: Task,
    what: Look = ALL,
    remote: bool = False,
) -> None:
    pace.looked(now_s, what, tasks=tasks, has_remote=remote)


def test_it_begins_with_a_look_at_everything() -> None:
    pace = Pace()
    assert pace.due_s == 0
    assert pace.look(0) == ALL


def test_in_the_quiet_it_looks_seldom() -> None:
    assert quiet().due_s == SAFETY_S


@pytest.mark.parametrize("state", ["completed", "paused", "rollback_completed", "rollback_paused"])
def test_an_update_that_is_over_is_looked_at_at_once(state: str) -> None:
    pace = quiet()
    pace.see(of_service(state), 3)
    assert pace.due_s == 3
    assert pace.look(3) == ALL


def test_a_removal_is_looked_at_at_once() -> None:
    pace = quiet()
    pace.see(of_service(action="remove"), 3)
    assert pace.due_s == 3


@pytest.mark.parametrize("state", [None, "updating", "rollback_started"])
def test_what_is_not_over_has_the_services_looked_at(state: str) -> None:
    pace = quiet()
    pace.see(of_service(state), 3)
    assert pace.due_s == 3 + COALESCE_S
    assert pace.look(pace.due_s) == SERVICES
    look(pace, pace.due_s, what=SERVICES)
    assert pace.due_s == SAFETY_S


def test_the_deploys_end_and_what_it_wrote_last_are_looked_at_together() -> None:
    pace = quiet()
    pace.deployed(3)
    pace.see(of_service(), 3.02)
    assert pace.due_s == 3 + COALESCE_S
    pace = quiet()
    pace.see(of_service(), 3)
    pace.deployed(3.02)
    assert pace.due_s == 3 + COALESCE_S
    assert pace.look(pace.due_s) == SERVICES


def test_where_nothing_is_announced_the_deploys_end_is_looked_at_at_once() -> None:
    pace = Pace()
    look(pace, 0)
    pace.deployed(0.2)
    assert pace.due_s == 0.2


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
    assert 3.1 <= pace.due_s <= 3.15
    assert pace.look(pace.due_s) == TASKS


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
    look(pace, 3.15, task("new", HEAD, state), what=TASKS)
    assert pace.due_s == SAFETY_S


@pytest.mark.parametrize(
    ("action", "state", "looks_s"),
    [
        ("start", "starting", [0.15, 1.15]),
        ("health_status: healthy", "starting", [0.15, 0.25, 0.5, 1.0, 2.0, 4.0]),
        ("die", "running", [0.1, 0.25, 0.5, 1.0, 2.0, 4.0]),
    ],
)
def test_a_report_that_is_late_is_looked_for_more_and_more_seldom(
    action: str, state: str, looks_s: list[float]
) -> None:
    pace = quiet()
    pace.see(of_task(action), 3)
    waits_s = []
    while pace.due_s < SAFETY_S:
        waits_s.append(round(pace.due_s - 3, 3))
        look(pace, pace.due_s, task("new", HEAD, state), what=TASKS)
    assert waits_s == looks_s


def test_a_task_that_is_not_listed_is_not_waited_for() -> None:
    pace = quiet()
    pace.see(of_task("start"), 3)
    look(pace, 3.15, what=TASKS)
    assert pace.due_s == SAFETY_S


def test_a_look_before_the_report_can_be_there_does_not_count() -> None:
    pace = quiet()
    pace.see(of_task("die"), 3)
    look(pace, 3.05, task("new", HEAD, "running"))
    assert pace.due_s == 3.1


def test_tasks_elsewhere_are_looked_at_now_and_then() -> None:
    pace = quiet()
    look(pace, 1, remote=True)
    assert pace.due_s == 1 + REMOTE_S
    assert pace.look(pace.due_s) == TASKS
    look(pace, 4, what=TASKS, remote=True)
    assert pace.due_s == 4 + REMOTE_S
    look(pace, 7, what=TASKS)
    assert pace.due_s == 1 + SAFETY_S


def test_without_the_stream_everything_is_polled() -> None:
    pace = quiet()
    pace.stream(is_up=False, now_s=3)
    assert pace.due_s == 3
    assert pace.look(3) == ALL
    look(pace, 3)
    assert pace.due_s == 3 + POLL_S
    assert pace.look(pace.due_s) == ALL
    pace.stream(is_up=True, now_s=3.2)
    assert pace.due_s == 3.2
    look(pace, 3.2)
    assert pace.due_s == 3.2 + SAFETY_S


def test_a_look_that_failed_is_had_again_soon() -> None:
    pace = quiet()
    pace.see(of_service("completed"), 3)
    pace.failed(3)
    assert pace.due_s == 3 + POLL_S
    assert pace.look(pace.due_s) == ALL


@pytest.mark.parametrize(("boot_s", "most"), [(5, 0.25), (20, 0.1), (120, 0.05)])
def test_an_upgrade_costs_a_small_part_of_what_polling_does(boot_s: float, most: float) -> None:
    """A poller asks twice every 0.5 s. The health check is the image's, so nothing tells of it."""
    pace = quiet()
    end_s = boot_s + 5.5
    coming = [
        (0.0, of_service()),
        (0.01, of_service("updating")),
        (0.3, of_task("start")),
        (0.3 + boot_s, of_task("health_status: healthy")),
        (end_s, of_service("completed")),
    ]
    calls, now_s = 4, 0.0  # who it is, its events, and the baseline
    while coming or pace.due_s <= end_s:
        if coming and coming[0][0] < pace.due_s:
            now_s, event = coming.pop(0)
            pace.see(event, now_s)
            continue
        now_s = pace.due_s
        what = pace.look(now_s)
        calls += what.services + what.tasks
        state = "running" if now_s > 0.4 + boot_s else "starting"
        look(pace, now_s, task("new", HEAD, state), what=what)
    assert calls / (2 * end_s / 0.5) <= most
