"""Reads a snapshot of a swarm: the watched services, all of their tasks, and failed containers.

It takes two calls however many services a stack has: one more for each further stack that is named,
one more for each task that failed since the snapshot before, and one more after blindness.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from stamplab.lab.errors import UsageError
from stamplab.lab.model import docker_json
from stamplab.lab.model.engine_json import read_container
from stamplab.lab.model.history import (
    ContainerEnded,
    EngineEvent,
    Observation,
    ServiceSeen,
    TasksSeen,
)
from stamplab.lab.model.swarm import (
    RUNNING,
    SERVICE_NAME_LABEL,
    STACK_LABEL,
    TASK_LABEL,
    Service,
    Task,
)
from stamplab.lab.remote.client import Client, Filters, NoAnswer
from stamplab.lab.support.clock import WorldClock

Item = TypeVar("Item")

_ATTEMPTS = 3
_MOST_INSPECTED = 20
"""A crash loop goes on as long as it is watched; the first failures say why."""
LONGEST_START_S = 2.0
"""A task is RUNNING some 100 ms after the event; a stamp further from it is another event's."""


class Targets:
    """The names that were given. Each is resolved when a service or stack of it is first listed."""

    def __init__(self, names: Iterable[str]) -> None:
        self._services: set[str] = set()
        self._stacks: set[str] = set()
        self._unresolved = set(names)

    @property
    def service_names(self) -> set[str]:
        """Names that must be found among the services; those of stacks are not among them."""
        return self._services | self._unresolved

    @property
    def filters(self) -> list[Filters | None]:
        """Filters of the calls that list the services; None lists every service."""
        if self._unresolved:
            return [None]
        by_name: list[Filters | None] = [{"name": sorted(self._services)}] if self._services else []
        return by_name + [{"label": [f"{STACK_LABEL}={stack}"]} for stack in sorted(self._stacks)]

    def select(self, listed: Mapping[str, tuple[Service, Item]]) -> dict[str, tuple[Service, Item]]:
        """Return the watched ones of the services listed. Raises UsageError: ambiguous name."""
        stack_of = {
            name: service.spec.labels.get(STACK_LABEL) for name, (service, _) in listed.items()
        }
        for name in sorted(self._unresolved):
            self._resolve(name, is_service=name in listed, is_stack=name in stack_of.values())
        return {
            name: item
            for name, item in listed.items()
            if name in self._services or stack_of[name] in self._stacks
        }

    def include(self, event: EngineEvent, known: Collection[str]) -> bool:
        """Whether an event is about a node, or a watched service; ``known`` are those listed."""
        if event.kind == "node":
            return True
        attribute = "name" if event.kind == "service" else SERVICE_NAME_LABEL
        name = event.attributes.get(attribute, "")
        stack_prefixes = tuple(f"{stack}_" for stack in self._stacks | self._unresolved)
        return name in self.service_names or name in known or name.startswith(stack_prefixes)

    def _resolve(self, name: str, *, is_service: bool, is_stack: bool) -> None:
        if is_service and is_stack:
            raise UsageError(
                f"there is a service {name} and a stack {name}: name the services of the stack"
            )
        if is_service or is_stack:
            self._unresolved.discard(name)
            (self._services if is_service else self._stacks).add(name)


class StartTimes:
    """Since when tasks run, more finely than the snapshots can tell.

    No event says that a task is RUNNING, but the start or the health of its container makes it so
    some 100 ms later. Both moments are stamped by the clock of the task's own node, so the distance
    between them is known however late the task is listed, and a step of that clock matters only if
    it falls in between.
    """

    def __init__(self) -> None:
        self._up: dict[str, tuple[float, float]] = {}
        """Of each task the last event that can make it RUNNING: its own stamp, our time."""

    def on_event(self, event: EngineEvent, unix_s: float, now_s: float) -> None:
        """Note an event of a task's container."""
        if event.action in ("start", "health_status: healthy"):
            self._up[event.attributes.get(TASK_LABEL, "")] = (unix_s, now_s)

    def running_since_s(self, tasks: Iterable[Task]) -> dict[str, float]:
        """Return since when the running ones of the tasks run, by our own clock, if known."""
        since_s: dict[str, float] = {}
        for task in tasks:
            if task.state == RUNNING and task.id in self._up:
                up_unix_s, up_s = self._up[task.id]
                if 0 <= task.status_unix_s - up_unix_s <= LONGEST_START_S:
                    since_s[task.id] = up_s + task.status_unix_s - up_unix_s
        return since_s

    def forget(self) -> None:
        """Forget all events: whatever runs after blindness must be seen to run anew."""
        self._up.clear()


