"""What is known of a failed task, how, and how it is said."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.guard.report import Failure, TaskFacts
from stamplab.lab.model.history import ContainerEnded, Observation, placed
from stamplab.lab.model.swarm import Task
from tests.builders import HEAD, container_event, listed, task

HERE, THERE = "node-here", "node-there"
STARTING = task("new", HEAD, "starting")
FAILED = msgspec.structs.replace(
    task("new", HEAD, "failed", error="task: non-zero exit (137)", exit_code=137), node_id=HERE
)
ELSEWHERE = msgspec.structs.replace(FAILED, node_id=THERE)
REJECTED = msgspec.structs.replace(
    task("new", HEAD, "rejected", error="No such image: nope"), container_id=None, node_id=HERE
)
HEALTHY = msgspec.structs.replace(
    container_event("new", "health_status: healthy"),
    attributes={"com.docker.swarm.task.id": "new"},
)


def end(*, oom: bool = False, code: int = 137, health: bool | None = True) -> ContainerEnded:
    return ContainerEnded(
        container_id="container-new",
        task_id="new",
        exit_code=code,
        oom_killed=oom,
        started_s=3.0,
        finished_s=5.25,
        checks_health=health,
    )


def facts_of(*observations: Observation) -> TaskFacts:
    facts = TaskFacts(HERE)
    for number, what in enumerate(observations):
        facts.feed(placed(number, "test", what, float(number), None))
    return facts


def known(*observations: Observation) -> Failure:
    return facts_of(*observations).failure("new")


@pytest.mark.parametrize(
    ("observations", "window"),
    [
        ((listed(STARTING), listed(FAILED), end()), "before running"),
        ((listed(task("new", HEAD)), listed(FAILED), end()), "monitor"),
        ((listed(STARTING), HEALTHY, listed(FAILED), end()), "monitor"),
        ((listed(FAILED), end(health=False)), "monitor"),
        ((listed(FAILED), end(health=None)), "before running"),
        ((listed(REJECTED),), "before running"),
        ((listed(ELSEWHERE),), None),
        ((listed(task("new", HEAD)), listed(ELSEWHERE)), "monitor"),
        ((listed(FAILED),), None),
        ((), None),
    ],
)
def test_in_which_window_it_failed(
    observations: tuple[Observation, ...], window: str | None
) -> None:
    assert known(*observations).window == window


@pytest.mark.parametrize(
    ("observations", "oom", "known_by"),
    [
        ((listed(FAILED), end(oom=True)), True, "the engine's OOMKilled of its container"),
        ((listed(FAILED), end()), False, "the engine's OOMKilled of its container"),
        ((listed(ELSEWHERE),), None, "not known: it ran on another node (node-there)"),
        ((listed(REJECTED),), None, "it never had a container"),
        (
            (listed(FAILED),),
            None,
            "not known: its container was gone before it could be inspected",
        ),
        ((), None, "not known: it was never listed"),
    ],
)
def test_whether_it_was_oom_killed_and_how_that_is_known(
    observations: tuple[Observation, ...], oom: bool | None, known_by: str
) -> None:
    failure = known(*observations)
    assert (failure.oom_killed, failure.oom_known_by) == (oom, known_by)


def test_the_whole_of_what_is_known() -> None:
    assert known(listed(STARTING), listed(FAILED), end(oom=True)) == Failure(
        task="new",
        state="failed",
        error="task: non-zero exit (137)",
        node=HERE,
        container="container-new",
        exit_code=137,
        oom_killed=True,
        oom_known_by="the engine's OOMKilled of its container",
        ran_s=2.25,
        window="before running",
    )


@pytest.mark.parametrize(
    ("observations", "clause"),
    [
        (
            (listed(STARTING), listed(FAILED), end(oom=True)),
            "failed with exit code 137, OOM-killed by the engine's OOMKilled of its container, "
            "2.2 s after its container's start, before it was ever RUNNING",
        ),
        (
            (listed(FAILED), end(health=False)),
            "failed with exit code 137, no OOM kill by the engine's OOMKilled of its container, "
            "which may miss one by an outer limit, 2.2 s after its container's start, when it had "
            "been RUNNING, within the update's monitor",
        ),
        (
            (listed(FAILED), end(code=3, health=False)),
            "failed with exit code 3, no OOM kill, 2.2 s after its container's start, when it had "
            "been RUNNING, within the update's monitor",
        ),
        (
            (listed(ELSEWHERE),),
            "failed with exit code 137, whether by an OOM kill is not known: it ran on another "
            "node (node-there), in which window is not known",
        ),
        ((listed(REJECTED),), "failed, before it was ever RUNNING"),
    ],
)
def test_it_is_said_in_one_clause(observations: tuple[Observation, ...], clause: str) -> None:
    assert facts_of(*observations).describe_failure("new") == clause


def test_another_tasks_end_is_not_its_own() -> None:
    other: Task = msgspec.structs.replace(FAILED, id="other")
    failure = known(listed(FAILED, other), msgspec.structs.replace(end(oom=True), task_id="other"))
    assert failure.oom_killed is None
