"""The ground truth of a deploy, by an observer that does nothing but look at the swarm for long.

It shares no code with the guard, which is held to it. It knows what was asked for, reads the
engine's own JSON for that, and judges by the end, a minute after the last change, instead of by
rules of when an update may be called over. In virtual time it sees every commit of the swarm's
store, live all that the recorders saw.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from stamplab.lab.model.history import Observation, ServiceSeen, TasksSeen
from stamplab.lab.model.service_request import STAMP, ServiceRequest
from stamplab.lab.model.swarm import RUNNING, SETTLED_STATES, Service, Task

WATCH_S = 60.0
"""How long the observer looks on after the last change."""
STEADY_S = 20.0
"""How long the very same tasks must have run in the end: a restart every so often is no running."""
_RESTARTED_ONLY_IF_FAILED = ("on-failure", "none")


class TrueOutcome(StrEnum):
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


class GroundTruth(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one deploy, and by what that is seen."""

    outcome: TrueOutcome
    text: str
    broke_s: float | None = None
    """When the first task of it failed, if one did."""


class ServiceSighting(msgspec.Struct, frozen=True, kw_only=True):
    """A service and its tasks, from one moment until the next sighting."""

    at_s: float
    service: Service | None
    asked: tuple[str | None, frozenset[str]]
    """The stamp and the variables in the engine's own JSON."""
    tasks: tuple[Task, ...]

    @property
    def update_state(self) -> str | None:
        """The state of the last update, if there is such a service."""
        return self.service.update_state if self.service else None

    def running_of(self, task_digest: str | None) -> frozenset[str]:
        """Tasks of a spec that run and are meant to."""
        return frozenset(
            task.id
            for task in self.tasks
            if task.spec_digest == task_digest and task.state == task.desired_state == RUNNING
        )

    @property
    def running(self) -> frozenset[str]:
        """Tasks of the present spec that run and are meant to."""
        return self.running_of(self.service.spec.task_digest) if self.service else frozenset()

    def slots_of(self, task_ids: frozenset[str]) -> int:
        """How many slots these tasks are in: the swarm wants one in each, and may have two."""
        return len({task.slot for task in self.tasks if task.id in task_ids})

    @property
    def is_complete(self) -> bool:
        """Whether there is a service, and as many tasks of its spec run as are wanted."""
        return self.service is not None and self.slots_of(self.running) >= self.wanted

    @property
    def wanted(self) -> int:
        """How many tasks are asked for; in global mode one, for there is one node."""
        if self.service is None:
            return 0
        replicas = self.service.spec.replicas
        return 1 if replicas is None else replicas


