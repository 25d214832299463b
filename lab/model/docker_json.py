"""The Docker API's JSON, read into the swarm's nouns. Past this module nobody speaks JSON.

Every world gives the same JSON (a virtual one in the Docker API's shape), so all are read here.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.model.swarm import (
    TERMINAL_TASK_STATES,
    Mode,
    Service,
    ServiceSpec,
    Task,
    UpdatePolicy,
    UpdateStatus,
)

NANOSECONDS_PER_SECOND = 1_000_000_000
_NOT_UNDERSTOOD = (msgspec.MsgspecError, ValueError)
"""JSON of another shape; and text that is not UTF-8, or a time that is none."""


def parse_service(raw: bytes) -> Service:
    """Read one service of the Docker API.

    Raises LabError where the JSON lacks what every engine since 17.06 sends.
    """
    try:
        return _service(msgspec.json.decode(raw, type=_ApiService))
    except _NOT_UNDERSTOOD as error:
        raise LabError(
            f"the engine described a service in a way not understood: {error}"
        ) from error


def parse_services(raw: bytes) -> list[tuple[Service, bytes]]:
    """Read a list of services, each with its own raw JSON."""
    return [(parse_service(item), item) for item in _items(raw, "services")]


def parse_task(raw: bytes) -> Task:
    """Read one task of the Docker API. Raises LabError as `parse_service` does."""
    try:
        return _task(msgspec.json.decode(raw, type=_ApiTask))
    except _NOT_UNDERSTOOD as error:
        raise LabError(f"the engine described a task in a way not understood: {error}") from error


def parse_tasks(raw: bytes) -> list[Task]:
    """Read a list of tasks of the Docker API, oldest first.

    Raises LabError as `parse_service` does.
    """
    tasks = map(parse_task, _items(raw, "tasks"))
    return sorted(tasks, key=lambda task: (task.created_unix_s, task.id))


def _items(raw: bytes, what: str) -> list[bytes]:
    try:
        return [bytes(item) for item in msgspec.json.decode(raw, type=list[msgspec.Raw])]
    except msgspec.MsgspecError as error:
        raise LabError(f"the engine listed {what} in a way not understood: {error}") from error


def name_in(spec: bytes) -> str:
    """Return the name that a service spec gives. Raises LabError as `parse_service` does."""
    try:
        return _decode_spec(spec).name
    except _NOT_UNDERSTOOD as error:
        raise LabError(f"what is no service spec was to be deployed: {error}") from error


def unix_seconds(timestamp: str) -> float:
    """Seconds since 1970 of an RFC 3339 timestamp; nanoseconds are cut to microseconds."""
    return datetime.fromisoformat(timestamp).timestamp()


# The API's shapes, as far as they are used.


class _ApiPolicy(msgspec.Struct, rename="pascal"):
    parallelism: int | None = None
    delay: int = 0
    failure_action: str = ""
    monitor: int = 0
    max_failure_ratio: float = 0.0
    order: str = ""


class _ApiReplicated(msgspec.Struct, rename="pascal"):
    replicas: int | None = None


class _ApiReplicatedJob(msgspec.Struct, rename="pascal"):
    total_completions: int | None = None


class _ApiMode(msgspec.Struct, rename="pascal"):
    replicated: _ApiReplicated | None = None
    replicated_job: _ApiReplicatedJob | None = None
    global_: dict[str, Any] | None = msgspec.field(name="Global", default=None)
    global_job: dict[str, Any] | None = None


class _ApiHealthcheck(msgspec.Struct, rename="pascal"):
    test: list[str] | None = None


class _ApiContainerSpec(msgspec.Struct, rename="pascal"):
    image: str = ""
    healthcheck: _ApiHealthcheck | None = None


class _ApiRestartPolicy(msgspec.Struct, rename="pascal"):
    condition: str = ""


class _ApiTaskSpec(msgspec.Struct, rename="pascal"):
    container_spec: _ApiContainerSpec | None = None
    restart_policy: _ApiRestartPolicy | None = None


class _ApiSpec(msgspec.Struct, rename="pascal"):
    name: str
    task_template: msgspec.Raw
    mode: _ApiMode
    labels: dict[str, str] | None = None
    update_config: _ApiPolicy | None = None
    rollback_config: _ApiPolicy | None = None


class _ApiStatus(msgspec.Struct, rename="pascal"):
    state: str = ""
    message: str = ""
    started_at: str | None = None
    completed_at: str | None = None


class _ApiVersion(msgspec.Struct, rename="pascal"):
    index: int = 0


class _ApiJobStatus(msgspec.Struct, rename="pascal"):
    job_iteration: _ApiVersion = msgspec.field(default_factory=_ApiVersion)


class _ApiService(msgspec.Struct, rename="pascal"):
    spec: msgspec.Raw
    id: str = msgspec.field(name="ID")
    version: _ApiVersion = msgspec.field(default_factory=_ApiVersion)
    previous_spec: msgspec.Raw = msgspec.Raw(b"null")
    update_status: _ApiStatus | None = None
    job_status: _ApiJobStatus | None = None


class _ApiContainerStatus(msgspec.Struct, rename="pascal"):
    container_id: str = msgspec.field(name="ContainerID", default="")
    exit_code: int = 0


class _ApiTaskStatus(msgspec.Struct, rename="pascal"):
    timestamp: str
    state: str
    message: str = ""
    err: str = ""
    container_status: _ApiContainerStatus | None = None


class _ApiTask(msgspec.Struct, rename="pascal"):
    spec: msgspec.Raw
    created_at: str
    status: _ApiTaskStatus
    desired_state: str
    id: str = msgspec.field(name="ID")
    service_id: str = msgspec.field(name="ServiceID", default="")
    node_id: str = msgspec.field(name="NodeID", default="")
    slot: int = 0
    job_iteration: _ApiVersion | None = None


def _service(api: _ApiService) -> Service:
    has_previous = bytes(api.previous_spec) != b"null"
    return Service(
        id=api.id,
        name=_decode_spec(bytes(api.spec)).name,
        version=api.version.index,
        spec=_spec(bytes(api.spec)),
        previous_spec=_spec(bytes(api.previous_spec)) if has_previous else None,
        update_status=_status(api.update_status),
        job_iteration=api.job_status.job_iteration.index if api.job_status else None,
    )


# The same specs come again and again: with each look, and by the thousand in a search.
_cached = lru_cache(maxsize=1024)


@_cached
def _decode_spec(raw: bytes) -> _ApiSpec:
    return msgspec.json.decode(raw, type=_ApiSpec)


@_cached
def _spec(raw: bytes) -> ServiceSpec:
    api = _decode_spec(raw)
    mode, replicas = _mode(api.mode)
    template = _decode_task_spec(bytes(api.task_template))
    policy = template.restart_policy
    return ServiceSpec(
        labels=dict(api.labels or {}),
        image=_image(bytes(api.task_template)),
        mode=mode,
        replicas=replicas,
        update=_policy(api.update_config),
        rollback=_policy(api.rollback_config),
        digest=_digest_of(msgspec.json.decode(raw)),
        task_digest=_task_digest(bytes(api.task_template)),
        restart=(policy.condition if policy else "") or "any",
        is_probed=_is_probed(template),
    )


def _is_probed(template: _ApiTaskSpec) -> bool:
    check = template.container_spec.healthcheck if template.container_spec else None
    return check is not None and bool(check.test) and check.test != ["NONE"]


def _mode(api: _ApiMode) -> tuple[Mode, int | None]:
    if api.global_ is not None:
        return "global", None
    if api.global_job is not None:
        return "global-job", None
    if api.replicated_job is not None:
        wanted = api.replicated_job.total_completions
        return "replicated-job", 1 if wanted is None else wanted
    replicas = api.replicated.replicas if api.replicated else None
    return "replicated", 1 if replicas is None else replicas


def _policy(api: _ApiPolicy | None) -> UpdatePolicy:
    api = api or _ApiPolicy()
    default = UpdatePolicy()
    return UpdatePolicy(
        order=api.order or default.order,
        failure_action=api.failure_action or default.failure_action,
        monitor_s=api.monitor / NANOSECONDS_PER_SECOND if api.monitor else default.monitor_s,
        delay_s=api.delay / NANOSECONDS_PER_SECOND,
        parallelism=default.parallelism if api.parallelism is None else api.parallelism,
        max_failure_ratio=api.max_failure_ratio,
    )


def _status(api: _ApiStatus | None) -> UpdateStatus | None:
    if api is None or not api.state:
        return None
    return UpdateStatus(
        state=api.state,
        message=api.message,
        started_at=api.started_at,
        completed_at=api.completed_at,
        failed_task=failed_task_in(api.message),
    )


# The engine has no field for it: SwarmKit v2.0.0 updater.go:239-250 writes it into the message.
_TASK_IN_MESSAGE = re.compile(r"due to failure or early termination of task (\w+)")


def failed_task_in(message: str) -> str | None:
    """Find the task that an update status's message blames; None where it names none."""
    match = _TASK_IN_MESSAGE.search(message)
    return match.group(1) if match else None


