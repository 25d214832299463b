"""When to look at a swarm that announces most of what it does. Pure: it is told, and says when.

Which event tells of what (seen on dockerd 20.10, and in moby daemon/events.go): every write to a
service is announced at once, cluster-wide, and says which update state it brought. The states of
tasks are not announced. Those of this node follow from its containers' events: a task is RUNNING
some 50 to 150 ms after its container's start or, where its health is checked, after it is healthy,
for an agent's reports are gathered for 100 ms (SwarmKit manager/dispatcher/dispatcher.go:44). Tasks
of other nodes make no event here: they are looked at now and then. And so is everything, for an
engine drops events that are not read quickly (moby daemon/events/events.go:28).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from stamplab.lab.model.history import EngineEvent
from stamplab.lab.model.swarm import RUNNING, SETTLED_STATES, TASK_LABEL, Task

COALESCE_S = 0.05
"""One update writes a service twice within some milliseconds."""
REPORT_S = 0.05
SAFETY_S = 30.0
REMOTE_S = 3.0
"""How often tasks are listed that run where no event of theirs comes from."""
POLL_S = 0.5
"""How often everything is looked at as long as nothing is announced."""

_AFTER_START_S = (0.15, 1.0)
"""A task goes on starting where its image has its health checked; its health's event comes."""
_AFTER_HEALTH_S = (0.15, 0.1, 0.25, 0.5, 1.0, 2.0)
_AFTER_END_S = (0.1, 0.15, 0.25, 0.5, 1.0, 2.0)
_NEVER_S = float("inf")


class _Awaited(msgspec.Struct):
    """A task whose state is about to follow its container."""

    waits_s: tuple[float, ...]
    due_s: float
    ends: bool
    """Whether its end is awaited, not its being RUNNING."""


class Look(msgspec.Struct, frozen=True):
    """What to look at."""

    services: bool = True
    tasks: bool = True
    """Without them, the services tell whether their tasks count yet."""


class Pace:
    """Decides when to look next, and at what."""

    def __init__(self) -> None:
        self.is_streaming = False
        self._full_due_s = 0.0
        self._services_due_s = _NEVER_S
        self._safety_due_s = 0.0
        self._remote_due_s = _NEVER_S
        self._awaited: dict[str, _Awaited] = {}

    @property
    def due_s(self) -> float:
        """When to look next."""
        return min(self._full_at_s, self._services_due_s, self._tasks_at_s)

    def look(self, now_s: float) -> Look:
        """What to look at now; at everything, where nothing is due."""
        if self._full_at_s <= now_s or self.due_s > now_s:
            return Look()
        return Look(services=self._services_due_s <= now_s, tasks=self._tasks_at_s <= now_s)

    def see(self, event: EngineEvent, now_s: float) -> None:
        """Take in an event that concerns what is watched."""
        if event.kind == "service":
            self._see_service(event, now_s)
        elif event.kind == "node":
            self.want(now_s + REPORT_S)
        elif event.action == "start":
            self._await(event, _AFTER_START_S, now_s)
        elif event.action == "die":
            self._await(event, _AFTER_END_S, now_s)
        elif event.action.startswith("health_status"):
            self._await(event, _AFTER_HEALTH_S, now_s)

    def want(self, at_s: float) -> None:
        """Have everything looked at by then."""
        self._full_due_s = min(self._full_due_s, at_s)

    def deployed(self, now_s: float) -> None:
        """The deploy has ended: look, together with what it wrote last, whose event may be late."""
        if self.is_streaming:
            self._want_services(now_s + COALESCE_S)
        else:
            self.want(now_s)

    def stream(self, *, is_up: bool, now_s: float) -> None:
        """The stream of events broke, or is there again: look, for what came in between."""
        self.is_streaming = is_up
        self.want(now_s)

    def looked(
        self, now_s: float, look: Look, *, tasks: Iterable[Task] = (), has_remote: bool = False
    ) -> None:
        """Take in that a look was had, and which tasks it showed."""
        if look.services:
            self._services_due_s = _NEVER_S
        if look.services and look.tasks:
            self._full_due_s = _NEVER_S
            self._safety_due_s = now_s + (SAFETY_S if self.is_streaming else POLL_S)
        if look.tasks:
            self._remote_due_s = now_s + REMOTE_S if has_remote else _NEVER_S
            listed = {task.id: task for task in tasks}
            self._awaited = {
                task_id: again
                for task_id, awaited in self._awaited.items()
                if (again := _again(awaited, listed.get(task_id), now_s)) is not None
            }

    def failed(self, now_s: float) -> None:
        """A look was not answered: everything is to be looked at again, soon."""
        self._full_due_s = now_s + POLL_S
        self._services_due_s = self._safety_due_s = self._remote_due_s = _NEVER_S
        self._awaited.clear()

    def _see_service(self, event: EngineEvent, now_s: float) -> None:
        state = event.attributes.get("updatestate.new")
        if state in SETTLED_STATES or event.action == "remove":
            self.want(now_s)
        else:
            self._want_services(now_s + COALESCE_S)

    def _want_services(self, at_s: float) -> None:
        self._services_due_s = min(self._services_due_s, at_s)

    def _await(self, event: EngineEvent, waits_s: tuple[float, ...], now_s: float) -> None:
        self._awaited[event.attributes.get(TASK_LABEL, "")] = _Awaited(
            waits_s=waits_s[1:], due_s=now_s + waits_s[0], ends=event.action == "die"
        )

    @property
    def _full_at_s(self) -> float:
        return min(self._full_due_s, self._safety_due_s)

    @property
    def _tasks_at_s(self) -> float:
        return min([self._remote_due_s, *(awaited.due_s for awaited in self._awaited.values())])


def _again(awaited: _Awaited, task: Task | None, now_s: float) -> _Awaited | None:
    """When to look for it once more, unless what was awaited has come about, or never will."""
    if awaited.due_s > now_s:
        return awaited
    has_come = task is None or task.is_terminal or (task.state == RUNNING and not awaited.ends)
    if has_come or not awaited.waits_s:
        return None
    return _Awaited(
        waits_s=awaited.waits_s[1:], due_s=now_s + awaited.waits_s[0], ends=awaited.ends
    )
