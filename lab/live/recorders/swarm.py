"""Records services and tasks: listed on every event, and at a fixed rate between events."""

from __future__ import annotations

import threading

import docker
import msgspec

from stamplab.lab.live.api import fetch
from stamplab.lab.live.recorders.recorder import Recorder
from stamplab.lab.model import docker_json
from stamplab.lab.model.history import ServiceSeen, TasksSeen
from stamplab.lab.model.history_file import HistoryWriter
from stamplab.lab.model.swarm import STACK_LABEL, Service, Task

_LOOK_EVERY_S = 0.2
"""Task states have no events of their own, and an engine's own writes are not always announced."""


class ServiceRecorder(Recorder):
    """Lists the stacks' services and their tasks, and records whatever changed.

    All requests, whoever makes them, are made one after the other under one lock, held until the
    answer is recorded: otherwise an older answer could be recorded after a newer one and look like
    a change back.
    """

    def __init__(self, api: docker.APIClient, history: HistoryWriter) -> None:
        super().__init__("swarm", history, self.wake)
        self._api = api
        self._looking = threading.Lock()
        self._due = threading.Event()
        self._services: dict[str, bytes] = {}
        self._tasks: dict[str, tuple[Task, ...]] = {}
        self._listed: tuple[bytes, bytes] = (b"", b"")
        """The engine's last two lists: most are as the last ones, and are not parsed again."""

    def wake(self) -> None:
        """Have the swarm listed now, because something happened."""
        self._due.set()

    def record(self) -> None:
        """List the swarm on every wake, and at least every `_LOOK_EVERY_S`."""
        while not self.stopping.is_set():
            self._due.wait(_LOOK_EVERY_S)
            self._due.clear()
            self.look()

    def look(self, *, anew_for: str | None = None) -> None:
        """List services and tasks now, and record those that changed.

        Services of the stack ``anew_for`` are recorded changed or not.
        """
        with self._looking:
            lists = fetch(self._api, "services") or b"[]", fetch(self._api, "tasks") or b"[]"
            if lists == self._listed and anew_for is None:
                return
            listed = {
                service.name: (service, raw)
                for service, raw in docker_json.parse_services(lists[0])
                if STACK_LABEL in service.spec.labels
            }
            tasks = docker_json.parse_tasks(lists[1])
            for name in sorted(self._services.keys() - listed.keys()):
                del self._services[name]
                self.history.append(self.source, ServiceSeen(name=name, service=None))
            for name, (service, raw) in sorted(listed.items()):
                is_asked_for = service.spec.labels[STACK_LABEL] == anew_for
                self._record_service(service, raw, always=is_asked_for)
                own = tuple(task for task in tasks if task.service_id == service.id)
                self._record_tasks(name, own, always=is_asked_for)
            self._listed = lists  # all of it is recorded

    def inspect(self, name: str) -> Service | None:
        """Inspect one service now and record it, changed or not."""
        with self._looking:
            raw = fetch(self._api, f"services/{name}")
            if raw is None:
                self.history.append(self.source, ServiceSeen(name=name, service=None))
                return None
            service = docker_json.parse_service(raw)
            self._record_service(service, raw, always=True)
            return service

    def _record_service(self, service: Service, raw: bytes, *, always: bool) -> None:
        if always or self._services.get(service.name) != raw:
            self._services[service.name] = raw
            seen = ServiceSeen(name=service.name, service=service, raw=msgspec.Raw(raw))
            self.history.append(self.source, seen)

    def _record_tasks(self, name: str, tasks: tuple[Task, ...], *, always: bool) -> None:
        if always or self._tasks.get(name) != tasks:
            self._tasks[name] = tasks
            self.history.append(self.source, TasksSeen(service=name, tasks=tasks))