class SnapshotReader:
    """Lists the services of the targets and their tasks, and inspects containers that failed."""

    def __init__(
        self, client: Client, targets: Sequence[str], clock: WorldClock, node: str
    ) -> None:
        self._client = client
        self._clock = clock
        self._node = node
        self.targets = Targets(targets)
        self.starts = StartTimes()
        self.services: dict[str, Service] = {}
        """The watched services by name, as listed last."""
        self._died: set[str] = set()
        """Tasks whose container has ended, by its event."""
        self._failed_before: frozenset[str] | None = None
        """Tasks that had failed at the baseline."""
        self._inspected: set[str] = set()
        """Tasks whose container was inspected, or is gone."""
        self._ends: list[ContainerEnded] = []
        """Ends that no snapshot has shown yet."""

    def on_event(self, event: EngineEvent, unix_s: float, now_s: float) -> None:
        """Note what an event tells of a task before the task's own state is listed."""
        self.starts.on_event(event, unix_s, now_s)
        if event.action == "die":
            self._died.add(event.attributes.get(TASK_LABEL, ""))

    def read(self, *, after_blindness: bool) -> list[Observation]:
        """Return services, tasks of each, and ends of containers. Raises NoAnswer, UsageError."""
        for _ in range(_ATTEMPTS):
            listed = self._list_services()
            tasks = self._list_tasks(service for service, _ in listed.values())
            if tasks is not None:
                break
        else:
            raise NoAnswer("services were removed again and again while their tasks were listed")
        try:
            if after_blindness and not self._all_run(tasks):
                raise NoAnswer(
                    "the engine is back, but not all containers that it lists as running run"
                )
            self._inspect_failed(tasks)
        except msgspec.MsgspecError as error:
            raise NoAnswer(
                f"the engine described a container in a way not understood: {error}"
            ) from error
        # Taken only now: no removal and no end is lost where a later call had no answer.
        ends, self._ends = self._ends, []
        gone = (self.services.keys() | self.targets.service_names) - listed.keys()
        self.services = {name: service for name, (service, _) in listed.items()}
        return [
            *(
                ServiceSeen(name=name, service=service, raw=msgspec.Raw(raw))
                for name, (service, raw) in sorted(listed.items())
            ),
            *(ServiceSeen(name=name, service=None) for name in sorted(gone)),
            *self._tasks_by_service(tasks),
            *ends,
        ]

    def _list_services(self) -> dict[str, tuple[Service, bytes]]:
        listed: dict[str, tuple[Service, bytes]] = {}
        for filters in self.targets.filters:
            answer = self._client.get("services", filters) or b"[]"
            parsed = docker_json.parse_services(answer)
            listed |= {service.name: (service, raw) for service, raw in parsed}
        return self.targets.select(listed)

    def _list_tasks(self, services: Iterable[Service]) -> list[Task] | None:
        """List the tasks of all services; None where one of the services was just removed."""
        ids = sorted(service.id for service in services)
        if not ids:
            return []
        raw = self._client.get("tasks", {"service": ids})
        return None if raw is None else docker_json.parse_tasks(raw)

    def _tasks_by_service(self, tasks: Iterable[Task]) -> list[Observation]:
        # An agent reports a container's end some 100 ms after the event, and a hold may end then:
        # a task that is listed as RUNNING, and whose container has died, is left out.
        tasks = [task for task in tasks if task.state != RUNNING or task.id not in self._died]
        seen: list[Observation] = []
        for name, service in sorted(self.services.items()):
            own = tuple(task for task in tasks if task.service_id == service.id)
            since_s = self.starts.running_since_s(own)
            seen.append(TasksSeen(service=name, tasks=own, running_since_s=since_s))
        return seen

    def _all_run(self, tasks: Iterable[Task]) -> bool:
        """Whether the containers of this node's running tasks do run.

        A manager that comes back lists its tasks as before: for some seconds tasks are RUNNING
        whose containers ended with the engine (seen), until its agent has reported.
        """
        expected = {
            task.container_id
            for task in tasks
            if task.state == RUNNING and task.node_id == self._node and task.container_id
        }
        if not expected:
            return True
        raw = self._client.get("containers/json", {"id": sorted(expected)})  # lists running ones
        running = msgspec.json.decode(raw or b"[]", type=list[_ListedContainer])
        return expected <= {container.id for container in running}

    def _inspect_failed(self, tasks: Sequence[Task]) -> None:
        """Inspect the containers of tasks that failed since the baseline, each once."""
        failed = [task for task in tasks if task.has_failed and task.container_id]
        if self._failed_before is None:
            self._failed_before = frozenset(task.id for task in failed)
        done = self._failed_before | self._inspected
        due = [task for task in failed if task.id not in done and task.node_id == self._node]
        for task in due[: max(0, _MOST_INSPECTED - len(self._inspected))]:
            raw = self._client.get(f"containers/{task.container_id}/json")
            self._inspected.add(task.id)
            if raw is not None:
                self._ends.append(read_container(raw).ended(self._clock))


class _ListedContainer(msgspec.Struct):
    id: str = msgspec.field(name="Id")
