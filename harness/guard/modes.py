"""How many tasks a service of each mode wants, and which of its tasks are as it wants them."""

from __future__ import annotations

from collections.abc import Sequence

from stamplab.lab.model.swarm import RUNNING, WANTED_STATES, Service, Task


def wanted(service: Service, tasks: Sequence[Task]) -> int:
    """How many tasks of the present spec there must be.

    In the global modes that is the eligible nodes. Nobody tells which those are, but the swarm
    makes their tasks all at once (docker/cli cli/command/service/progress/progress.go,
    globalProgressUpdater): so they are the nodes that are to have a task, be it an old one that is
    still to be replaced, and those where the last one ended unasked. There is at least one to be
    waited for.
    """
    spec = service.spec
    if spec.replicas is not None:
        return spec.replicas
    wanted_on = {task.node_id for task in tasks if task.desired_state in WANTED_STATES}
    last_on = {
        task.node_id
        for task in _newest(tasks)
        if _is_of_present(service, task) and (spec.is_job or task.has_failed)
    }
    return max(1, len(wanted_on | last_on))


def serving(service: Service, tasks: Sequence[Task]) -> frozenset[str]:
    """The tasks of the present spec that do what it asks for: they run, or in a job are done."""
    if service.spec.is_job:
        return done(service, tasks)
    return frozenset(
        task.id
        for task in tasks
        if task.state == RUNNING
        and task.desired_state == RUNNING
        and task.spec_digest == service.spec.task_digest
    )


def done(service: Service, tasks: Sequence[Task]) -> frozenset[str]:
    """The tasks of the present spec that exited with code 0, if none came after them.

    Another one may have come in their slot, or in the global modes (slot 0) on their node.
    """
    return frozenset(
        task.id
        for task in _newest(tasks)
        if task.state == "complete" and _is_of_present(service, task)
    )


def _newest(tasks: Sequence[Task]) -> list[Task]:
    """The last task of each slot, or in the global modes (slot 0) of each node."""
    last = {(task.slot, task.node_id if task.slot == 0 else ""): task for task in tasks}
    return list(last.values())


def _is_of_present(service: Service, task: Task) -> bool:
    """Whether it is of the present spec and, in a job, of the present iteration.

    A job that is deployed anew runs anew, with the same spec too (service.go:876).
    """
    is_of_spec = task.spec_digest == service.spec.task_digest
    return is_of_spec and task.job_iteration == service.job_iteration
