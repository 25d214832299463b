"""Whether a stack has converged, as a deploy without ``-c`` waits for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stamplab.lab.model.swarm import Service, Task

_FAILED = ("paused", "rollback_started", "rollback_paused", "rollback_completed")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a deploy stands."""

    is_over: bool
    failed: bool
    said: str


def progress(services: Sequence[Service], tasks: Sequence[Task]) -> Progress:
    """Say where a deploy stands.

    A rollback and a pause end it as failed: what the real abra makes of them is not known.
    """
    for service in services:
        if service.update_state in _FAILED:
            status = service.update_status
            why = status.message if status else ""
            said = f"{service.name}: update {service.update_state}: {why}".rstrip(": ")
            return Progress(is_over=True, failed=True, said=said)
    lacking = [said for service in services if (said := _lacking(service, tasks))]
    if lacking:
        return Progress(is_over=False, failed=False, said="; ".join(lacking))
    return Progress(is_over=True, failed=False, said="all services converged")


def _lacking(service: Service, tasks: Sequence[Task]) -> str:
    """What a service still lacks; empty when nothing."""
    name = service.name
    if service.update_state == "updating":
        return f"{name} is updating"
    wanted = service.spec.replicas
    if wanted is None:  # global, or a job: as many as the swarm sees fit
        return ""
    running = sum(_runs(task, service) for task in tasks)
    return f"{name} has {running} of {wanted} tasks" if running < wanted else ""


def _runs(task: Task, service: Service) -> bool:
    """Whether it is a running task of the service as it is wanted now, not of an older spec."""
    is_present = task.spec_digest == service.spec.task_digest
    return task.service_id == service.id and is_present and task.state == "running"
