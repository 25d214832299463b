"""Since when tasks run, more finely than looks can tell. Pure.

That a task is RUNNING is not announced; that its container has started, or is healthy, is, and that
is what makes it RUNNING some milliseconds later. Both moments are stamped by the clock of the node
that it runs on, so the time from one to the other is known however late the list is read; and as
it is no longer than that, a step of the clock matters only if it falls into it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from stamplab.lab.model.history import EngineEvent
from stamplab.lab.model.swarm import RUNNING, TASK_LABEL, Task

MOST_S = 2.0
"""A stamp that is further from its event than this tells of another moment, or of a step."""


class _Up(msgspec.Struct, frozen=True):
    """The event that makes a task RUNNING."""

    unix_s: float
    seen_s: float


class Starts:
    """What the events said of tasks' starts. It is told of all that concerns what is watched."""

    def __init__(self) -> None:
        self._up: dict[str, _Up] = {}

    def see(self, event: EngineEvent, unix_s: float, now_s: float) -> None:
        """Take in an event; the last one that can make its task RUNNING counts."""
        if event.action in ("start", "health_status: healthy"):
            self._up[event.attributes.get(TASK_LABEL, "")] = _Up(unix_s, now_s)

    def running_since_s(self, tasks: Iterable[Task]) -> dict[str, float]:
        """Since when those of them run that do, by our own clock, where it is known."""
        since_s: dict[str, float] = {}
        for task in tasks:
            up = self._up.get(task.id)
            if task.state == RUNNING and up and 0 <= task.status_unix_s - up.unix_s <= MOST_S:
                since_s[task.id] = up.seen_s + task.status_unix_s - up.unix_s
        return since_s

    def forget(self) -> None:
        """Nothing is seen any more: what runs when it is seen again has to be seen to run."""
        self._up.clear()
