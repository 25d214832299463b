"""What clients of the application would see: which containers answer, and with what version.

A service's name leads to its running tasks alone, as swarm's own DNS has it; one that has not
opened its port, or has died, does not answer.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from stamplab.lab.model.history import ClientProbe
from stamplab.lab.model.swarm import RUNNING
from stamplab.lab.virtual.mirror import Mirror
from stamplab.lab.virtual.sim_events import Commit, ContainerDid

_VERSION = "STAMPLOAD_VERSION="


class _ContainerSpec(msgspec.Struct, rename="pascal"):
    env: list[str] = []


class _TaskSpec(msgspec.Struct, rename="pascal"):
    container_spec: _ContainerSpec = msgspec.field(default_factory=_ContainerSpec)


class _Task(msgspec.Struct):
    id: str = msgspec.field(name="ID")
    spec: msgspec.Raw = msgspec.field(name="Spec", default_factory=lambda: msgspec.Raw(b"{}"))


_decode = msgspec.json.Decoder(_Task).decode


class Clients:
    """Those of one service, by its name on the swarm."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._versions: dict[str, str] = {}
        self._answering: set[str] = set()
        """Tasks whose port is open."""
        self._asked = 0

    def feed(self, what: Commit | ContainerDid) -> None:
        """Take in what happened."""
        match what:
            case Commit(tasks=tasks):
                for raw in tasks:
                    task = _decode(raw)
                    if task.id not in self._versions:
                        self._versions[task.id] = _version_in(bytes(task.spec))
            case ContainerDid(action="ready", task=task_id):
                self._answering.add(task_id)
            case ContainerDid(action="die", task=task_id):
                self._answering.discard(task_id)
            case _:
                pass

    def ask(self, service: str) -> ClientProbe:
        """One request to a service now; several tasks are asked in turn."""
        self._asked += 1
        led_to = [t.id for t in self._mirror.tasks_of(service) or () if t.state == RUNNING]
        if not led_to:
            error = f"{service} leads nowhere: none of its tasks is running"
            return ClientProbe(n=self._asked, ok=False, took_ms=0.0, error=error)
        task_id = led_to[self._asked % len(led_to)]
        if task_id not in self._answering:
            error = f"task {task_id} refuses connections"
            return ClientProbe(n=self._asked, ok=False, took_ms=0.0, error=error)
        return ClientProbe(n=self._asked, ok=True, took_ms=0.0, version=self._versions[task_id])


@lru_cache(maxsize=256)
def _version_in(spec: bytes) -> str:
    environment = msgspec.json.decode(spec, type=_TaskSpec).container_spec.env
    found = [one for one in environment if one.startswith(_VERSION)]
    return found[-1].removeprefix(_VERSION) if found else "unknown"
