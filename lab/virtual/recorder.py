"""Puts what happens in the virtual swarm into the history, as far as its observer sees it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

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
from stamplab.lab.virtual.clients import Clients
from stamplab.lab.virtual.conditions import Commits, Looks, Sight
from stamplab.lab.virtual.journal import Clock, Journal
from stamplab.lab.virtual.mirror import Mirror
from stamplab.lab.virtual.sim_events import Commit, ContainerDid, Happened, OutOfMemory

_SOURCE = "swarmsim"
_PROCESS = "stampload"


class SwarmRecorder:
    """Folds what swarmsim tells into a mirror of the swarm, and records what changed in it."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        sight: Sight,
        told: Callable[[float, Mirror], None] | None = None,
    ) -> None:
        """``told`` hears of every commit, whatever is seen of it."""
        self._told = told
        self._journal = journal
        self._clock = clock
        self._sight = sight
        self._look_due_s: float | None = None
        self.mirror = Mirror()
        self._clients = Clients(self.mirror)
        self.asked_service: str | None = None
        """Whom clients ask, once it is deployed."""
        self.limit_bytes: int | None = None
        self._oom_kills = 0

    @property
    def look_due_s(self) -> float | None:
        """When tasks are to be looked at; None while nothing of them is unseen."""
        return self._look_due_s

    def feed(self, happened: Iterable[Happened]) -> None:
        """Take in what happened at one moment, in its order."""
        something = False
        for one in happened:
            something = True
            match one:
                case Commit():
                    self.mirror.feed(one)
                    self._clients.feed(one)
                    if self._told:
                        self._told(self._clock.now_s(), self.mirror)
                    if isinstance(self._sight, Commits):
                        self._show_changes(with_tasks=True)
                case ContainerDid():
                    self._clients.feed(one)
                    self._note_container(one)
                case OutOfMemory():
                    self._note_oom(one)
        self._show_changes(with_tasks=not isinstance(self._sight, Looks))
        self._look_if_due()
        if something:
            self.ask_clients()

    def inspect(self, name: str) -> Service | None:
        """Record one service, changed or not."""
        self.mirror.changed_services.pop(name, None)
        return self._show_service(name)

    def look(self, stack: str) -> None:
        """Record every service and task of a stack, changed or not."""
        self._show_changes(with_tasks=True)
        for name in self.mirror.names_in(stack):
            self._show_service(name)
            self._show_tasks(name)
        self.ask_clients()

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

    def ask_clients(self) -> None:
        """One request of a client, if there is anything to be asked yet."""
        if self.asked_service is not None:
            self._journal.append("clients", self._clients.ask(self.asked_service))

    def _look_if_due(self) -> None:
        """What is unseen is seen by the next look; looks that would show nothing are left out."""
        if not isinstance(self._sight, Looks):
            return
        now_s = self._clock.now_s()
        if self._look_due_s is None and self.mirror.changed_tasks:
            looks = math.ceil((now_s - self._sight.phase_s) / self._sight.every_s)
            self._look_due_s = self._sight.phase_s + max(0, looks) * self._sight.every_s
        if self._look_due_s is not None and now_s >= self._look_due_s:
            self._show_changes(with_tasks=True)

    def _show_changes(self, *, with_tasks: bool) -> None:
        services, tasks = self.mirror.changed_services, self.mirror.changed_tasks
        for name in list(services):
            self._show_service(name)
        services.clear()
        if with_tasks:
            for name in list(tasks):
                self._show_tasks(name)
            tasks.clear()
            self._look_due_s = None

    def _show_service(self, name: str) -> Service | None:
        found = self.mirror.named(name)
        if found is None:
            self._journal.append(_SOURCE, ServiceSeen(name=name, service=None))
            return None
        service, raw = found
        self._journal.append(_SOURCE, ServiceSeen(name=name, service=service, raw=raw))
        return service

    def _show_tasks(self, name: str) -> None:
        self.mirror.changed_tasks.pop(name, None)
        tasks = self.mirror.tasks_of(name)
        if tasks is not None:
            self._journal.append(_SOURCE, TasksSeen(service=name, tasks=tasks))

    def _note_container(self, did: ContainerDid) -> None:
        event = EngineEvent(
            kind="container",
            action=did.action,
            actor_id=did.container,
            attributes={
                "image": did.image,
                SERVICE_NAME_LABEL: did.service,
                TASK_LABEL: did.task,
            },
        )
        self._journal.append(_SOURCE, event, did.at_s)
        if did.action == "die":
            ended = ContainerEnded(
                container_id=did.container,
                task_id=did.task,
                exit_code=did.exit_code,
                oom_killed=did.oom,
                started_s=did.started_s,
                finished_s=did.at_s,
            )
            self._journal.append(_SOURCE, ended, did.at_s)

    def _note_oom(self, oom: OutOfMemory) -> None:
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
    """The present spec in a service's JSON."""
    return bytes(msgspec.json.decode(service, type=_Service).spec)


class _Service(msgspec.Struct):
    spec: msgspec.Raw = msgspec.field(name="Spec")
