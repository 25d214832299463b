"""Since when tasks run, as far as the events and the tasks' own stamps tell."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stamplab.lab.model.history import EngineEvent
from stamplab.lab.model.swarm import TASK_LABEL, Task
from stamplab.lab.remote.snapshot import LONGEST_START_S, StartTimes
from tests.builders import HEAD, task

HEALTHY = "health_status: healthy"
AT_UNIX_S, SEEN_S = 1_000.0, 10.0


def of_container(action: str) -> EngineEvent:
    return EngineEvent(
        kind="container", action=action, actor_id="c", attributes={TASK_LABEL: "new"}
    )


def stamped(unix_s: float, state: str = "running", task_id: str = "new") -> Task:
    return msgspec.structs.replace(task(task_id, HEAD, state), status_unix_s=unix_s)


def starts(*actions: str) -> StartTimes:
    start_times = StartTimes()
    for number, action in enumerate(actions):
        start_times.on_event(of_container(action), AT_UNIX_S + number, SEEN_S + number)
    return start_times


@pytest.mark.parametrize("action", ["start", HEALTHY])
def test_it_runs_as_long_after_the_event_as_its_stamp_is(action: str) -> None:
    since_s = starts(action).running_since_s([stamped(AT_UNIX_S + 0.25)])
    assert since_s == {"new": SEEN_S + 0.25}


def test_of_a_start_and_a_health_that_comes_later_the_health_counts() -> None:
    since_s = starts("start", HEALTHY).running_since_s([stamped(AT_UNIX_S + 1.25)])
    assert since_s == {"new": SEEN_S + 1.25}


@pytest.mark.parametrize("action", ["create", "die", "oom", "health_status: unhealthy"])
def test_other_events_make_no_task_run(action: str) -> None:
    assert starts(action).running_since_s([stamped(AT_UNIX_S)]) == {}


@pytest.mark.parametrize("state", ["starting", "failed", "shutdown", "complete"])
def test_a_task_that_does_not_run_has_no_since(state: str) -> None:
    assert starts("start").running_since_s([stamped(AT_UNIX_S, state)]) == {}


@pytest.mark.parametrize("delta_s", [-3600.0, -0.001, LONGEST_START_S + 0.001, 3600.0])
def test_where_the_clock_was_stepped_in_between_nothing_is_known(delta_s: float) -> None:
    assert starts("start").running_since_s([stamped(AT_UNIX_S + delta_s)]) == {}


def test_tasks_are_told_apart() -> None:
    start_times = starts("start")
    assert start_times.running_since_s([stamped(AT_UNIX_S, task_id="other")]) == {}


def test_in_the_blind_all_is_forgotten() -> None:
    start_times = starts("start")
    start_times.forget()
    assert start_times.running_since_s([stamped(AT_UNIX_S)]) == {}


@given(
    delta_s=st.floats(min_value=0, max_value=LONGEST_START_S),
    lag_s=st.floats(min_value=0, max_value=60),
    step_s=st.floats(min_value=-1e6, max_value=1e6),
)
def test_it_never_runs_for_longer_than_it_did(delta_s: float, lag_s: float, step_s: float) -> None:
    """However late the event came, and however the clock was stepped before it or since."""
    start_times = StartTimes()
    start_times.on_event(of_container("start"), AT_UNIX_S + step_s, SEEN_S + lag_s)
    since_s = start_times.running_since_s([stamped(AT_UNIX_S + step_s + delta_s)])
    assert since_s.get("new", float("inf")) >= SEEN_S + delta_s - 1e-6
