"""Simulated clients of the application: which containers answer, and with which version.

A service's name resolves to its running tasks only, as in swarm's own DNS; a task that has not
opened its port, or has died, does not answer.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from stamplab.lab.model.history import ClientProbe
from stamplab.lab.model.swarm import RUNNING
from stamplab.lab.virtual.mirror import Mirror
from stamplab.lab.virtual.sim_events import ContainerEvent, StoreCommit

_VERSION = "STAMPLOAD_VERSION="


class _ProbedContainerSpec(msgspec.Struct, rename="pascal"):
    env: list[str] = []


class _ProbedTaskSpec(msgspec.Struct, rename="pascal"):
    container_spec: _ProbedContainerSpec = msgspec.field(default_factory=_ProbedContainerSpec)


class _ProbedTask(msgspec.Struct):
    id: str = msgspec.field(name="ID")
    spec: msgspec.Raw = msgspec.field(name="Spec", default_factory=lambda: msgspec.Raw(b"{}"))


_decode = msgspec.json.Decoder(_ProbedTask).decode


class VirtualClients:
    """VirtualClients that send requests to services by their names on the swarm."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._versions: dict[str, str] = {}
        self._answering: set[str] = set()
        """Tasks whose port is open."""
        self._requests = 0

    def feed(self, event: StoreCommit | ContainerEvent) -> None:
        """Take in one event of the swarm."""
        match event:
            case StoreCommit(tasks=tasks):
                for raw in tasks:
                    task = _decode(raw)
                    if task.id not in self._versions:
                        self._versions[task.id] = _version_in(bytes(task.spec))
            case ContainerEvent(action="ready", task=task_id):
                self._answering.add(task_id)
            case ContainerEvent(action="die", task=task_id):
                self._answering.discard(task_id)

    def probe(self, service: str) -> ClientProbe:
        """Send one request to a service now; several tasks take turns."""
        self._requests += 1
        targets = [t.id for t in self._mirror.tasks_of(service) or () if t.state == RUNNING]
        if not targets:
            error = f"{service} leads nowhere: none of its tasks is running"
            return ClientProbe(n=self._requests, ok=False, took_ms=0.0, error=error)
        task_id = targets[self._requests % len(targets)]
        if task_id not in self._answering:
            error = f"task {task_id} refuses connections"
            return ClientProbe(n=self._requests, ok=False, took_ms=0.0, error=error)
        return ClientProbe(n=self._requests, ok=True, took_ms=0.0, version=self._versions[task_id])


@lru_cache(maxsize=256)
def _version_in(spec: bytes) -> str:
    environment = msgspec.json.decode(spec, type=_ProbedTaskSpec).container_spec.env
    matches = [entry for entry in environment if entry.startswith(_VERSION)]
    return matches[-1].removeprefix(_VERSION) if matches else "unknown"
