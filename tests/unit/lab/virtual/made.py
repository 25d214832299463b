"""Builders of swarmsim's events: services and tasks in the Docker API's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from stamplab.lab.virtual.sim_events import ContainerEvent, OutOfMemory, StoreCommit

STACK = "shop"
NAME = "shop_app"
SERVICE_ID = "service1"


def spec(
    version: str = "1",
    *,
    name: str = NAME,
    labels: Mapping[str, str] | None = None,
    replicas: int = 1,
) -> dict[str, object]:
    """A service spec whose tasks answer with a version."""
    return {
        "Name": name,
        "Labels": {"com.docker.stack.namespace": STACK, **(labels or {})},
        "TaskTemplate": _template(version),
        "Mode": {"Replicated": {"Replicas": replicas}},
    }


def service(
    present: Mapping[str, object] | None = None,
    previous: Mapping[str, object] | None = None,
    state: str | None = None,
    *,
    message: str = "",
    service_id: str = SERVICE_ID,
) -> msgspec.Raw:
    """A service as inspected; of version 1 by default."""
    body: dict[str, object] = {"ID": service_id, "Spec": spec() if present is None else present}
    if previous is not None:
        body["PreviousSpec"] = previous
    if state is not None:
        body["UpdateStatus"] = {"State": state, "Message": message, "StartedAt": "t1"}
    return msgspec.Raw(msgspec.json.encode(body))


def task(
    task_id: str,
    version: str = "1",
    state: str = "running",
    *,
    desired: str = "running",
    created_s: float = 0.0,
    service_id: str = SERVICE_ID,
) -> msgspec.Raw:
    """A task as listed."""
    created = datetime.fromtimestamp(created_s, UTC).isoformat()
    body = {
        "ID": task_id,
        "ServiceID": service_id,
        "Slot": 1,
        "CreatedAt": created,
        "DesiredState": desired,
        "Spec": _template(version),
        "Status": {"Timestamp": created, "State": state},
    }
    return msgspec.Raw(msgspec.json.encode(body))


def _template(version: str) -> dict[str, object]:
    return {
        "ContainerSpec": {
            "Image": f"shop:{version}",
            "Env": ["OTHER=x", f"STAMPLOAD_VERSION={version}"],
        }
    }


def commit(
    at_s: float, *tasks: msgspec.Raw, services: tuple[msgspec.Raw, ...] = (), **removed: str
) -> StoreCommit:
    """One transaction; ``removed_service`` and ``removed_task`` are ids."""
    return StoreCommit(
        at_s=at_s,
        services=services,
        tasks=tasks,
        removed=tuple(id_ for kind, id_ in removed.items() if kind == "removed_service"),
        removed_tasks=tuple(id_ for kind, id_ in removed.items() if kind == "removed_task"),
    )


def container_event(
    at_s: float,
    action: str,
    task_id: str,
    *,
    exit_code: int = 0,
    started_s: float = 0.0,
    is_oom: bool = False,
) -> ContainerEvent:
    """An event of a task's container."""
    return ContainerEvent(
        at_s=at_s,
        action=action,
        container=f"container-{task_id}",
        task=task_id,
        service=NAME,
        image="shop:1",
        exit_code=exit_code,
        started_s=started_s,
        oom=is_oom,
    )


def oom(at_s: float, task_id: str, *, rss_bytes: int = 200, limit_bytes: int = 300) -> OutOfMemory:
    """A task's process was chosen, beside another container's."""
    return OutOfMemory(
        at_s=at_s,
        container=f"container-{task_id}",
        task=task_id,
        rss_bytes=rss_bytes,
        usage_bytes=limit_bytes,
        limit_bytes=limit_bytes,
        containers={f"container-{task_id}": rss_bytes, "container-old": limit_bytes - rss_bytes},
    )
