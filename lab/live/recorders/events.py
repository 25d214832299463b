"""Follows ``docker events``: the cheapest complete record of what the engine itself announces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import docker
import docker.errors
import msgspec

from lab import docker_api
from lab.history import ContainerEnded, EngineEvent, HistoryWriter
from lab.live.clock import Clock
from lab.live.recorders.recorder import Recorder
from lab.swarm import TASK_LABEL

_KINDS = ["service", "container", "node"]
_NANOSECONDS = 1e9


class _Actor(msgspec.Struct, rename="pascal"):
    attributes: dict[str, str] = {}
    id: str = msgspec.field(name="ID", default="")


class _Event(msgspec.Struct, rename={"time_nano": "timeNano", "kind": "Type"}):
    action: str = msgspec.field(name="Action")
    actor: _Actor = msgspec.field(name="Actor")
    kind: str = ""
    time_nano: int = 0


class _State(msgspec.Struct, rename="pascal"):
    exit_code: int
    oom_killed: bool = msgspec.field(name="OOMKilled")
    started_at: str
    finished_at: str


class _Config(msgspec.Struct, rename="pascal"):
    labels: dict[str, str] = {}


class _Container(msgspec.Struct, rename="pascal"):
    state: _State
    config: _Config
    id: str = msgspec.field(name="Id")


class EventRecorder(Recorder):
    """Records each event as it comes; inspects each dead container before it can be removed."""

    def __init__(
        self,
        api: docker.APIClient,
        inspector: docker.APIClient,
        history: HistoryWriter,
        clock: Clock,
        on_event: Callable[[], None],
    ) -> None:
        self._stream = api.events(decode=True, filters={"type": _KINDS})
        super().__init__("events", history, self._stream.close)
        self._inspector = inspector
        self._clock = clock
        self._on_event = on_event

    def record(self) -> None:
        """Follow the stream to its end."""
        for item in self._stream:
            event = msgspec.convert(item, _Event)
            if event.action.startswith("exec_"):
                continue  # health checks, several a second; their outcome has an event of its own
            self._note(event)
            self._on_event()
            if event.kind == "container" and event.action == "die":
                self._note_end(event.actor.id)

    def _note(self, event: _Event) -> None:
        happened_s = self._clock.of_unix(event.time_nano / _NANOSECONDS)
        seen = EngineEvent(
            kind=event.kind,
            action=event.action,
            actor_id=event.actor.id,
            attributes=event.actor.attributes,
        )
        self.history.append(self.source, seen, happened_s)

    def _note_end(self, container_id: str) -> None:
        try:
            answer: dict[str, Any] = self._inspector.inspect_container(container_id)
        except docker.errors.NotFound:
            return  # removed already: the die event's own exit code is all there is
        container = msgspec.convert(answer, _Container)
        started_s = self._clock.of_unix(docker_api.unix_seconds(container.state.started_at))
        finished_s = self._clock.of_unix(docker_api.unix_seconds(container.state.finished_at))
        ended = ContainerEnded(
            container_id=container.id,
            task_id=container.config.labels.get(TASK_LABEL),
            exit_code=container.state.exit_code,
            oom_killed=container.state.oom_killed,
            started_s=round(started_s, 6),
            finished_s=round(finished_s, 6),
        )
        self.history.append(self.source, ended, finished_s)
