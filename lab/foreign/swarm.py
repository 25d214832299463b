"""Somebody's swarm as a source of records: what it announces, and an inspect on every event."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Sequence
from itertools import count

import msgspec

from lab import docker_api
from lab.clock import Clock
from lab.engine_answers import Happened
from lab.errors import LabError, UsageError
from lab.foreign.client import Client, Silent
from lab.foreign.containers import Containers
from lab.foreign.endpoint import Endpoint
from lab.foreign.events import Connected, Cut, EventFollower
from lab.foreign.pace import Look, Pace
from lab.foreign.seen import Seen
from lab.history import (
    Deployed,
    EngineEvent,
    Observation,
    Record,
    ServiceSeen,
    TasksSeen,
    placed,
)
from lab.swarm import RUNNING, STACK_LABEL, TASK_LABEL, WANTED_STATES, Service, Task

FRESH_S = 0.2
"""A look that is no older than this need not be repeated before a ruling."""
_CONNECT_S = 5.0
_NANOSECONDS = 1e9
_SERVICE_NAME = "com.docker.swarm.service.name"


class ForeignSwarm:
    """Services and stacks of somebody's swarm, watched from the baseline on. Close it.

    All calls but the stream's are made by whoever calls `next` and `confirm`, one by one. Any
    thread may say `deployed`.
    """

    def __init__(self, client: Client, targets: Sequence[str]) -> None:
        """Begin to watch. Raises NotAManager, Silent, and UsageError for an ambiguous name."""
        self._client = client
        self._clock = Clock()
        self.node = client.node_id()
        self._pace = Pace()
        self._messages: queue.SimpleQueue[Happened | Connected | Cut | Deployed] = (
            queue.SimpleQueue()
        )
        self._numbers = count()
        self._names: set[str] = set()
        self._stacks: set[str] = set()
        self._unresolved = set(targets)
        self._services: dict[str, Service] = {}
        self._listed: dict[str, Task] = {}
        """Tasks as they were listed last."""
        self._died: set[str] = set()
        """Tasks whose container has ended, by its event."""
        self._containers = Containers(client, self._clock, self.node)
        self._looked_s = 0.0
        self._is_fresh = False
        """Whether nothing was announced since everything was looked at."""
        self._was_cut = False
        self._announced: set[str] = set()
        """Services that events told of since the last look at services."""
        self._is_blind = False
        self._events = EventFollower(client, self._messages.put)
        try:
            self._await_stream()
        except BaseException:
            self._events.stop()
            raise

    @property
    def is_blind(self) -> bool:
        """Whether the engine gave no answer when it was last asked."""
        return self._is_blind

    @property
    def endpoint(self) -> Endpoint:
        """Where the engine is."""
        return self._client.endpoint

    @property
    def calls(self) -> int:
        """API calls made so far."""
        return self._client.calls

    def now_s(self) -> float:
        """Seconds since this began, by a clock that is never stepped."""
        return self._clock.now_s()

    def baseline(self) -> Seen:
        """Look for the first time. Raises Silent, where `next` would go on trying."""
        return self._look(Look())

    def deployed(self, deployed: Deployed) -> None:
        """Say that the deploy has ended: everything is looked at at once."""
        self._messages.put(deployed)

    def next(self, until_s: float) -> Seen | None:
        """Wait for what is seen next, at most until ``until_s``; None when that moment has come."""
        while True:
            now_s = self.now_s()
            seen = self._take_waiting() or (
                self._try(self._pace.look(now_s)) if self._pace.due_s <= now_s else None
            )
            if seen is not None:
                return seen
            wait_s = min(until_s, self._pace.due_s) - self.now_s()
            if wait_s <= 0 and until_s <= self._pace.due_s:
                return None
            try:
                message = self._messages.get(timeout=max(0.0, wait_s))
            except queue.Empty:
                continue
            seen = self._take(message)
            if seen is not None:
                return seen

    def confirm(self) -> Seen:
        """Look anew, unless that was done just now and nothing was announced since."""
        if self._is_fresh and self.now_s() - self._looked_s <= FRESH_S:
            return Seen()
        return self._try(Look())

    def close(self) -> None:
        """Stop watching."""
        self._events.stop()

    # Messages.

    def _await_stream(self) -> None:
        """Wait for the stream to stand, so that no event after the baseline is missed."""
        deadline_s = self.now_s() + _CONNECT_S
        while not self._pace.is_streaming and not self._was_cut:
            try:
                self._take(self._messages.get(timeout=max(0.0, deadline_s - self.now_s())))
            except queue.Empty:
                return  # what it has not told by then is looked for

    def _take_waiting(self) -> Seen | None:
        """Take what has come in already, before anything is concluded from a look."""
        while True:
            try:
                seen = self._take(self._messages.get_nowait())
            except queue.Empty:
                return None
            if seen is not None:
                return seen

    def _take(self, message: Happened | Connected | Cut | Deployed) -> Seen | None:
        now_s = self.now_s()
        match message:
            case Happened(event=event):
                if not self._is_ours(event):
                    return None
                if event.kind == "service":
                    self._announced.add(event.attributes.get("name", ""))
                if event.action == "die":
                    self._died.add(event.attributes.get(TASK_LABEL, ""))
                if not self._tells_nothing(event):
                    self._pace.see(event, now_s)
                    self._is_fresh = False
                happened_s = self._clock.of_unix(message.unix_ns / _NANOSECONDS)
                return Seen(records=(self._record("events", event, happened_s),))
            case Connected():
                self._pace.stream(is_up=True, now_s=now_s)
            case Cut():
                self._was_cut = True
                self._pace.stream(is_up=False, now_s=now_s)
            case Deployed():
                self._pace.deployed(now_s)
                return Seen(records=(self._record("deploy", message),))
        return None

    def _is_ours(self, event: EngineEvent) -> bool:
        if event.kind == "node":
            return True
        attribute = "name" if event.kind == "service" else _SERVICE_NAME
        name = event.attributes.get(attribute, "")
        return name in self._names | self._unresolved | self._services.keys() or any(
            name.startswith(f"{stack}_") for stack in self._stacks | self._unresolved
        )

    # Looks.

    def _tells_nothing(self, event: EngineEvent) -> bool:
        """Whether what a container's event announces is known, or will be announced once more.

        A task whose health is checked is RUNNING when it is healthy, not when it has started; and
        one that was told to end is expected to.
        """
        task = self._listed.get(event.attributes.get(TASK_LABEL, ""))
        if event.action == "die":
            return task is not None and task.desired_state not in (*WANTED_STATES, "complete")
        service = self._services.get(event.attributes.get(_SERVICE_NAME, ""))
        return event.action == "start" and service is not None and service.spec.is_probed

    def _try(self, look: Look) -> Seen:
        """Look; where there is no answer, say so."""
        try:
            return self._look(Look() if self._is_blind else look)
        except LabError as error:
            self._is_blind = True
            self._is_fresh = False
            self._was_cut = True  # whatever is seen next comes after a gap
            self._pace.failed(self.now_s())
            return Seen(blind=str(error))

    def _look(self, look: Look) -> Seen:
        before = dict(self._services)
        observations: list[Observation] = []
        if look.services:
            observations += self._look_at_services()
        tasks = self._look_at_tasks() if look.tasks else []
        if tasks is None:  # a service has just been removed: its event, or the next look, tells
            self._pace.want(self.now_s())
            look, tasks = Look(services=look.services, tasks=False), []
        if look.tasks:
            self._listed = {task.id: task for task in tasks}
            observations += self._by_service(tasks)
        if self._is_blind and not self._containers.all_run(tasks):
            raise Silent("the engine is back, but not all containers that it lists as running run")
        observations += self._containers.ends_of(tasks)
        return self._seen(observations, before, tasks, look)

    def _seen(
        self,
        observations: Iterable[Observation],
        before: dict[str, Service],
        tasks: Sequence[Task],
        look: Look,
    ) -> Seen:
        now_s = self.now_s()
        unwatched_s = 0.0
        self._is_fresh |= look == Look()
        if look.services:
            if self._was_cut or self._has_unannounced(before):
                unwatched_s = now_s - self._looked_s
            self._looked_s = now_s
            self._was_cut = not self._pace.is_streaming
            self._announced.clear()
        has_remote = any(
            not task.is_terminal and task.node_id not in ("", self.node) for task in tasks
        )
        self._pace.looked(now_s, look, tasks=tasks, has_remote=has_remote)
        self._is_blind = False
        records = tuple(self._record("swarm", what) for what in observations)
        return Seen(records=records, unwatched_s=unwatched_s)

    def _has_unannounced(self, before: dict[str, Service]) -> bool:
        """Whether a service was written that no event told of: so the stream is not whole."""
        return any(
            name in before and before[name].version != service.version
            for name, service in self._services.items()
            if name not in self._announced
        )

    def _look_at_services(self) -> list[Observation]:
        if self._unresolved:
            found = self._resolved(self._list_services())
        else:
            found = {}
            if self._names:
                listed = self._list_services({"name": sorted(self._names)})
                found |= {name: item for name, item in listed.items() if name in self._names}
            for stack in sorted(self._stacks):
                found |= self._list_services({"label": [f"{STACK_LABEL}={stack}"]})
        gone = (self._services.keys() | self._names | self._unresolved) - found.keys()
        self._services = {name: service for name, (service, _) in found.items()}
        there = [
            ServiceSeen(name=name, service=service, raw=msgspec.Raw(raw))
            for name, (service, raw) in sorted(found.items())
        ]
        return [*there, *(ServiceSeen(name=name, service=None) for name in sorted(gone))]

    def _resolved(
        self, listed: dict[str, tuple[Service, bytes]]
    ) -> dict[str, tuple[Service, bytes]]:
        """What is watched of all the swarm's services; targets turn out to be this or that."""
        of_stacks = {name: _stack_of(service) for name, (service, _) in listed.items()}
        for target in sorted(self._unresolved):
            is_stack = target in of_stacks.values()
            self._resolve(target, is_service=target in listed, is_stack=is_stack)
        return {
            name: item
            for name, item in listed.items()
            if name in self._names or of_stacks[name] in self._stacks
        }

    def _list_services(
        self, filters: dict[str, list[str]] | None = None
    ) -> dict[str, tuple[Service, bytes]]:
        listed = docker_api.parse_services(self._client.get("services", filters) or b"[]")
        return {service.name: (service, raw) for service, raw in listed}

    def _resolve(self, target: str, *, is_service: bool, is_stack: bool) -> None:
        """Remember what a target has turned out to be."""
        if target not in self._unresolved or not (is_service or is_stack):
            return
        if is_service and is_stack:
            raise UsageError(
                f"there is a service {target} and a stack {target}: name the services of the stack"
            )
        self._unresolved.discard(target)
        (self._names if is_service else self._stacks).add(target)

    def _by_service(self, tasks: Sequence[Task]) -> list[Observation]:
        """What each service's tasks do, without those that are listed as running and have died.

        An agent reports a container's end some 100 ms after the event, and a hold may end then.
        """
        tasks = [task for task in tasks if task.state != RUNNING or task.id not in self._died]
        return [
            TasksSeen(
                service=name, tasks=tuple(task for task in tasks if task.service_id == service.id)
            )
            for name, service in sorted(self._services.items())
        ]

    def _look_at_tasks(self) -> list[Task] | None:
        """List the tasks of all services; None where one of them is not there any more."""
        ids = sorted(service.id for service in self._services.values())
        if not ids:
            return []
        raw = self._client.get("tasks", {"service": ids})
        return None if raw is None else docker_api.parse_tasks(raw)

    def _record(self, source: str, what: Observation, happened_s: float | None = None) -> Record:
        return placed(next(self._numbers), source, what, self.now_s(), happened_s)


def _stack_of(service: Service) -> str | None:
    return service.spec.labels.get(STACK_LABEL)
