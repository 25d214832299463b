"""The swarm's state after the commits so far, and what has changed since it was last recorded."""

from __future__ import annotations

import msgspec

from stamplab.lab.model import docker_json
from stamplab.lab.model.swarm import STACK_LABEL, Service, Task
from stamplab.lab.virtual.sim_events import StoreCommit


class Mirror:
    """Services and tasks of a virtual swarm. Raises LabError for JSON that no engine sends."""

    def __init__(self) -> None:
        self._services: dict[str, tuple[Service, msgspec.Raw]] = {}
        self._tasks: dict[str, dict[str, Task]] = {}
        self._owner: dict[str, str] = {}
        self.changed_services: dict[str, None] = {}
        """Names of services that changed or were removed, in order; the recorder clears them."""
        self.changed_tasks: dict[str, None] = {}
        """Names of services whose tasks have changed."""

    def feed(self, commit: StoreCommit) -> None:
        """Apply one transaction."""
        for raw in commit.services:
            service = docker_json.parse_service(bytes(raw))
            self._services[service.id] = (service, raw)
            self.changed_services[service.name] = None
        for gone in commit.removed:
            service, _ = self._services.pop(gone)
            self._tasks.pop(gone, None)
            self.changed_services[service.name] = None
            self.changed_tasks.pop(service.name, None)
        for raw in commit.tasks:
            task = docker_json.parse_task(bytes(raw))
            self._tasks.setdefault(task.service_id, {})[task.id] = task
            self._owner[task.id] = task.service_id
            self._mark_tasks_changed(task.service_id)
        for gone in commit.removed_tasks:
            owner = self._owner.pop(gone, "")
            if self._tasks.get(owner, {}).pop(gone, None) is not None:
                self._mark_tasks_changed(owner)

    def named(self, name: str) -> tuple[Service, msgspec.Raw] | None:
        """Return a service and its JSON; None where no service has that name."""
        return next((pair for pair in self._services.values() if pair[0].name == name), None)

    def tasks_of(self, name: str) -> tuple[Task, ...] | None:
        """Return a service's tasks, oldest first; None where there is no such service."""
        pair = self.named(name)
        if pair is None:
            return None
        tasks = self._tasks.get(pair[0].id, {}).values()
        return tuple(sorted(tasks, key=lambda task: (task.created_unix_s, task.id)))

    def names_in(self, stack: str) -> list[str]:
        """Return the names of a stack's services, sorted."""
        return sorted(
            service.name
            for service, _ in self._services.values()
            if service.spec.labels.get(STACK_LABEL) == stack
        )

    def task(self, task_id: str) -> Task | None:
        """Return a task by its id; None where there is none."""
        return self._tasks.get(self._owner.get(task_id, ""), {}).get(task_id)

    def _mark_tasks_changed(self, service_id: str) -> None:
        if service_id in self._services:
            self.changed_tasks[self._services[service_id][0].name] = None
