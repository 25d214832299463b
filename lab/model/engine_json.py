"""What an engine itself tells, beside its swarm: events, and containers. JSON read into values."""

from __future__ import annotations

from typing import Any

import msgspec

from stamplab.lab.model import docker_json
from stamplab.lab.model.history import ContainerEnded, EngineEvent
from stamplab.lab.model.swarm import TASK_LABEL
from stamplab.lab.support.clock import WorldClock


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``docker events``, and when it happened by the engine's clock."""

    event: EngineEvent
    unix_ns: int


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container as inspected once; times are the engine's."""

    id: str
    labels: dict[str, str]
    checks_health: bool
    exit_code: int
    oom_killed: bool
    """The engine's own word, unreliable on cgroup v1."""
    started_unix_s: float
    finished_unix_s: float

    def ended(self, clock: WorldClock) -> ContainerEnded:
        """Its end, by the world's clock."""
        return ContainerEnded(
            container_id=self.id,
            task_id=self.labels.get(TASK_LABEL),
            exit_code=self.exit_code,
            oom_killed=self.oom_killed,
            started_s=round(clock.of_unix(self.started_unix_s), 6),
            finished_s=round(clock.of_unix(self.finished_unix_s), 6),
            checks_health=self.checks_health,
        )


def read_event(item: dict[str, Any]) -> Happened:
    """Read one event. Raises msgspec.ValidationError where it is none."""
    event = msgspec.convert(item, _Event)
    return Happened(
        event=EngineEvent(
            kind=event.kind,
            action=event.action,
            actor_id=event.actor.id,
            attributes=event.actor.attributes,
        ),
        unix_ns=event.time_nano,
    )


def read_container(raw: bytes) -> Container:
    """Read the answer to a container's inspection. Raises msgspec.ValidationError."""
    container = msgspec.json.decode(raw, type=_Container)
    return Container(
        id=container.id,
        labels=container.config.labels or {},
        checks_health=container.state.health is not None,
        exit_code=container.state.exit_code,
        oom_killed=container.state.oom_killed,
        started_unix_s=docker_json.unix_seconds(container.state.started_at),
        finished_unix_s=docker_json.unix_seconds(container.state.finished_at),
    )


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
    health: dict[str, Any] | None = None


class _Config(msgspec.Struct, rename="pascal"):
    labels: dict[str, str] | None = None


class _Container(msgspec.Struct, rename="pascal"):
    state: _State
    config: _Config
    id: str = msgspec.field(name="Id")
