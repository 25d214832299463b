"""What really became of a deploy, by somebody who does nothing but look at the swarm for long.

It shares no code with the guard, which is held to it: it knows what was asked for, reads the
engine's own JSON for it, and judges by the end, a minute after the last change, instead of by rules
of when an update may be called over.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from stamplab.lab.model.history import Observation, ServiceSeen, TasksSeen
from stamplab.lab.model.service_spec import STAMP, Wanted
from stamplab.lab.model.swarm import RUNNING, SETTLED_STATES, Service, Task

WATCH_S = 60.0
"""How long it looks on after the last change."""
STEADY_S = 20.0
"""How long the very same tasks must have run in the end: a restart every so often is no running."""
_RESTARTED_ONLY_IF_FAILED = ("on-failure", "none")


class Fate(StrEnum):
    """What became of a deploy."""

    DEPLOYED = "deployed"
    """What was asked for stands, and its tasks run, the same ones for long."""
    FINISHED = "finished"
    """What was asked for stands, has done its work, and is not to run again."""
    DOWN = "not running"
    """What was asked for stands, and its tasks do not run, or not for long."""
    PAUSED = "paused"
    """The swarm has stopped in the middle, and says so."""
    ROLLED_BACK = "rolled back"
    """The swarm has put back what was there before."""
    REPLACED = "replaced"
    """Somebody else's update came before the swarm was done with this one."""
    REMOVED = "removed"


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one deploy, and by what that is seen."""

    fate: Fate
    text: str
    broke_s: float | None = None
    """When the first task of it failed, if one did."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A service and its tasks, as seen at one moment."""

    at_s: float
    service: Service | None
    asked: tuple[str | None, frozenset[str]]
    """The stamp and the variables in the engine's own JSON."""
    tasks: tuple[Task, ...]

    @property
    def running(self) -> frozenset[str]:
        """Tasks of the present spec that run and are meant to."""
        if self.service is None:
            return frozenset()
        digest = self.service.spec.task_digest
        return frozenset(
            task.id
            for task in self.tasks
            if task.spec_digest == digest and task.state == task.desired_state == RUNNING
        )

    @property
    def wanted(self) -> int:
        """How many tasks are asked for; in global mode one, for there is one node."""
        if self.service is None:
            return 0
        replicas = self.service.spec.replicas
        return 1 if replicas is None else replicas


