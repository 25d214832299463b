"""Joins update status, tasks, kernel records and client probes of one upgrade into its facts.

Reads a history and judges nothing. What the history does not show is None, or empty.
"""

from __future__ import annotations

import math

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
    observations,
    records_of,
)
from stamplab.lab.model.swarm import RUNNING, Service, ServiceSpec, Task, blamed_task


class ServiceSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """State of the service at one moment."""

    seq: int
    seen_s: float
    service: Service


class ProbeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Count of the client probes between two moments, and the versions that answered them."""

    sent: int
    failed: int
    versions: tuple[str, ...]

    def __str__(self) -> str:
        """State the count in a clause."""
        answered = f", answered by version {' and '.join(self.versions)}" if self.versions else ""
        return f"{self.sent} client probes, {self.failed} failed{answered}"


class TaskFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Failure of the task that failed the update."""

    task: Task
    container_id: str | None
    started_s: float | None
    ended: ContainerEnded | None
    oom_kill: OomKill | None
    """The kernel's record of a kill whose victim was in this task's container."""
    oom_kill_s: float | None
    was_running: bool
    """Whether it had reached RUNNING (healthy, where there is a health check)."""

    @property
    def is_oom(self) -> bool:
        """Whether the kernel's OOM killer hit this task's container, and the task died of it."""
        was_killed = self.ended is not None and self.ended.exit_code == SIGKILLED
        return self.oom_kill is not None and was_killed

    @property
    def after_start_s(self) -> float | None:
        """Seconds from the container's start to its failure."""
        if self.ended is not None:
            return self.ended.finished_s - self.ended.started_s
        return None

    @property
    def window(self) -> str:
        """Which of the updater's two windows the failure fell in (updater.go:232, 378)."""
        return "within monitor after RUNNING" if self.was_running else "before RUNNING"


SIGKILLED = 137
_TaskLists = list[tuple[float, tuple[Task, ...]]]
"""Lists of a service's tasks, each with when it was seen."""


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one upgrade of one service."""

    base: ServiceSpec
    head: ServiceSpec | None
    snapshots: tuple[ServiceSnapshot, ...]
    applied_s: float | None
    """When the head spec was first seen."""
    rollback: ServiceSnapshot | None
    """The first snapshot of the rollback."""
    failure: TaskFailure | None
    kept_tasks: tuple[str, ...]
    """Base tasks that ran when head was applied and still run, the very same, at the end."""
    lost_tasks: tuple[str, ...]
    old_containers: tuple[str, ...]
    """Containers of the base tasks that ran when head was applied."""
    served_before: tuple[str, ...]
    """Versions that answered clients before head was applied."""
    probes: ProbeSummary
    """From the moment head was applied until the update was over."""
    limit: LimitSet | None
    at_oom: MemorySample | None
    """The last sample before the OOM kill."""
    oom_kills: int | None
    """OOM kills that the kernel counted in the lab's group since head was applied.

    None where the group has no such counter (cgroup v1), or was not sampled.
    """

    @property
    def last(self) -> ServiceSnapshot:
        """The last snapshot of the service."""
        return self.snapshots[-1]


def attribute(history: History, service: str) -> Attribution | None:
    """Explain the upgrade that a history shows; None where the service was never seen."""
    snapshots = tuple(
        ServiceSnapshot(seq=record.seq, seen_s=record.seen_s, service=seen.service)
        for record, seen in records_of(history, ServiceSeen)
        if seen.name == service and seen.service is not None
    )
    if not snapshots:
        return None
    base = snapshots[0].service.spec
    applied = next((s for s in snapshots if s.service.spec.digest != base.digest), None)
    rollback = next((s for s in snapshots if applied and _is_rollback(s, applied)), None)
    applied_s = applied.seen_s if applied else None
    tasks = [
        (record.seen_s, listed.tasks)
        for record, listed in records_of(history, TasksSeen)
        if listed.service == service
    ]
    failure = _failure(history, tasks, _blamed(applied, rollback, snapshots[-1], tasks))
    limits = observations(history, LimitSet)
    old = _running_before(tasks, base, applied_s)
    alive = {task.id for task in _running_of(tasks[-1][1], base)} if tasks else set()
    return Attribution(
        base=base,
        head=applied.service.spec if applied else None,
        snapshots=snapshots,
        applied_s=applied_s,
        rollback=rollback,
        failure=failure,
        kept_tasks=tuple(task.id for task in old if task.id in alive),
        lost_tasks=tuple(task.id for task in old if task.id not in alive),
        old_containers=tuple(task.container_id for task in old if task.container_id),
        served_before=_probes_between(history, 0.0, applied_s).versions if applied_s else (),
        probes=_probes_between(history, applied_s, _over_s(snapshots, applied_s)),
        limit=limits[-1] if limits else None,
        at_oom=_sample_before(history, failure.oom_kill_s if failure else None),
        oom_kills=_oom_kills(history, applied_s),
    )


def _is_rollback(snapshot: ServiceSnapshot, applied: ServiceSnapshot) -> bool:
    state = snapshot.service.update_state or ""
    return snapshot.seq >= applied.seq and state.startswith("rollback")


def _blamed(
    applied: ServiceSnapshot | None,
    rollback: ServiceSnapshot | None,
    last: ServiceSnapshot,
    tasks: _TaskLists,
) -> str | None:
    """Find the task that the update failed by, by the engine's word or by the lists of tasks."""
    if applied is None:
        return None
    status = (rollback or last).service.update_status
    return blamed_task(
        status.failed_new_task if status else None,
        (task for _, listed in tasks for task in listed if task.has_failed),
        applied.service.spec.task_digest,
        is_rolled_back=rollback is not None,
    )


