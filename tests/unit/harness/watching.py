"""The guard at work on made histories, in the loop in which the harness has it work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

import msgspec

from stamplab.harness.guard import Baseline, Expectation, Guard, Outcome, Ruling
from stamplab.lab.model.history import Observation, Record
from stamplab.lab.model.swarm import Service
from tests.builders import BASE, HEAD, NAME, Story, deployed, listed, seen, service, task

DEADLINE_S = 120.0
_MOST_STEPS = 500


class WatchResult(msgspec.Struct, frozen=True):
    """How a watch ended."""

    ruling: Ruling
    waits: tuple[float, ...]
    """Until when the loop waited when nothing came, one entry a time."""
    fed: int
    """How many records had been taken in at the ruling."""


def guard_of(
    before: Service | None,
    *,
    labels: Mapping[str, str] | None = None,
    deadline_s: float = DEADLINE_S,
    hold_s: float = 0.0,
) -> Guard:
    """A guard with a baseline."""
    return Guard(
        Baseline(name=NAME, service=before),
        Expectation(deadline_s=deadline_s, labels=dict(labels or {}), hold_s=hold_s),
    )


def follow(guard: Guard, history: Iterable[Record]) -> WatchResult:
    """Do as `assert_upgrade_converged` does, in a world that plays a history."""
    upcoming = deque(history)
    waits: list[float] = []
    now_s = 0.0
    fed = 0
    while guard.ruling is None:
        until_s = guard.wake_s
        assert until_s >= now_s, f"a wait until {until_s} is over before it begins, at {now_s}"
        if upcoming and upcoming[0].seen_s <= until_s:
            record = upcoming.popleft()
            now_s = max(now_s, record.seen_s)
            fed += 1
            guard.feed(record)
            guard.tick(record.seen_s)
        else:
            now_s = until_s
            waits.append(until_s)
            guard.tick(now_s)
        assert len(waits) + fed < _MOST_STEPS, "the loop does not end"
    return WatchResult(guard.ruling, tuple(waits), fed)


def rule(
    before: Service | None,
    story: Story,
    *,
    labels: Mapping[str, str] | None = None,
    deadline_s: float = DEADLINE_S,
    hold_s: float = 0.0,
) -> Ruling:
    """The guard's ruling on a story."""
    guard = guard_of(before, labels=labels, deadline_s=deadline_s, hold_s=hold_s)
    return follow(guard, story.records).ruling


def outcome(before: Service | None, story: Story) -> Outcome:
    """The guard's ruling on a story, in a word."""
    return rule(before, story).outcome


OLD = task("old", BASE)
NEW = task("new", HEAD)
BEFORE = service(BASE)


def redeployed(*moments: tuple[float, Observation]) -> Story:
    """A deploy over BASE that returns at second 1; what follows is the test's."""
    return Story().at(0, seen(BEFORE), listed(OLD)).at(1, deployed()).at_all(moments)


def upgrade(*moments: tuple[float, Observation]) -> Story:
    """An upgrade from BASE to HEAD, taken by the swarm at second 1; what follows is the test's."""
    booting = listed(OLD, task("new", HEAD, "starting"))
    story = redeployed().at(1, seen(service(HEAD, BASE, "updating")), booting)
    return story.at_all(moments)
