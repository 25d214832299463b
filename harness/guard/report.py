"""What the guard reports: failed tasks, services, the whole, and all of it as a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Literal

import msgspec

from stamplab.harness.guard.expectations import Baseline
from stamplab.harness.guard.outcome import Outcome, Ruling
from stamplab.lab.model.history import ContainerEnded, EngineEvent, Record, TasksSeen
from stamplab.lab.model.swarm import RUNNING, TASK_LABEL, Service, Task

SCHEMA = 2
"""The version of the JSON document, as `stamplab.lab.model.schema`; 1 had the same fields."""

SuccessKind = Literal[
    "updated", "created", "unchanged", "labels only", "scaled to zero", "job", "pruned"
]
Window = Literal["before running", "monitor"]
"""Where a failure counts for the updater: before RUNNING however late, or in `monitor` after it."""

_SIGKILLED = 137
_IN_WINDOW: dict[Window | None, str] = {
    "before running": "before it was ever RUNNING",
    "monitor": "when it had been RUNNING, within the update's monitor",
    None: "in which window is not known",
}


class OomEvidence(Enum):
    """How it is known whether a failed task was OOM-killed, or why it is not known."""

    INSPECTED = "the engine's OOMKilled of its container"
    NO_CONTAINER = "it never had a container"
    NEVER_LISTED = "not known: it was never listed"
    OTHER_NODE = "not known: it ran on another node ({node})"
    CONTAINER_GONE = "not known: its container was gone before it could be inspected"

    def describe(self, node: str | None) -> str:
        """Say it in a clause; ``node`` is the task's."""
        return self.value.format(node=node)


_UNKNOWN_OOM = frozenset(
    {OomEvidence.NEVER_LISTED, OomEvidence.OTHER_NODE, OomEvidence.CONTAINER_GONE}
)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One failed task. None is not known."""

    task: str
    state: str | None = None
    error: str | None = None
    node: str | None = None
    container: str | None = None
    exit_code: int | None = None
    oom_killed: bool | None = None
    oom_known_by: str = ""
    """See `OomEvidence`."""
    ran_s: float | None = None
    """From its container's start to its end, by the engine's clock."""
    window: Window | None = None


class ServiceVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """How one service ended."""

    name: str
    outcome: Outcome
    reason: str
    how: SuccessKind | None = None
    """None where it did not converge."""
    update_state: str | None = None
    failure: Failure | None = None
    image: str | None = None
    labels: dict[str, str] = {}

    def __str__(self) -> str:
        """Return a line with name, outcome and reason."""
        # The reason of a ruling that is `converged` begins with its outcome; no other does.
        begins_with_outcome = self.outcome is Outcome.CONVERGED and self.how != "pruned"
        outcome = "" if begins_with_outcome else f"{self.outcome.value}: "
        return f"{self.name}: {outcome}{self.reason}"


class StackVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """How all that was watched ended, and why, in one sentence."""

    outcome: Outcome
    reason: str
    services: tuple[ServiceVerdict, ...]

    @property
    def is_success(self) -> bool:
        """Whether everything that was deployed is there and stays."""
        return self.outcome is Outcome.CONVERGED


class DeployReport(msgspec.Struct, frozen=True, kw_only=True):
    """The deploy command and how it ended."""

    argv: tuple[str, ...]
    exit_code: int | None
    """A shell's: 128 + n where signal n ended it; None where it had not ended."""
    took_s: float
    problem: str
    """Why it could not be run, or did not end by itself; empty where it did."""