# The observer shares no code with the guard (ADR 0035).
class ServiceObserver:
    """Everything that is seen of one service, and what became of its deploys."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._asked: tuple[str | None, frozenset[str]] = (None, frozenset())
        self.sightings: list[ServiceSighting] = []
        """One for every change; the first first."""
        self.changed_s = 0.0
        """When the service itself last changed, by whomever."""
        self.seen_tasks: dict[str, Task] = {}
        """Every task that was ever listed, as listed last; the first first."""
        self.was_running: set[str] = set()
        self.overlapped = False
        """Whether tasks of two specs ever ran at once."""

    def feed(self, seen_s: float, what: Observation) -> None:
        """Take in one record of a history."""
        last = self.last
        match what:
            case ServiceSeen(name=self.name, service=service):
                self._asked = _asked_in(bytes(what.raw))
                self.see(seen_s, service, last.tasks if last else ())
            case TasksSeen(service=self.name, tasks=tasks):
                self.see(seen_s, last.service if last else None, tasks)

    def see(self, at_s: float, service: Service | None, tasks: tuple[Task, ...]) -> None:
        """Take in the service and its tasks as they are at a moment."""
        last = self.last
        now = ServiceSighting(at_s=at_s, service=service, asked=self._asked, tasks=tasks)
        if _changes(last.service if last else None, service):
            self.changed_s = at_s
        if last is None or last.tasks != tasks:
            self._see_tasks(tasks)
        if last is None or (last.service, last.asked, last.tasks) != (service, now.asked, tasks):
            self.sightings.append(now)

    @property
    def last(self) -> ServiceSighting | None:
        """What was seen last; None before anything was."""
        return self.sightings[-1] if self.sightings else None

    def truth(
        self, asked: ServiceRequest, since: int, until: int | None, now_s: float
    ) -> GroundTruth:
        """Return what became of a deploy that was done after ``since`` sightings.

        ``until`` is how many there were when somebody did another thing to the service, at
        ``now_s``; None if nobody did until then. (Not times: in virtual time a deploy and what
        comes of it at once are one moment.)
        """
        before, seen = self.sightings[:since], self.sightings[:until]
        if not seen or seen[-1].service is None:
            text = "there is no such service in the end"
            return GroundTruth(outcome=TrueOutcome.REMOVED, text=text)
        end = seen[-1]
        state = end.update_state
        is_asked = _is_asked(asked, end)
        outcome, text = _standing(seen, asked, now_s)
        stands = state is None and outcome in (TrueOutcome.DEPLOYED, TrueOutcome.FINISHED)
        if until is not None and not (is_asked and (state in SETTLED_STATES or stands)):
            text = f"the update state was {state or 'nil'} when the next update came"
            return GroundTruth(outcome=TrueOutcome.REPLACED, text=text)
        if not is_asked:
            return _put_back(before[-1] if before else None, end)
        return GroundTruth(outcome=outcome, text=text, broke_s=_first_failure_s(seen[since:]))

    def _see_tasks(self, tasks: tuple[Task, ...]) -> None:
        self.seen_tasks |= {task.id: task for task in tasks}
        running = [task for task in tasks if task.state == RUNNING]
        self.was_running |= {task.id for task in running}
        self.overlapped |= len({task.spec_digest for task in running}) > 1


def _standing(
    seen: list[ServiceSighting], asked: ServiceRequest, until_s: float
) -> tuple[TrueOutcome, str]:
    """Return the outcome where what was asked for stands in the spec: how its tasks are."""
    end = seen[-1]
    state = f"the update state is {end.update_state or 'nil'}"
    if end.update_state == "paused":
        return TrueOutcome.PAUSED, f"{state}, {_count(end)}"
    if end.wanted == 0:
        return TrueOutcome.DEPLOYED, f"{state}, and no task is wanted"
    since_s = end.at_s
    for earlier in reversed(seen):
        if earlier.running != end.running:
            break
        since_s = earlier.at_s
    steady_s = until_s - since_s
    if end.is_complete and steady_s >= STEADY_S:
        text = f"{state}, {_count(end)}, the same ones for {steady_s:.0f} s"
        return TrueOutcome.DEPLOYED, text
    if asked.restart in _RESTARTED_ONLY_IF_FAILED and _all_done(end):
        return TrueOutcome.FINISHED, f"{state}, and its task has ended with exit code 0"
    failed = sum(task.has_failed for task in end.tasks)
    return TrueOutcome.DOWN, f"{state}, {_count(end)}, {failed} of those listed have failed"


def _put_back(before: ServiceSighting | None, end: ServiceSighting) -> GroundTruth:
    """Return the truth where another spec stands: the swarm's doing, or somebody's."""
    service = end.service
    is_back = before is not None and before.asked == end.asked
    if is_back and service is not None and service.previous_spec is None:
        text = f"the spec is the one from before, the update state {service.update_state}"
        return GroundTruth(outcome=TrueOutcome.ROLLED_BACK, text=f"{text}, {_count(end)}")
    text = f"the service has the stamp {end.asked[0]}"
    return GroundTruth(outcome=TrueOutcome.REPLACED, text=text)


def _all_done(end: ServiceSighting) -> bool:
    digest = end.service.spec.task_digest if end.service else None
    own = [task for task in end.tasks if task.spec_digest == digest]
    return bool(own) and all(task.state == "complete" and not task.exit_code for task in own)


def _count(end: ServiceSighting) -> str:
    return f"{end.slots_of(end.running)} of {end.wanted} tasks of its spec run"


def _first_failure_s(seen: list[ServiceSighting]) -> float | None:
    """When a task of the last spec was first seen failed, if any was."""
    digest = seen[-1].service.spec.task_digest if seen and seen[-1].service else None
    for sighting in seen:
        if any(task.has_failed and task.spec_digest == digest for task in sighting.tasks):
            return sighting.at_s
    return None


def _is_asked(asked: ServiceRequest, seen: ServiceSighting) -> bool:
    return seen.asked == (asked.stamp, frozenset(asked.environment)) and (
        seen.service is not None and seen.service.spec.replicas == asked.replicas
    )


def _asked_in(raw: bytes) -> tuple[str | None, frozenset[str]]:
    """Return the stamp and the variables in a service's JSON."""
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
