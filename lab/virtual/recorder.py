"""Records the events of the virtual swarm, as far as its observer sees them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from stamplab.lab.model.history import (
    ContainerEnded,
    EngineEvent,
    MemorySample,
    OomKill,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.model.swarm import SERVICE_NAME_LABEL, TASK_LABEL, Service
from stamplab.lab.virtual.clients import VirtualClients
from stamplab.lab.virtual.conditions import EveryCommit, PeriodicTaskLists, Visibility
from stamplab.lab.virtual.journal import Journal, VirtualClock
from stamplab.lab.virtual.mirror import Mirror
from stamplab.lab.virtual.sim_events import ContainerEvent, OutOfMemory, SimEvent, StoreCommit

_SOURCE = "swarmsim"
_PROCESS = "stampload"
OnCommit = Callable[[float, Mirror], None]
"""Is told of every commit, recorded or not: its time, and the swarm after it."""


class VirtualRecorder:
    """Folds swarmsim's events into a mirror of the swarm, and records what changed in it."""

    def __init__(
        self,
        journal: Journal,
        clock: VirtualClock,
        visibility: Visibility,
        on_commit: OnCommit = lambda *_: None,
    ) -> None:
        self._on_commit = on_commit
        self._journal = journal
        self._clock = clock
        self._visibility = visibility
        self.listing_due_s: float | None = None
        """When tasks are to be listed; None while no change of theirs is unrecorded."""
        self.mirror = Mirror()
        self._clients = VirtualClients(self.mirror)
        self.probed_service: str | None = None
        """The service that clients probe, once it is deployed."""
        self.limit_bytes: int | None = None
        self._oom_kills = 0

    def feed(self, events: Sequence[SimEvent]) -> None:
        """Take in the events of one moment, in order."""
        for event in events:
            match event:
                case StoreCommit():
                    self.mirror.feed(event)
                    self._clients.feed(event)
                    self._on_commit(self._clock.now_s(), self.mirror)
                    if isinstance(self._visibility, EveryCommit):
                        self._record_changes(with_tasks=True)
                case ContainerEvent():
                    self._clients.feed(event)
                    self._record_container(event)
                case OutOfMemory():
                    self._record_oom_kill(event)
        self._record_changes(with_tasks=not isinstance(self._visibility, PeriodicTaskLists))
        self._list_if_due()
        if events:
            self.probe()

    def inspect(self, name: str) -> Service | None:
        """Record one service, changed or not."""
        self.mirror.changed_services.pop(name, None)
        return self._record_service(name)

    def look(self, stack: str) -> None:
        """Record every service and task of a stack, changed or not."""
        self._record_changes(with_tasks=True)
        for name in self.mirror.names_in(stack):
            self._record_service(name)
            self._record_tasks(name)
        self.probe()

    def sample(
        self, usage_bytes: int, containers: Mapping[str, int], at_s: float | None = None
    ) -> None:
        """Record how much memory is in use."""
        sample = MemorySample(
            usage_bytes=usage_bytes,
            limit_bytes=self.limit_bytes,
            containers=dict(containers),
            oom_kills=self._oom_kills,
        )
        self._journal.append(_SOURCE, sample, at_s)

    def probe(self) -> None:
        """Record one client's request, once there is a service to probe."""
        if self.probed_service is not None:
            self._journal.append("clients", self._clients.probe(self.probed_service))

    def _list_if_due(self) -> None:
        """Record tasks at the next due listing; listings that would show no change are left out."""
        if not isinstance(self._visibility, PeriodicTaskLists):
            return
        now_s = self._clock.now_s()
        if self.listing_due_s is None and self.mirror.changed_tasks:
            periods = math.ceil((now_s - self._visibility.phase_s) / self._visibility.every_s)
            self.listing_due_s = (
                self._visibility.phase_s + max(0, periods) * self._visibility.every_s
            )
        if self.listing_due_s is not None and now_s >= self.listing_due_s:
            self._record_changes(with_tasks=True)

    def _record_changes(self, *, with_tasks: bool) -> None:
        services, tasks = self.mirror.changed_services, self.mirror.changed_tasks
        for name in list(services):
            self._record_service(name)
        services.clear()
        if with_tasks:
            for name in list(tasks):
                self._record_tasks(name)
            tasks.clear()
            self.listing_due_s = None

    def _record_service(self, name: str) -> Service | None:
        pair = self.mirror.named(name)
        if pair is None:
            self._journal.append(_SOURCE, ServiceSeen(name=name, service=None))
            return None
        service, raw = pair
        self._journal.append(_SOURCE, ServiceSeen(name=name, service=service, raw=raw))
        return service

    def _record_tasks(self, name: str) -> None:
        self.mirror.changed_tasks.pop(name, None)
        tasks = self.mirror.tasks_of(name)
        if tasks is not None:
            self._journal.append(_SOURCE, TasksSeen(service=name, tasks=tasks))

    def _record_container(self, event: ContainerEvent) -> None:
        engine_event = EngineEvent(
            kind="container",
            action=event.action,
            actor_id=event.container,
            attributes={
                "image": event.image,
                SERVICE_NAME_LABEL: event.service,
                TASK_LABEL: event.task,
            },
        )
        self._journal.append(_SOURCE, engine_event, event.at_s)
        if event.action == "die":
            ended = ContainerEnded(
                container_id=event.container,
                task_id=event.task,
                exit_code=event.exit_code,
                oom_killed=event.oom,
                started_s=event.started_s,
                finished_s=event.at_s,
            )
            self._journal.append(_SOURCE, ended, event.at_s)

    def _record_oom_kill(self, oom: OutOfMemory) -> None:
        self.sample(oom.usage_bytes, oom.containers, oom.at_s)
        self._oom_kills += 1
        kill = OomKill(
            container_id=oom.container,
            cgroup=f"/virtual/{oom.container}",
            limited_cgroup="/virtual",
            pid=0,
            process=_PROCESS,
            anon_rss_bytes=oom.rss_bytes,
            usage_bytes=oom.usage_bytes,
            limit_bytes=oom.limit_bytes,
            lines=("by the rule of the kernel, in virtual time: no kernel has logged this",),
        )
        self._journal.append(_SOURCE, kill, oom.at_s)
        self.sample(oom.usage_bytes - oom.rss_bytes, {}, oom.at_s)


def spec_in(service: msgspec.Raw) -> bytes:
    """Return the present spec in a service's JSON."""
    return bytes(msgspec.json.decode(service, type=_SpecOnly).spec)


class _SpecOnly(msgspec.Struct):
    spec: msgspec.Raw = msgspec.field(name="Spec")
