"""What swarmsim tells of: every commit of the swarm's store, and what became of containers.

Times are seconds since the world began. The services and tasks are the Docker API's own JSON.
"""

from __future__ import annotations

import msgspec


class Commit(msgspec.Struct, frozen=True, tag_field="kind", tag="commit"):
    """One transaction of the swarm's store, with all services and tasks that it changed."""

    at_s: float
    services: tuple[msgspec.Raw, ...] = ()
    removed: tuple[str, ...] = ()
    """Ids of services."""
    tasks: tuple[msgspec.Raw, ...] = ()
    removed_tasks: tuple[str, ...] = ()


class ContainerDid(msgspec.Struct, frozen=True, tag_field="kind", tag="container"):
    """Something became of one container.

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
    """The kernel's rule chose a victim. ``containers``: what each held just before."""

    at_s: float
    container: str
    task: str
    rss_bytes: int
    usage_bytes: int
    limit_bytes: int
    containers: dict[str, int]


Happened = Commit | ContainerDid | OutOfMemory


class Advanced(msgspec.Struct, frozen=True):
    """How far time went, and what happened at that moment."""

    now_s: float
    happened: tuple[Happened, ...] = ()


class Usage(msgspec.Struct, frozen=True):
    """Memory in use now."""

    usage_bytes: int
    containers: dict[str, int] = {}
