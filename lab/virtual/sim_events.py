"""The events that swarmsim reports: commits of the swarm's store, containers, OOM kills.

Times are seconds since the world began. The services and tasks are the Docker API's own JSON.
"""

from __future__ import annotations

import msgspec


class StoreCommit(msgspec.Struct, frozen=True, tag_field="kind", tag="commit"):
    """One transaction of the swarm's store, with all services and tasks that it changed."""

    at_s: float
    services: tuple[msgspec.Raw, ...] = ()
    removed: tuple[str, ...] = ()
    """Ids of services."""
    tasks: tuple[msgspec.Raw, ...] = ()
    removed_tasks: tuple[str, ...] = ()


class ContainerEvent(msgspec.Struct, frozen=True, tag_field="kind", tag="container"):
    """An event of one container.

    ``action`` is the engine's word for it, or ``ready``: its application opened its port.
    """

    at_s: float
    action: str
    container: str
    task: str
    service: str
    image: str = ""
    exit_code: int = 0
    started_s: float = 0.0
    oom: bool = False


class OutOfMemory(msgspec.Struct, frozen=True, tag_field="kind", tag="oom"):
    """An OOM kill by the kernel's rule. ``containers``: each one's bytes just before."""

    at_s: float
    container: str
    task: str
    rss_bytes: int
    usage_bytes: int
    limit_bytes: int
    containers: dict[str, int]


SimEvent = StoreCommit | ContainerEvent | OutOfMemory


class TimeStep(msgspec.Struct, frozen=True):
    """The moment that time went on to, and the events of that moment."""

    now_s: float
    events: tuple[SimEvent, ...] = msgspec.field(default=(), name="happened")


class MemoryUsage(msgspec.Struct, frozen=True):
    """Memory in use now, in total and by container id."""

    usage_bytes: int
    containers: dict[str, int] = {}
