"""What is known of a task that failed, and how it is known; in data, and as one clause. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from stamplab.lab.model.history import ContainerEnded, EngineEvent, Record, TasksSeen
from stamplab.lab.model.swarm import RUNNING, TASK_LABEL, Task

Window = Literal["before running", "monitor"]
"""Where a failure counts for the updater: before RUNNING however late, or in `monitor` after it."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One failed task. What is None is not known."""

    task: str
    state: str | None = None
    error: str | None = None
    node: str | None = None
    container: str | None = None
    exit_code: int | None = None
    oom_killed: bool | None = None
    oom_known_by: str = ""
    """How that is known; or why it is not."""
    ran_s: float | None = None
    """From its container's start to its end, by the engine's clock."""
    window: Window | None = None


class Facts:
    """All that was seen of tasks and their containers: a fold over records."""

    def __init__(self, node: str) -> None:
        """``node`` is the one that is looked from."""
        self._node = node
        self._tasks: dict[str, Task] = {}
        self._ran: set[str] = set()
        self._ended: dict[str, ContainerEnded] = {}

    def feed(self, record: Record) -> None:
        """Take in one record."""
        match record.what:
            case TasksSeen(tasks=tasks):
                self._tasks |= {task.id: task for task in tasks}
                self._ran |= {task.id for task in tasks if task.state == RUNNING}
            case ContainerEnded(task_id=str() as task_id):
                self._ended[task_id] = record.what
            case EngineEvent(action="health_status: healthy", attributes=attributes):
                self._ran.add(attributes.get(TASK_LABEL, ""))
            case _:
                pass

    def failure(self, task_id: str) -> Failure:
        """What is known of a task that failed."""
        task, ended = self._tasks.get(task_id), self._ended.get(task_id)
        exit_code = task.exit_code if task else None
        return Failure(
            task=task_id,
            state=task.state if task else None,
            error=(task.error or None) if task else None,
            node=(task.node_id or None) if task else None,
            container=task.container_id if task else None,
            exit_code=ended.exit_code if ended else exit_code,
            oom_killed=ended.oom_killed if ended else None,
            oom_known_by=self._oom_known_by(task, ended),
            ran_s=round(ended.finished_s - ended.started_s, 3) if ended else None,
            window=self._window(task_id),
        )

    def _oom_known_by(self, task: Task | None, ended: ContainerEnded | None) -> str:
        if ended is not None:
            return "the engine's OOMKilled of its container"
        if task is None:
            return "not known: it was never listed"
        if task.node_id not in ("", self._node):
            return f"not known: it ran on another node ({task.node_id})"
        if task.container_id is None:
            return "it never had a container"
        return "not known: its container was gone before it could be inspected"

    def _window(self, task_id: str) -> Window | None:
        """In which window it failed.

        A task whose health is not checked is RUNNING once its container has started.
        """
        task, ended = self._tasks.get(task_id), self._ended.get(task_id)
        if task_id in self._ran or (ended is not None and ended.checks_health is False):
            return "monitor"
        if ended is not None or (task is not None and task.container_id is None):
            return "before running"
        return None


def in_words(failure: Failure) -> str:
    """The same as a clause."""
    code = failure.exit_code
    parts = ["failed" if code is None else f"failed with exit code {code}"]
    if failure.oom_killed:
        parts.append(f"OOM-killed by {failure.oom_known_by}")
    elif failure.oom_killed is False and code == _SIGKILLED:
        parts.append(f"no OOM kill by {failure.oom_known_by}, which may miss one by an outer limit")
    elif failure.oom_killed is False:
        parts.append("no OOM kill")
    elif failure.oom_known_by.startswith("not known"):
        parts.append(f"whether by an OOM kill is {failure.oom_known_by}")
    if failure.ran_s is not None:
        parts.append(f"{failure.ran_s:.1f} s after its container's start")
    parts.append(_IN_WINDOW[failure.window])
    return ", ".join(parts)


_SIGKILLED = 137
_IN_WINDOW: dict[Window | None, str] = {
    "before running": "before it was ever RUNNING",
    "monitor": "when it had been RUNNING, within the update's monitor",
    None: "in which window is not known",
}
