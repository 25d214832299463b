"""The containers of tasks on the node that is looked from: the engine knows more of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stamplab.lab.model.engine_json import Container, read_container
from stamplab.lab.model.history import ContainerEnded
from stamplab.lab.model.swarm import RUNNING, Task
from stamplab.lab.remote.client import Client
from stamplab.lab.support.clock import WorldClock

_MOST_INSPECTED = 20
"""A crash loop goes on as long as it is watched; the first failures say why."""


class Containers:
    """Inspects them, each end once."""

    def __init__(self, client: Client, clock: WorldClock, node: str) -> None:
        self._client = client
        self._clock = clock
        self._node = node
        self._before: frozenset[str] | None = None
        """Tasks that had failed at the baseline."""
        self._inspected: set[str] = set()

    def all_run(self, tasks: Iterable[Task]) -> bool:
        """Whether the containers of this node's running tasks do run.

        A manager that comes back lists what it knew: for some seconds tasks are RUNNING whose
        containers ended with the engine (seen), until its agent has reported.
        """
        for task in tasks:
            if task.state == RUNNING and task.node_id == self._node and task.container_id:
                container = self._inspect(task.container_id)
                if container is None or not container.runs:
                    return False
        return True

    def ends_of(self, tasks: Sequence[Task]) -> list[ContainerEnded]:
        """The ends of tasks that failed since the baseline, as long as their containers exist."""
        failed = [task for task in tasks if task.has_failed and task.container_id]
        if self._before is None:
            self._before = frozenset(task.id for task in failed)
        due = [
            task
            for task in failed
            if task.id not in self._before | self._inspected and task.node_id == self._node
        ]
        ends: list[ContainerEnded] = []
        for task in due[: max(0, _MOST_INSPECTED - len(self._inspected))]:
            self._inspected.add(task.id)
            container = self._inspect(task.container_id or "")
            if container is not None:
                ends.append(container.ended(self._clock))
        return ends

    def _inspect(self, container_id: str) -> Container | None:
        raw = self._client.get(f"containers/{container_id}/json")
        return None if raw is None else read_container(raw)
