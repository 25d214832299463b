"""How many tasks a service of each mode wants, and which of its tasks are as it wants them."""

from __future__ import annotations

from collections.abc import Sequence

from lab.swarm import RUNNING, WANTED_STATES, Service, Task


def wanted(service: Service, tasks: Sequence[Task]) -> int:
    """How many tasks of the present spec there must be.

    In the global modes that is the eligible nodes. Nobody tells which those are, but the swarm
    makes their tasks all at once (docker/cli cli/command/service/progress/progress.go,
    globalProgressUpdater): so they are the nodes that have a task of the present spec, or one of
    an older spec that is still to be replaced. There is at least one to be waited for.
    """
    spec = service.spec
    if spec.replicas is not None:
        return spec.replicas
    complete = done(service, tasks)
    nodes = {
        task.node_id
        for task in tasks
        if task.desired_state in WANTED_STATES or task.id in complete or _is_at_work(service, task)
    }
    return max(1, len(nodes))


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
    newest = {(task.slot, task.node_id if task.slot == 0 else ""): task for task in tasks}
    return frozenset(
        task.id
        for task in newest.values()
        if task.state == "complete" and _is_of_present(service, task)
    )


def _is_at_work(service: Service, task: Task) -> bool:
    """Whether it is a task of a job that has not ended: it is meant to complete, not to run."""
    return service.spec.is_job and not task.is_terminal and _is_of_present(service, task)


def _is_of_present(service: Service, task: Task) -> bool:
    """Whether it is of the present spec and, in a job, of the present iteration.

    A job that is deployed anew runs anew, with the same spec too (service.go:876).
    """
    is_of_spec = task.spec_digest == service.spec.task_digest
    return is_of_spec and task.job_iteration == service.job_iteration
