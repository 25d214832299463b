"""The progress of a deploy without ``-c``, which waits until its stack has converged."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stamplab.lab.model.swarm import Service, Task

_FAILED = ("paused", "rollback_started", "rollback_paused", "rollback_completed")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a deploy has ended, whether it failed, and a message for the user."""

    has_ended: bool
    failed: bool
    message: str


def progress(services: Sequence[Service], tasks: Sequence[Task]) -> Progress:
    """Return a deploy's progress.

    A rollback and a pause count as failures; what a real abra does then is not known.
    """
    for service in services:
        if service.update_state in _FAILED:
            status = service.update_status
            why = status.message if status else ""
            message = f"{service.name}: update {service.update_state}: {why}".rstrip(": ")
            return Progress(has_ended=True, failed=True, message=message)
    missing = [message for service in services if (message := _missing_tasks(service, tasks))]
    if missing:
        return Progress(has_ended=False, failed=False, message="; ".join(missing))
    return Progress(has_ended=True, failed=False, message="all services converged")


def _missing_tasks(service: Service, tasks: Sequence[Task]) -> str:
    """Return why a service has not converged; "" when it has."""
    name = service.name
    if service.update_state == "updating":
        return f"{name} is updating"
    replicas = service.spec.replicas
    if replicas is None:  # global, or a job: the swarm decides how many
        return ""
    running = sum(_is_running_task(task, service) for task in tasks)
    return f"{name} has {running} of {replicas} tasks" if running < replicas else ""


def _is_running_task(task: Task, service: Service) -> bool:
    """Tell whether a task runs the service's present spec."""
    has_present_spec = task.spec_digest == service.spec.task_digest
    return task.service_id == service.id and has_present_spec and task.state == "running"
