"""When snapshots of a swarm are due: steadily, soon after events, and with how many calls."""

from __future__ import annotations

import random
from collections import deque

import pytest

from stamplab.lab.remote.poll_schedule import (
    CALLS_PER_S,
    LONGEST_POLL_S,
    LONGEST_POLL_WITHOUT_EVENTS_S,
    POLL_S,
    RETRY_S,
    PollSchedule,
)

SNAPSHOT_CALLS = 2


def polled_at(now_s: float, calls: int, *, has_events: bool = True) -> PollSchedule:
    """A schedule whose last snapshot was taken at ``now_s``."""
    schedule = PollSchedule()
    schedule.has_events = has_events
    schedule.on_poll(now_s, calls)
    return schedule


def test_it_begins_with_a_snapshot() -> None:
    assert PollSchedule().due_s == 0


def test_it_polls_about_once_a_second_and_less_often_after_many_calls() -> None:
    assert polled_at(100, 100).due_s == 100 + POLL_S
    assert polled_at(10, 100).due_s == 10 + LONGEST_POLL_S
    assert polled_at(10, 17).due_s == 11.5
    assert polled_at(10, 100, has_events=False).due_s == 10 + LONGEST_POLL_WITHOUT_EVENTS_S


def test_a_request_is_met_at_its_moment_whatever_was_asked_before() -> None:
    schedule = polled_at(10, 100)
    for at_s in (10.01, 10.02, 10.03):
        schedule.on_event(at_s)
        schedule.on_poll(at_s, 100)
    schedule.request(10.05)
    assert schedule.due_s == 10.05
    schedule.on_poll(10.05, 102)
    assert schedule.due_s == 10.05 + LONGEST_POLL_S


def test_a_request_for_later_outlasts_a_snapshot() -> None:
    schedule = polled_at(100, 100)
    schedule.request(100.3)
    schedule.on_poll(100.1, 102)
    assert schedule.due_s == 100.3


def test_an_event_brings_the_snapshot_forward() -> None:
    schedule = polled_at(10, 100)
    schedule.on_event(10.15)
    assert schedule.due_s == 10.15


def test_after_many_snapshots_that_followed_events_the_next_one_waits_for_a_poll() -> None:
    schedule = polled_at(1, 100)
    schedule.on_event(1.5)
    assert schedule.due_s == 1.5
    schedule.on_poll(1.5, 100)
    schedule.on_event(2.0)
    assert schedule.due_s == 1.5 + LONGEST_POLL_S
    schedule.on_poll(4.0, 100)
    schedule.on_poll(30.0, 100)
    schedule.on_event(30.15)
    assert schedule.due_s == 30.15


def test_what_an_event_leads_to_is_not_shown_by_a_snapshot_that_comes_earlier() -> None:
    schedule = polled_at(100, 100)
    schedule.on_event(100.15)
    schedule.on_poll(100.1, 102)
    assert schedule.due_s == 100.15


def test_a_burst_of_events_does_not_put_the_snapshot_off() -> None:
    schedule = polled_at(100, 0)
    for number in range(100):
        schedule.on_event(100.15 + number / 1000)
    assert schedule.due_s == 100.15


@pytest.mark.parametrize("has_events", [True, False])
def test_a_snapshot_without_an_answer_is_tried_again_soon(*, has_events: bool) -> None:
    schedule = polled_at(10, 100, has_events=has_events)
    schedule.request(10.1)
    schedule.on_failure(10.1)
    assert schedule.due_s == 10.1 + RETRY_S
    schedule.on_event(10.2)
    assert schedule.due_s == 10.1 + RETRY_S


def test_a_request_that_is_due_soon_serves_an_event_too() -> None:
    schedule = polled_at(10, 100)
    schedule.request(10.1)
    schedule.on_event(10.05)
    assert schedule.due_s == 10.1
    schedule.on_event(9.9)
    assert schedule.due_s == 9.9


def calls_of_a_wait(wait_s: float, events_per_s: float, *, has_events: bool = True) -> int:
    """Calls of a wait with a deploy's end, an update that settles, and the end of its hold."""
    draw = random.Random(wait_s)  # noqa: S311 - a test's events, no secret
    events = deque(sorted(draw.uniform(0.1, wait_s) for _ in range(round(events_per_s * wait_s))))
    schedule = polled_at(0.1, 4, has_events=has_events)  # who it is, its events, the baseline
    calls, last_s = 4, 0.1
    schedule.request(0.3)
    schedule.request(wait_s - 0.3)
    while schedule.due_s < wait_s or events:
        if events and events[0] <= schedule.due_s:
            schedule.on_event(events.popleft() + 0.15)
            continue
        now_s = schedule.due_s
        calls += SNAPSHOT_CALLS
        assert now_s - last_s <= LONGEST_POLL_S + 1e-9
        last_s = now_s
        schedule.on_poll(now_s, calls)
    return calls + SNAPSHOT_CALLS


@pytest.mark.parametrize("wait_s", [10, 15, 30, 120])
@pytest.mark.parametrize("events_per_s", [0, 0.3, 1, 10, 200])
def test_a_wait_costs_at_most_two_calls_a_second(wait_s: int, events_per_s: float) -> None:
    assert calls_of_a_wait(wait_s, events_per_s) / wait_s <= CALLS_PER_S


@pytest.mark.parametrize("wait_s", [15, 30, 120])
def test_without_events_it_costs_no_more(wait_s: int) -> None:
    assert calls_of_a_wait(wait_s, 0, has_events=False) / wait_s <= CALLS_PER_S


def test_in_a_long_wait_it_polls_about_once_a_second() -> None:
    polls = calls_of_a_wait(120, 0) / SNAPSHOT_CALLS
    assert 0.8 <= polls / 120 <= 1.0
