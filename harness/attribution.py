"""Why an upgrade ended as it did: joins update status, tasks, kernel records and client probes.

Pure: reads a history, explains, judges nothing. What the history does not show is None.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lab.history import (
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
from lab.swarm import RUNNING, Service, ServiceSpec, Task

_TASK_LABEL = "com.docker.swarm.task.id"
_MIB = 1024 * 1024


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
        return (
            self.oom is not None and self.ended is not None and self.ended.exit_code == _SIGKILLED
        )

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


_SIGKILLED = 137


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
    clients: Clients
    limit: LimitSet | None
    at_oom: MemorySample | None
    """The last sample before the OOM kill."""

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
    death = _death(history, tasks, rollback or (applied and sightings[-1]))
    kept, lost = _base_tasks(tasks, base, applied_s)
    return Attribution(
        base=base,
        head=applied.service.spec if applied else None,
        sightings=sightings,
        applied_s=applied_s,
        rollback=rollback,
        death=death,
        kept_tasks=kept,
        lost_tasks=lost,
        clients=_clients(history, applied_s, _over_s(sightings, applied_s)),
        limit=_last(history, LimitSet),
        at_oom=_sample_before(history, death.oom if death else None),
    )


def explain(found: Attribution) -> str:
    """One sentence on a rolled-back upgrade.

    Which task, how it died, when, and who kept serving.
    """
    death = found.death
    if death is None:
        return "no task of the head spec is known to have failed"
    parts = [f"new task {death.task.id} {_cause(found, death)}"]
    if death.after_start_s is not None:
        parts.append(f"{death.after_start_s:.1f} s after its start, {death.window}")
    monitor_s = found.head.update.monitor_s if found.head else None
    if monitor_s is not None:
        parts.append(f"monitor {monitor_s:g} s")
    if found.kept_tasks:
        parts.append(f"old task {found.kept_tasks[0]} kept serving: {found.clients}")
    else:
        parts.append(f"no old task was kept: {found.clients}")
    return "; ".join(parts)


def memory_at_oom(found: Attribution) -> str | None:
    """The figures behind an OOM kill: limit, and what old and new used."""
    death = found.death
    if death is None or death.oom is None or not isinstance(death.oom.what, OomKill):
        return None
    kill = death.oom.what
    parts = [f"NEW's process {kill.anon_rss_bytes / _MIB:.1f} MiB"]
    if found.at_oom is not None:
        for container, used in sorted(found.at_oom.containers.items(), key=lambda item: -item[1]):
            if container != death.container_id:
                parts.append(f"OLD {used / _MIB:.1f} MiB")
                break
    if kill.limit_bytes is not None:
        parts.append(f"limit {kill.limit_bytes / _MIB:.1f} MiB")
    return ", ".join(parts)


def _cause(found: Attribution, death: Death) -> str:
    if death.is_oom and death.oom is not None and isinstance(death.oom.what, OomKill):
        figures = memory_at_oom(found)
        return (
            f"was OOM-killed (kernel: task_memcg={_short(death.oom.what.cgroup)}, exit code "
            f"{_SIGKILLED}{f'; {figures}' if figures else ''})"
        )
    code = death.ended.exit_code if death.ended else death.task.exit_code
    return f"failed with exit code {code} ({death.task.error or death.task.message})"


def _short(cgroup: str) -> str:
    """A control group's path with its container's id cut to the usual 12 digits."""
    group, _, container = cgroup.rpartition("/")
    return f"{group}/{container[:12]}"


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


def _death(
    history: History, tasks: list[tuple[float, tuple[Task, ...]]], sighting: Sighting | None
) -> Death | None:
    status = sighting.service.update_status if sighting else None
    blamed = status.failed_task if status else None
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


def _base_tasks(
    tasks: list[tuple[float, tuple[Task, ...]]], base: ServiceSpec, applied_s: float | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split the base's tasks that ran when head was applied into kept and lost."""
    if applied_s is None or not tasks:
        return (), ()
    before = [listed for seen_s, listed in tasks if seen_s <= applied_s]
    at_first = _running_of(before[-1], base) if before else ()
    at_last = set(_running_of(tasks[-1][1], base))
    kept = tuple(task for task in at_first if task in at_last)
    return kept, tuple(task for task in at_first if task not in at_last)


def _running_of(listed: tuple[Task, ...], spec: ServiceSpec) -> tuple[str, ...]:
    return tuple(
        task.id
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


def _sample_before(history: History, oom: Record | None) -> MemorySample | None:
    if oom is None:
        return None
    samples = [
        record.what
        for record in history
        if isinstance(record.what, MemorySample) and record.happened_s <= oom.happened_s
    ]
    return samples[-1] if samples else None