# The observer shares no code with the guard (ADR 0035).
class Observer:
    """The life of one service, as far as it is seen."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._service: Service | None = None
        self._asked: tuple[str | None, frozenset[str]] = (None, frozenset())
        self._tasks: tuple[Task, ...] = ()
        self.sightings: list[Sighting] = []
        self.changed_s = 0.0
        """When the service itself last changed, by whomever."""
        self.seen_tasks: dict[str, Task] = {}
        """Every task that was ever listed, as listed last; the first first."""
        self.was_running: set[str] = set()
        self.overlapped = False
        """Whether tasks of two specs ever ran at once."""

    def feed(self, seen_s: float, what: Observation) -> None:
        """Take in one observation."""
        match what:
            case ServiceSeen(name=name) if name == self._name:
                if _changes(self._service, what.service):
                    self.changed_s = seen_s
                self._service = what.service
                self._asked = _asked_in(bytes(what.raw))
            case TasksSeen(service=name) if name == self._name:
                self._see_tasks(what.tasks)
            case _:
                return
        now = Sighting(at_s=seen_s, service=self._service, asked=self._asked, tasks=self._tasks)
        self.sightings.append(now)

    @property
    def last(self) -> Sighting | None:
        """What was seen last; None before anything was."""
        return self.sightings[-1] if self.sightings else None

    def truth(self, wanted: Wanted, since: int, until: int | None, now_s: float) -> Truth:
        """What became of a deploy that was done after ``since`` sightings.

        ``until`` is how many there were when somebody did another thing to the service, at
        ``now_s``; None if nobody did until then. (Not times: in virtual time a deploy and what
        comes of it at once are one moment.)
        """
        before, seen = self.sightings[:since], self.sightings[:until]
        if not seen or seen[-1].service is None:
            return Truth(fate=Fate.REMOVED, text="there is no such service in the end")
        end = seen[-1]
        state = end.service.update_state if end.service else None
        is_asked = _is_asked(wanted, end)
        fate, text = _standing(seen, wanted, state, now_s)
        stands = state is None and fate in (Fate.DEPLOYED, Fate.FINISHED)
        if until is not None and not (is_asked and (state in SETTLED_STATES or stands)):
            text = f"the update state was {state or 'nil'} when the next update came"
            return Truth(fate=Fate.REPLACED, text=text)
        if not is_asked:
            return _put_back(before[-1] if before else None, end)
        broke_s = _first_failure_s(seen[since:])
        return Truth(fate=fate, text=text, broke_s=broke_s)

    def _see_tasks(self, tasks: tuple[Task, ...]) -> None:
        self._tasks = tasks
        self.seen_tasks |= {task.id: task for task in tasks}
        running = [task for task in tasks if task.state == RUNNING]
        self.was_running |= {task.id for task in running}
        self.overlapped |= len({task.spec_digest for task in running}) > 1


def _standing(
    seen: list[Sighting], wanted: Wanted, state: str | None, until_s: float
) -> tuple[Fate, str]:
    """What was asked for stands in the spec: how its tasks are."""
    end = seen[-1]
    said = f"the update state is {state or 'nil'}"
    if state == "paused":
        return Fate.PAUSED, f"{said}, {_count(end)}"
    if end.wanted == 0:
        return Fate.DEPLOYED, f"{said}, and no task is wanted"
    since_s = end.at_s
    for earlier in reversed(seen):
        if earlier.running != end.running:
            break
        since_s = earlier.at_s
    steady_s = until_s - since_s
    if len(end.running) >= end.wanted and steady_s >= STEADY_S:
        return Fate.DEPLOYED, f"{said}, {_count(end)}, the same ones for {steady_s:.0f} s"
    if wanted.restart in _RESTARTED_ONLY_IF_FAILED and _all_done(end):
        return Fate.FINISHED, f"{said}, and its task has ended with exit code 0"
    failed = sum(task.has_failed for task in end.tasks)
    return Fate.DOWN, f"{said}, {_count(end)}, {failed} of those listed have failed"


def _put_back(before: Sighting | None, end: Sighting) -> Truth:
    """Another spec stands than was asked for: the swarm's own doing, or somebody's."""
    service = end.service
    is_back = before is not None and before.asked == end.asked
    by_itself = service is not None and service.previous_spec is None
    if is_back and by_itself and service is not None:
        text = f"the spec is the one from before, the update state {service.update_state}"
        return Truth(fate=Fate.ROLLED_BACK, text=f"{text}, {_count(end)}")
    return Truth(fate=Fate.REPLACED, text=f"the service has the stamp {end.asked[0]}")


def _all_done(end: Sighting) -> bool:
    digest = end.service.spec.task_digest if end.service else None
    own = [task for task in end.tasks if task.spec_digest == digest]
    return bool(own) and all(task.state == "complete" and not task.exit_code for task in own)


def _count(end: Sighting) -> str:
    return f"{len(end.running)} of {end.wanted} tasks of its spec run"


def _first_failure_s(seen: list[Sighting]) -> float | None:
    """When a task of the last spec was first seen failed, if any was."""
    digest = seen[-1].service.spec.task_digest if seen and seen[-1].service else None
    for sighting in seen:
        if any(task.has_failed and task.spec_digest == digest for task in sighting.tasks):
            return sighting.at_s
    return None


def _is_asked(wanted: Wanted, seen: Sighting) -> bool:
    return seen.asked == (wanted.stamp, frozenset(wanted.environment)) and (
        seen.service is not None and seen.service.spec.replicas == wanted.replicas
    )


def _asked_in(raw: bytes) -> tuple[str | None, frozenset[str]]:
    """The stamp and the variables in a service's JSON."""
    described: Any = msgspec.json.decode(raw)
    if described is None:
        return None, frozenset()
    spec = described["Spec"]
    variables = spec["TaskTemplate"]["ContainerSpec"].get("Env") or []
    return (spec.get("Labels") or {}).get(STAMP), frozenset(variables)


def _changes(before: Service | None, now: Service | None) -> bool:
    if before is None or now is None:
        return before is not now
    return (before.spec, before.update_status) != (now.spec, now.update_status)