def _task(api: _ApiTask) -> Task:
    container = api.status.container_status or _ApiContainerStatus()
    state = api.status.state
    has_exited = container.container_id != "" and state in TERMINAL_TASK_STATES
    spec = bytes(api.spec)
    return Task(
        id=api.id,
        service_id=api.service_id,
        slot=api.slot,
        desired_state=api.desired_state,
        state=state,
        spec_digest=_task_digest(spec),
        image=_image(spec),
        created_unix_s=unix_seconds(api.created_at),
        status_unix_s=unix_seconds(api.status.timestamp),
        message=api.status.message,
        error=api.status.err,
        container_id=container.container_id or None,
        exit_code=container.exit_code if has_exited else None,
        node_id=api.node_id,
        job_iteration=api.job_iteration.index if api.job_iteration else None,
    )


@_cached
def _decode_task_spec(raw: bytes) -> _ApiTaskSpec:
    return msgspec.json.decode(raw, type=_ApiTaskSpec)


def _image(task_spec: bytes) -> str:
    container = _decode_task_spec(task_spec).container_spec
    return container.image if container else ""


@_cached
def _task_digest(raw: bytes) -> str:
    """Digest of a task's spec.

    A service's template has one key more (``Runtime``) than its tasks' copy.
    """
    spec = msgspec.json.decode(raw, type=dict[str, Any])
    spec.pop("Runtime", None)
    return _digest_of(spec)


def _digest_of(value: object) -> str:
    canonical = msgspec.json.encode(value, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:16]