def _failure(history: History, tasks: _TaskLists, blamed: str | None) -> TaskFailure | None:
    listings = [task for _, listed in tasks for task in listed if task.id == blamed]
    if not listings:
        return None
    container = next((task.container_id for task in reversed(listings) if task.container_id), None)
    ends = (end for _, end in records_of(history, ContainerEnded) if end.container_id == container)
    kills = (
        (kill, record.happened_s)
        for record, kill in records_of(history, OomKill)
        if kill.container_id == container
    )
    oom_kill, oom_kill_s = next(kills, (None, None))
    started = _container_event(history, container, "start")
    return TaskFailure(
        task=listings[-1],
        container_id=container,
        started_s=started.happened_s if started else None,
        ended=next(ends, None),
        oom_kill=oom_kill,
        oom_kill_s=oom_kill_s,
        was_running=any(task.state == RUNNING for task in listings)
        or _container_event(history, container, "health_status: healthy") is not None,
    )


def _container_event(history: History, container: str | None, action: str) -> Record | None:
    wanted = ("container", action, container)
    events = (
        record
        for record, event in records_of(history, EngineEvent)
        if (event.kind, event.action, event.actor_id) == wanted
    )
    return next(events, None)


def _running_before(
    tasks: _TaskLists, base: ServiceSpec, applied_s: float | None
) -> tuple[Task, ...]:
    """Return the base's tasks that ran when head was applied."""
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


def _over_s(snapshots: tuple[ServiceSnapshot, ...], applied_s: float | None) -> float | None:
    """When the update was over by the swarm's own account."""
    for snapshot in snapshots:
        status = snapshot.service.update_status
        is_later = applied_s is not None and snapshot.seen_s >= applied_s
        if is_later and status is not None and status.is_over:
            return snapshot.seen_s
    return None


def _probes_between(history: History, from_s: float | None, until_s: float | None) -> ProbeSummary:
    probes = [
        probe
        for record, probe in records_of(history, ClientProbe)
        if from_s is not None
        and record.happened_s >= from_s
        and (until_s is None or record.happened_s <= until_s)
    ]
    versions = {probe.version for probe in probes if probe.ok and probe.version}
    return ProbeSummary(
        sent=len(probes),
        failed=sum(not probe.ok for probe in probes),
        versions=tuple(sorted(versions)),
    )


def _sample_before(history: History, until_s: float | None) -> MemorySample | None:
    if until_s is None:
        return None
    memory = records_of(history, MemorySample)
    samples = [sample for record, sample in memory if record.happened_s <= until_s]
    return samples[-1] if samples else None


def _oom_kills(history: History, applied_s: float | None) -> int | None:
    first, last = _sample_before(history, applied_s), _sample_before(history, math.inf)
    if first is None or last is None or first.oom_kills is None or last.oom_kills is None:
        return None
    return last.oom_kills - first.oom_kills
