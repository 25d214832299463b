"""Joins update status, tasks, kernel records and client probes of one upgrade into its facts.

Reads a history and judges nothing. What the history does not show is None, or empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from stamplab.lab.model.history import (
    ClientProbe,
    ContainerEnded,
    EngineEvent,
    History,
    LimitSet,
    MemorySample,
    OomKill,
    Record,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.model.swarm import RUNNING, Service, ServiceSpec, Task, blamed_task


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """The service as seen at one moment."""

    seq: int
    seen_s: float
    service: Service


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    """What clients saw from the moment the new spec was applied until the update was over."""

    asked: int
    failed: int
    versions: tuple[str, ...]

    def __str__(self) -> str:
        """In a clause."""
        answered = f", answered by version {' and '.join(self.versions)}" if self.versions else ""
        return f"{self.asked} client probes, {self.failed} failed{answered}"


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """How the task that failed the update died."""

    task: Task
    container_id: str | None
    started_s: float | None
    ended: ContainerEnded | None
    oom: Record | None
    """The record of the `OomKill` whose victim was in this task's container."""
    was_running: bool
    """Whether it had reached RUNNING (healthy, where there is a health check)."""

    @property
    def is_oom(self) -> bool:
        """Killed by the kernel's OOM killer, and died by it."""
        return self.oom is not None and self.ended is not None and self.ended.exit_code == SIGKILLED

    @property
    def after_start_s(self) -> float | None:
        """Seconds from the container's start to its death."""
        if self.ended is not None:
            return self.ended.finished_s - self.ended.started_s
        return None

    @property
    def window(self) -> str:
        """Which of the updater's two windows the failure fell in (updater.go:232, 378)."""
        return "within monitor after RUNNING" if self.was_running else "before RUNNING"


SIGKILLED = 137


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """One upgrade of one service, explained."""

    base: ServiceSpec
    head: ServiceSpec | None
    sightings: tuple[Sighting, ...]
    applied_s: float | None
    """When the head spec was first seen."""
    rollback: Sighting | None
    """The first sighting of the rollback."""
    death: Death | None
    kept_tasks: tuple[str, ...]
    """Base tasks that ran when head was applied and still run, the very same, at the end."""
    lost_tasks: tuple[str, ...]
    old_containers: tuple[str, ...]
    """Containers of the base tasks that ran when head was applied."""
    served_before: tuple[str, ...]
    """Versions that answered clients before head was applied."""
    clients: Clients
    limit: LimitSet | None
    at_oom: MemorySample | None
    """The last sample before the OOM kill."""
    oom_kills: int | None
    """OOM kills that the kernel counted in the lab's group since head was applied.

    None where the group has no such counter (cgroup v1), or was not sampled.
    """

    @property
    def last(self) -> Sighting:
        """The last sighting of the service."""
        return self.sightings[-1]


def attribute(history: History, service: str) -> Attribution | None:
    """Explain the upgrade that a history shows; None where the service was never seen."""
    sightings = tuple(_sightings(history, service))
    if not sightings:
        return None
    base = sightings[0].service.spec
    applied = next((s for s in sightings if s.service.spec.digest != base.digest), None)
    rollback = next((s for s in sightings if applied and _is_rollback(s, applied)), None)
    applied_s = applied.seen_s if applied else None
    tasks = _task_lists(history, service)
    death = _death(history, tasks, _blamed(applied, rollback, sightings[-1], tasks))
    old = _running_before(tasks, base, applied_s)
    alive = {task.id for task in _running_of(tasks[-1][1], base)} if tasks else set()
    return Attribution(
        base=base,
        head=applied.service.spec if applied else None,
        sightings=sightings,
        applied_s=applied_s,
        rollback=rollback,
        death=death,
        kept_tasks=tuple(task.id for task in old if task.id in alive),
        lost_tasks=tuple(task.id for task in old if task.id not in alive),
        old_containers=tuple(task.container_id for task in old if task.container_id),
        served_before=_clients(history, 0.0, applied_s).versions if applied_s else (),
        clients=_clients(history, applied_s, _over_s(sightings, applied_s)),
        limit=_last(history, LimitSet),
        at_oom=_sample_before(history, death.oom.happened_s if death and death.oom else None),
        oom_kills=_oom_kills(history, applied_s),
    )


def _sightings(history: History, service: str) -> Iterator[Sighting]:
    for record in history:
        match record.what:
            case ServiceSeen(name=name, service=Service() as seen) if name == service:
                yield Sighting(seq=record.seq, seen_s=record.seen_s, service=seen)
            case _:
                continue