class GuardReport(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON document. Its field names stay; docs/guard.md explains them."""

    outcome: str
    exit_code: int
    reason: str
    targets: tuple[str, ...]
    engine: str
    baseline: str
    deploy: DeployReport | None
    waited_s: float
    api_calls: int
    services: Sequence[ServiceVerdict]
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the document, indented for readers."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()

    @staticmethod
    def from_json(document: str) -> GuardReport:
        """Read a document of this schema or an earlier one.

        Raises NewerSchema, or msgspec.MsgspecError where it is no such document.
        """
        from stamplab.lab.model.schema import decode_document  # whoever guards reads none

        return decode_document(document.encode(), GuardReport, "the guard's document")


class TaskFacts:
    """Everything that was seen of tasks and their containers: a fold over records."""

    def __init__(self, node: str) -> None:
        """``node`` is the one whose engine is asked."""
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

    def failure(self, task_id: str) -> Failure:
        """Return what is known of a task that failed."""
        task, ended = self._tasks.get(task_id), self._ended.get(task_id)
        exit_code = task.exit_code if task else None
        node = (task.node_id or None) if task else None
        return Failure(
            task=task_id,
            state=task.state if task else None,
            error=(task.error or None) if task else None,
            node=node,
            container=task.container_id if task else None,
            exit_code=ended.exit_code if ended else exit_code,
            oom_killed=ended.oom_killed if ended else None,
            oom_known_by=self._oom_evidence(task_id).describe(node),
            ran_s=round(ended.finished_s - ended.started_s, 3) if ended else None,
            window=self._window(task_id),
        )

    def describe_failure(self, task_id: str) -> str:
        """Say the same in a clause."""
        failure = self.failure(task_id)
        code = failure.exit_code
        parts = ["failed" if code is None else f"failed with exit code {code}"]
        known_by = failure.oom_known_by
        if failure.oom_killed:
            parts.append(f"OOM-killed by {known_by}")
        elif failure.oom_killed is False and code == _SIGKILLED:
            parts.append(f"no OOM kill by {known_by}, which may miss one by an outer limit")
        elif failure.oom_killed is False:
            parts.append("no OOM kill")
        elif self._oom_evidence(task_id) in _UNKNOWN_OOM:
            parts.append(f"whether by an OOM kill is {known_by}")
        if failure.ran_s is not None:
            parts.append(f"{failure.ran_s:.1f} s after its container's start")
        parts.append(_IN_WINDOW[failure.window])
        return ", ".join(parts)

    def _oom_evidence(self, task_id: str) -> OomEvidence:
        task = self._tasks.get(task_id)
        if task_id in self._ended:
            return OomEvidence.INSPECTED
        if task is None:
            return OomEvidence.NEVER_LISTED
        if task.node_id not in ("", self._node):
            return OomEvidence.OTHER_NODE
        if task.container_id is None:
            return OomEvidence.NO_CONTAINER
        return OomEvidence.CONTAINER_GONE

    def _window(self, task_id: str) -> Window | None:
        # A task whose health is not checked is RUNNING once its container has started.
        task, ended = self._tasks.get(task_id), self._ended.get(task_id)
        if task_id in self._ran or (ended is not None and ended.checks_health is False):
            return "monitor"
        if ended is not None or (task is not None and task.container_id is None):
            return "before running"
        return None


def judge_service(
    baseline: Baseline,
    ruling: Ruling,
    now: Service | None,
    facts: TaskFacts,
    *,
    prunes: bool = False,
) -> ServiceVerdict:
    """Put together what is known of one service.

    Where the deploy itself was told to remove services that are not in its files any more
    (``prunes``), a service of the stack that is gone was pruned.
    """
    is_pruned = prunes and ruling.outcome is Outcome.REMOVED
    reason = "the deploy pruned it" if is_pruned else ruling.reason
    if ruling.failed_task and not is_pruned:
        reason += f"; that task {facts.describe_failure(ruling.failed_task)}"
    return ServiceVerdict(
        name=ruling.service,
        outcome=Outcome.CONVERGED if is_pruned else ruling.outcome,
        reason=reason,
        how="pruned" if is_pruned else _success_kind(baseline, ruling, now),
        update_state=ruling.update_state,
        failure=facts.failure(ruling.failed_task) if ruling.failed_task else None,
        image=now.spec.image if now else None,
        labels=dict(now.spec.labels) if now else {},
    )


# Unchanged services do not count beside others: ADR 0044.
def judge_stack(services: Sequence[ServiceVerdict]) -> StackVerdict:
    """Join the verdicts on services.

    Those that the deploy left unchanged do not count beside others: a stack of which all that was
    to be changed rolled back is rolled back, not mixed. One that is unknown makes all unknown.
    """
    if len(services) == 1:
        (only,) = services
        return StackVerdict(outcome=only.outcome, reason=str(only), services=(only,))
    changed = [service for service in services if service.how != "unchanged"]
    outcomes = {service.outcome for service in changed or services}
    if not outcomes or Outcome.UNKNOWN in outcomes:
        outcome = Outcome.UNKNOWN
    elif len(outcomes) == 1:
        (outcome,) = outcomes
    else:
        outcome = Outcome.MIXED
    reason = _reason_of_stack(outcome, services)
    return StackVerdict(outcome=outcome, reason=reason, services=tuple(services))


def _reason_of_stack(outcome: Outcome, services: Sequence[ServiceVerdict]) -> str:
    if outcome is Outcome.CONVERGED:
        return f"all {len(services)} services: " + "; ".join(
            f"{kind} ({', '.join(service.name for service in services if service.how == kind)})"
            for kind in dict.fromkeys(service.how for service in services)
        )
    bad = [str(service) for service in services if service.outcome is not Outcome.CONVERGED]
    good = [service.name for service in services if service.outcome is Outcome.CONVERGED]
    rest = f"; converged: {', '.join(good)}" if good else ""
    return "; ".join(bad) + rest if bad else "there is no service to judge"


def _success_kind(baseline: Baseline, ruling: Ruling, now: Service | None) -> SuccessKind | None:
    if ruling.outcome is not Outcome.CONVERGED or now is None:
        return None
    if now.spec.is_job:
        return "job"
    if now.spec.replicas == 0:
        return "scaled to zero"
    base = baseline.spec
    if base is None:
        return "created"
    if base.digest == now.spec.digest:
        return "unchanged"
    return "labels only" if base.task_digest == now.spec.task_digest else "updated"
