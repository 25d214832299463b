"""Watches services of somebody's swarm: snapshots and events, as records of a history."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import count

from stamplab.lab.errors import LabError
from stamplab.lab.model.engine_json import Happened
from stamplab.lab.model.history import Deployed, EngineEvent, Observation, Record, placed
from stamplab.lab.model.swarm import SERVICE_NAME_LABEL, SETTLED_STATES, Service
from stamplab.lab.remote import Snapshot
from stamplab.lab.remote.client import Client, Connected, Disconnected, EventFollower
from stamplab.lab.remote.endpoint import find_endpoint
from stamplab.lab.remote.poll_schedule import POLL_S, PollSchedule
from stamplab.lab.remote.snapshot import SnapshotReader
from stamplab.lab.support.clock import WorldClock

FRESH_S = 0.2
"""A snapshot that is no older than this need not be repeated before a ruling."""
WRITES_S = 0.05
"""One update writes a service twice within some milliseconds."""
REPORT_S = 0.15
"""So long after its container's event a task is listed in its new state."""
_CONNECT_S = 5.0
_NANOSECONDS = 1e9

_Message = Happened | Connected | Disconnected | Deployed


class SwarmWatcher:
    """Services and stacks of one swarm, watched from the baseline on. Close it.

    All calls but those of the event stream are made by whoever calls `next` and `confirm`, one by
    one. Any thread may call `deployed`.
    """

    def __init__(self, client: Client, targets: Sequence[str]) -> None:
        """Begin to watch. Raises NotAManager."""
        self._client = client
        self.endpoint = client.endpoint
        """Where the engine is."""
        self._clock = WorldClock()
        self.node = client.node_id()
        self._reader = SnapshotReader(client, targets, self._clock, self.node)
        self._schedule = PollSchedule()
        self._messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._numbers = count()
        self._pending: list[Record] = []
        """Records of events since the last snapshot."""
        self._written: set[str] = set()
        """Services whose write was announced since the last snapshot."""
        self._in_update: set[str] = set()
        """Services whose update is in course, by the last snapshot and the events since."""
        self._polled_s = 0.0
        """When the last snapshot was taken."""
        self._was_cut = False
        """Whether the stream of events was closed at some moment since the last snapshot."""
        self.is_blind = False
        """Whether the last snapshot had no answer."""
        self._events = EventFollower(client, self._messages.put)
        try:
            self._await_events()
        except BaseException:
            self._events.stop()
            raise

    @property
    def calls(self) -> int:
        """API calls made so far."""
        return self._client.calls

    def now_s(self) -> float:
        """Return the seconds since the watcher was made, by a clock that is never stepped."""
        return self._clock.now_s()

    def baseline(self) -> Snapshot:
        """Take the first snapshot. Raises NoAnswer, and UsageError for an ambiguous name."""
        return self._take()

    def deployed(self, deployed: Deployed) -> None:
        """Say that the deploy has ended."""
        self._messages.put(deployed)

    def next(self, until_s: float) -> Snapshot | None:
        """Wait for the next snapshot, or the deploy's end; None when ``until_s`` has come."""
        while True:
            wait_s = min(until_s, self._schedule.due_s) - self.now_s()
            try:
                message = self._messages.get(timeout=max(0.0, wait_s))
            except queue.Empty:
                if self._schedule.due_s <= self.now_s():
                    return self._try_to_take()
                if until_s <= self.now_s():
                    return None
                continue
            self._receive(message)
            if isinstance(message, Deployed):
                return Snapshot(records=self._records([]))

    def confirm(self) -> Snapshot:
        """Take a snapshot, unless the last one is fresh and no event has come since."""
        is_fresh = not (self.is_blind or self._pending)
        if is_fresh and self.now_s() - self._polled_s <= FRESH_S:
            return Snapshot()
        return self._try_to_take()

    def close(self) -> None:
        """Stop watching."""
        self._events.stop()

    # Messages.

    def _await_events(self) -> None:
        """Wait until the event stream is open, so that no event after the baseline is missed."""
        deadline_s = self.now_s() + _CONNECT_S
        while not self._schedule.has_events and not self._was_cut:
            try:
                self._receive(self._messages.get(timeout=max(0.0, deadline_s - self.now_s())))
            except queue.Empty:
                return  # the polls see all that no event tells

    def _receive(self, message: _Message) -> None:
        now_s = self.now_s()
        match message:
            case Happened(event=event):
                if self._reader.targets.include(event, self._reader.services):
                    self._on_event(event, message.unix_ns / _NANOSECONDS)
            case Connected():
                self._schedule.has_events = True
                if self._was_cut:  # an engine that was restarted has forgotten its events
                    self._schedule.request(max(now_s, self._polled_s + POLL_S))
            case Disconnected():
                if self._schedule.has_events:  # from now on nothing tells of a change
                    self._schedule.request(max(now_s, self._polled_s + POLL_S))
                self._schedule.has_events = False
                self._was_cut = True
            case Deployed():
                # What the deploy wrote last is listed by then, and its event has come.
                self._schedule.request(now_s + WRITES_S)
                self._pending.append(self._record("deploy", message))

    def _on_event(self, event: EngineEvent, unix_s: float) -> None:
        now_s = self.now_s()
        self._reader.on_event(event, unix_s, now_s)
        self._pending.append(self._record("events", event, self._clock.of_unix(unix_s)))
        if event.kind == "service" and self._ends_the_wait(event):
            self._schedule.request(now_s)
        elif event.kind != "container":
            self._schedule.on_event(now_s + WRITES_S)
        elif event.action == "die" or self._is_settled(event):
            self._schedule.on_event(now_s + REPORT_S)

    def _is_settled(self, event: EngineEvent) -> bool:
        """Whether the container's service is in no update, whose own end would be announced."""
        return event.attributes.get(SERVICE_NAME_LABEL, "") not in self._in_update

    def _ends_the_wait(self, event: EngineEvent) -> bool:
        """Whether the event of a service's write is one that a verdict waits for.

        Nothing is ruled on a stack before the last update in course has settled.
        """
        name = event.attributes.get("name", "")
        state = event.attributes.get("updatestate.new")
        self._written.add(name)
        if event.action == "remove":
            return True
        if state not in SETTLED_STATES:
            if state is not None:
                self._in_update.add(name)
            return False
        self._in_update.discard(name)
        return not self._in_update

    # Snapshots.

    def _try_to_take(self) -> Snapshot:
        """Take a snapshot; where there is no answer, return one that says so."""
        try:
            return self._take()
        except LabError as error:
            self.is_blind = True
            self._was_cut = True
            self._reader.starts.forget()
            self._schedule.on_failure(self.now_s())
            return Snapshot(no_answer=str(error))

    def _take(self) -> Snapshot:
        before = self._reader.services
        observations = self._reader.read(after_blindness=self.is_blind)
        now_s = self.now_s()
        unwatched_s = 0.0
        if self._was_cut or self._has_unannounced_write(before):
            unwatched_s = now_s - self._polled_s
        self._polled_s = now_s
        self._was_cut = not self._schedule.has_events
        self._written.clear()
        services = self._reader.services
        self._in_update = {name for name, service in services.items() if service.is_in_update}
        self._schedule.on_poll(now_s, self.calls)
        self.is_blind = False
        return Snapshot(records=self._records(observations), unwatched_s=unwatched_s)

    def _has_unannounced_write(self, before: Mapping[str, Service]) -> bool:
        """Whether a service was written that no event told of: so the stream has gaps."""
        return any(
            name in before and before[name].version != service.version
            for name, service in self._reader.services.items()
            if name not in self._written
        )

    def _records(self, observations: Sequence[Observation]) -> tuple[Record, ...]:
        """Return the events that are pending, and what a snapshot has shown."""
        events, self._pending = self._pending, []
        return (*events, *(self._record("swarm", shown) for shown in observations))

    def _record(self, source: str, what: Observation, happened_s: float | None = None) -> Record:
        return placed(next(self._numbers), source, what, self.now_s(), happened_s)


@contextmanager
def watching(
    context: str | None, environment: Mapping[str, str], targets: Sequence[str]
) -> Iterator[SwarmWatcher]:
    """Watch targets on the engine that ``docker`` itself would talk to. Raises LabError."""
    with (
        closing(Client(find_endpoint(context, environment))) as client,
        closing(SwarmWatcher(client, targets)) as watcher,
    ):
        yield watcher
