"""Somebody's swarm as a source of records: what it announces, and an inspect on every event."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Sequence
from itertools import count

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.model import docker_json
from stamplab.lab.model.engine_json import Happened
from stamplab.lab.model.history import (
    Deployed,
    EngineEvent,
    Observation,
    Record,
    ServiceSeen,
    TasksSeen,
    placed,
)
from stamplab.lab.model.swarm import (
    RUNNING,
    SERVICE_NAME_LABEL,
    TASK_LABEL,
    WANTED_STATES,
    Service,
    Task,
)
from stamplab.lab.remote.client import Client, Silent
from stamplab.lab.remote.endpoint import Endpoint
from stamplab.lab.remote.event_stream import Connected, Cut, EventFollower
from stamplab.lab.remote.poll_schedule import Look, Pace
from stamplab.lab.remote.service_writes import Written
from stamplab.lab.remote.snapshot import Seen
from stamplab.lab.remote.start_times import Starts
from stamplab.lab.remote.targets import Targets
from stamplab.lab.remote.task_containers import Containers
from stamplab.lab.support.clock import WorldClock

FRESH_S = 0.2
"""A look that is no older than this need not be repeated before a ruling."""
_CONNECT_S = 5.0
_NANOSECONDS = 1e9


class ForeignSwarm:
    """Services and stacks of somebody's swarm, watched from the baseline on. Close it.

    All calls but the stream's are made by whoever calls `next` and `confirm`, one by one. Any
    thread may say `deployed`.
    """

    def __init__(self, client: Client, targets: Sequence[str]) -> None:
        """Begin to watch. Raises NotAManager, Silent, and UsageError for an ambiguous name."""
        self._client = client
        self._clock = WorldClock()
        self.node = client.node_id()
        self._pace = Pace()
        self._messages: queue.SimpleQueue[Happened | Connected | Cut | Deployed] = (
            queue.SimpleQueue()
        )
        self._numbers = count()
        self._targets = Targets(targets)
        self._services: dict[str, Service] = {}
        self._listed: dict[str, Task] = {}
        """Tasks as they were listed last."""
        self._died: set[str] = set()
        """Tasks whose container has ended, by its event."""
        self._starts = Starts()
        self._containers = Containers(client, self._clock, self.node)
        self._looked_s = 0.0
        self._is_fresh = False
        """Whether nothing was announced since everything was looked at."""
        self._was_cut = False
        self._written = Written()
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
        """Say that the deploy has ended: what it has written is looked at at once."""
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
                if not self._targets.concern(event, self._services):
                    return None
                unix_s = message.unix_ns / _NANOSECONDS
                self._starts.see(event, unix_s, now_s)
                if event.kind == "service":
                    self._written.see(event)
                if event.action == "die":
                    self._died.add(event.attributes.get(TASK_LABEL, ""))
                is_telling = not self._tells_nothing(event)
                self._is_fresh &= not (is_telling or event.kind == "service")
                if is_telling:
                    self._pace.see(event, now_s)
                record = self._record("events", event, self._clock.of_unix(unix_s))
                return Seen(records=(record,))
            case Connected():
                self._pace.stream(is_up=True, now_s=now_s)
            case Cut():
                self._was_cut = True
                self._pace.stream(is_up=False, now_s=now_s)
            case Deployed():
                self._written.see_deployed()
                self._pace.deployed(now_s)
                return Seen(records=(self._record("deploy", message),))
        return None

    # Looks.

    def _tells_nothing(self, event: EngineEvent) -> bool:
        """Whether what an event announces is known, or a further one will come that tells more.

        A task whose health is checked is RUNNING when it is healthy, not when it has started; and
        one that was told to end is expected to.
        """
        if event.kind == "service":
            return self._written.awaits_others(event, self._services)
        task = self._listed.get(event.attributes.get(TASK_LABEL, ""))
        if event.action == "die":
            return task is not None and task.desired_state not in (*WANTED_STATES, "complete")
        service = self._services.get(event.attributes.get(SERVICE_NAME_LABEL, ""))
        return event.action == "start" and service is not None and service.spec.is_probed

    def _try(self, look: Look) -> Seen:
        """Look; where there is no answer, say so."""
        try:
            return self._look(Look() if self._is_blind else look)
        except LabError as error:
            self._is_blind = True
            self._is_fresh = False
            self._was_cut = True  # whatever is seen next comes after a gap
            self._starts.forget()
            self._pace.failed(self.now_s())
            return Seen(blind=str(error))

    def _look(self, look: Look) -> Seen:
        before = dict(self._services)
        observations: list[Observation] = []
        if look.services:
            observations += self._look_at_services()
            may_be_elsewhere = not self._client.is_alone
            tasks_count = may_be_elsewhere or self._written.tasks_count(self._services)
            look = Look(tasks=look.tasks or tasks_count)
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
            if self._was_cut or self._written.is_incomplete(before, self._services):
                unwatched_s = now_s - self._looked_s
            self._looked_s = now_s
            self._was_cut = not self._pace.is_streaming
            self._written.forget()
        has_remote = any(
            not task.is_terminal and task.node_id not in ("", self.node) for task in tasks
        )
        self._pace.looked(now_s, look, tasks=tasks, has_remote=has_remote)
        self._is_blind = False
        records = tuple(self._record("swarm", what) for what in observations)
        return Seen(records=records, unwatched_s=unwatched_s)

    def _look_at_services(self) -> list[Observation]:
        listed: dict[str, tuple[Service, bytes]] = {}
        for filters in self._targets.filters:
            answer = self._client.get("services", filters) or b"[]"
            found = docker_json.parse_services(answer)
            listed |= {service.name: (service, raw) for service, raw in found}
        watched = self._targets.among(listed)
        gone = (self._services.keys() | self._targets.of_services) - watched.keys()
        self._services = {name: service for name, (service, _) in watched.items()}
        there = [
            ServiceSeen(name=name, service=service, raw=msgspec.Raw(raw))
            for name, (service, raw) in sorted(watched.items())
        ]
        return [*there, *(ServiceSeen(name=name, service=None) for name in sorted(gone))]

    def _by_service(self, tasks: Iterable[Task]) -> list[Observation]:
        """What each service's tasks do, without those that are listed as running and have died.

        An agent reports a container's end some 100 ms after the event, and a hold may end then.
        """
        tasks = [task for task in tasks if task.state != RUNNING or task.id not in self._died]
        seen: list[Observation] = []
        for name, service in sorted(self._services.items()):
            own = tuple(task for task in tasks if task.service_id == service.id)
            since_s = self._starts.running_since_s(own)
            seen.append(TasksSeen(service=name, tasks=own, running_since_s=since_s))
        return seen

    def _look_at_tasks(self) -> list[Task] | None:
        """List the tasks of all services; None where one of them is not there any more."""
        ids = sorted(service.id for service in self._services.values())
        if not ids:
            return []
        raw = self._client.get("tasks", {"service": ids})
        return None if raw is None else docker_json.parse_tasks(raw)

    def _record(self, source: str, what: Observation, happened_s: float | None = None) -> Record:
        return placed(next(self._numbers), source, what, self.now_s(), happened_s)
