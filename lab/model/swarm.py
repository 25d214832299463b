"""The swarm's own nouns, as values: service, spec, update status, task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Mode = Literal["replicated", "global", "replicated-job", "global-job"]

STACK_LABEL = "com.docker.stack.namespace"
"""On everything of a stack: the stack's name."""
TASK_LABEL = "com.docker.swarm.task.id"
"""On a task's container: the task's id."""
SERVICE_NAME_LABEL = "com.docker.swarm.service.name"
"""On a task's container: the service's name."""
RUNNING = "running"
TERMINAL_TASK_STATES = frozenset(
    {"complete", "shutdown", "failed", "rejected", "remove", "orphaned"}
)
"""Task states that are never left again (SwarmKit api/types.proto, TaskState from COMPLETE on)."""


FAILED_TASK_STATES = frozenset({"complete", "failed", "rejected", "orphaned"})
"""Terminal states that a task of a service is in unasked; an exit with code 0 is one of them."""

WANTED_STATES = frozenset({"ready", RUNNING})
"""Desired states of tasks that the swarm wants to run, be it after others have gone."""

SETTLED_STATES = frozenset({"completed", "paused", "rollback_completed", "rollback_paused"})
"""Update states that the updater leaves only for another update's sake."""


# One table has the spellings of these fields (ADR 0058).
class UpdatePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How the swarm rolls a change out (or back), with SwarmKit's defaults filled in.

    Source of the defaults: SwarmKit api/defaults/service.go (an explicit parallelism 0 means all at
    once).
    """

    order: str = "stop-first"
    failure_action: str = "pause"
    monitor_s: float = 5.0
    delay_s: float = 0.0
    parallelism: int = 1
    max_failure_ratio: float = 0.0

    @property
    def hold_s(self) -> float:
        """Seconds after RUNNING during which the server may still change its mind.

        The server watches a task for ``monitor``, or for ``delay + 1 s`` where that is longer
        (SwarmKit updater.go:285).
        """
        if self.delay_s >= self.monitor_s:
            return self.delay_s + 1.0
        return self.monitor_s


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is asked to be.

    ``digest`` stands for the whole spec, ``task_digest`` for its tasks' part.
    """

    labels: dict[str, str]
    image: str
    mode: Mode
    replicas: int | None
    """Wanted tasks; None in global mode, where it is one a node."""
    update: UpdatePolicy
    rollback: UpdatePolicy
    digest: str
    task_digest: str
    restart: str = "any"
    """When a task that has ended is started anew: ``any``, ``on-failure`` or ``none``."""
    is_probed: bool = False
    """Whether the spec itself gives its tasks a health check; an image may bring one, too."""

    @property
    def is_job(self) -> bool:
        """Whether its tasks are meant to complete: then the updater has no part in it."""
        return self.mode.endswith("-job")


class UpdateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The swarm's word on the last update.

    ``updating``, ``completed``, ``paused`` or ``rollback_*``.
    """

    state: str
    message: str = ""
    started_at: str | None = None
    """The engine's own text: it identifies the update and is never computed with."""
    completed_at: str | None = None
    failed_task: str | None = None
    """The task that the engine blames; its completion forgets that (updater.go:607)."""

    @property
    def is_over(self) -> bool:
        """Whether the swarm itself is done with this update, one way or the other."""
        return self.state in SETTLED_STATES

    @property
    def failed_new_task(self) -> str | None:
        """The new spec's task that the engine blames: a paused rollback blames one of the old's."""
        return None if self.state == "rollback_paused" else self.failed_task


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service as inspected once."""

    id: str
    name: str
    version: int
    spec: ServiceSpec
    previous_spec: ServiceSpec | None = None
    update_status: UpdateStatus | None = None
    job_iteration: int | None = None
    """Of a job: how often it was asked for; each update begins another (service.go:876)."""

    @property
    def update_state(self) -> str | None:
        """The state of the last update.

        None is neither done nor pending (SwarmKit service.go:909).
        """
        return self.update_status.state if self.update_status else None

    @property
    def is_in_update(self) -> bool:
        """Whether an update of it is in course, be it forward or back."""
        return self.update_status is not None and not self.update_status.is_over


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task as listed once."""

    id: str
    service_id: str
    slot: int
    desired_state: str
    state: str
    spec_digest: str
    image: str
    created_unix_s: float
    status_unix_s: float
    """When the task entered ``state``, by the engine's clock."""
    message: str = ""
    error: str = ""
    container_id: str | None = None
    exit_code: int | None = None
    node_id: str = ""
    """The node that it was given to; empty as long as none was found."""
    job_iteration: int | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the task has ended though nobody told it to."""
        return self.state in FAILED_TASK_STATES

    @property
    def is_terminal(self) -> bool:
        """Whether the task will never change its state again."""
        return self.state in TERMINAL_TASK_STATES


def blamed_task(
    named: str | None, failed: Iterable[Task], task_digest: str, *, is_rolled_back: bool
) -> str | None:
    """Return the task that an update to a spec failed by, if that is known.

    The engine names it (``named``) until the update is over (updater.go:607): a rollback with
    nothing to do is over within a millisecond (seen), and nobody may have read the name. Then it is
    the first of that spec's tasks that was listed as failed.
    """
    if named is not None or not is_rolled_back:
        return named
    return next((task.id for task in failed if task.spec_digest == task_digest), None)