def _is_rollback(sighting: Sighting, applied: Sighting) -> bool:
    state = sighting.service.update_state or ""
    return sighting.seq >= applied.seq and state.startswith("rollback")


def _task_lists(history: History, service: str) -> list[tuple[float, tuple[Task, ...]]]:
    return [
        (record.seen_s, record.what.tasks)
        for record in history
        if isinstance(record.what, TasksSeen) and record.what.service == service
    ]


def _blamed(
    applied: Sighting | None,
    rollback: Sighting | None,
    last: Sighting,
    tasks: list[tuple[float, tuple[Task, ...]]],
) -> str | None:
    """The task that the update failed by, by its message or by the lists of tasks."""
    if applied is None:
        return None
    status = (rollback or last).service.update_status
    return blamed_task(
        status.failed_new_task if status else None,
        (task for _, listed in tasks for task in listed if task.has_failed),
        applied.service.spec.task_digest,
        is_rolled_back=rollback is not None,
    )


def _death(
    history: History, tasks: list[tuple[float, tuple[Task, ...]]], blamed: str | None
) -> Death | None:
    seen = [task for _, listed in tasks for task in listed if task.id == blamed]
    if not seen:
        return None
    container = next((task.container_id for task in reversed(seen) if task.container_id), None)
    started = _container_event(history, container, "start")
    return Death(
        task=seen[-1],
        container_id=container,
        started_s=started.happened_s if started else None,
        ended=_ended(history, container),
        oom=_oom(history, container),
        was_running=any(task.state == RUNNING for task in seen)
        or _container_event(history, container, "health_status: healthy") is not None,
    )


def _container_event(history: History, container: str | None, action: str) -> Record | None:
    for record in history:
        match record.what:
            case EngineEvent(kind="container", action=did, actor_id=actor):
                if did == action and actor == container:
                    return record
            case _:
                continue
    return None


def _ended(history: History, container: str | None) -> ContainerEnded | None:
    for record in history:
        if isinstance(record.what, ContainerEnded) and record.what.container_id == container:
            return record.what
    return None


def _oom(history: History, container: str | None) -> Record | None:
    for record in history:
        if isinstance(record.what, OomKill) and record.what.container_id == container:
            return record
    return None


def _running_before(
    tasks: list[tuple[float, tuple[Task, ...]]], base: ServiceSpec, applied_s: float | None
) -> tuple[Task, ...]:
    """The base's tasks that ran when head was applied."""
    before = [listed for seen_s, listed in tasks if applied_s is not None and seen_s <= applied_s]
    return _running_of(before[-1], base) if before else ()


def _running_of(listed: tuple[Task, ...], spec: ServiceSpec) -> tuple[Task, ...]:
    return tuple(
        task
        for task in listed
        if task.state == RUNNING
        and task.desired_state == RUNNING
        and task.spec_digest == spec.task_digest
    )


def _over_s(sightings: tuple[Sighting, ...], applied_s: float | None) -> float | None:
    """When the update was over by the swarm's own account."""
    for sighting in sightings:
        status = sighting.service.update_status
        is_later = applied_s is not None and sighting.seen_s >= applied_s
        if is_later and status is not None and status.is_over:
            return sighting.seen_s
    return None


def _clients(history: History, from_s: float | None, until_s: float | None) -> Clients:
    probes = [
        record.what
        for record in history
        if isinstance(record.what, ClientProbe)
        and from_s is not None
        and record.happened_s >= from_s
        and (until_s is None or record.happened_s <= until_s)
    ]
    versions = {probe.version for probe in probes if probe.ok and probe.version}
    return Clients(
        asked=len(probes),
        failed=sum(not probe.ok for probe in probes),
        versions=tuple(sorted(versions)),
    )


def _last(history: History, kind: type[LimitSet]) -> LimitSet | None:
    found = [record.what for record in history if isinstance(record.what, kind)]
    return found[-1] if found else None


def _sample_before(history: History, until_s: float | None) -> MemorySample | None:
    if until_s is None:
        return None
    samples = [
        record.what
        for record in history
        if isinstance(record.what, MemorySample) and record.happened_s <= until_s
    ]
    return samples[-1] if samples else None


def _oom_kills(history: History, applied_s: float | None) -> int | None:
    first, last = _sample_before(history, applied_s), _sample_before(history, math.inf)
    if first is None or last is None or first.oom_kills is None or last.oom_kills is None:
        return None
    return last.oom_kills - first.oom_kills
