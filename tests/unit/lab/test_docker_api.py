"""The Docker API's JSON, read.

Real answers, defaults, modes, values at their edges, and what is no answer at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.model.docker_json import parse_service, parse_services, parse_tasks, unix_seconds
from stamplab.lab.model.swarm import Task, UpdatePolicy
from tests.unit.lab import golden


def test_an_update_in_flight_shows_both_specs() -> None:
    service = golden.service("updating")
    assert service.update_state == "updating"
    assert service.previous_spec is not None
    assert service.spec.digest != service.previous_spec.digest
    assert service.spec.task_digest != service.previous_spec.task_digest
    assert service.update_status is not None
    assert not service.update_status.is_over
    assert service.update_status.failed_task is None


def test_a_rollback_names_its_task_at_first_and_then_no_more() -> None:
    started, completed = golden.service("rollback_started"), golden.service("rollback_completed")
    assert started.previous_spec is None
    assert completed.previous_spec is None
    assert started.update_status is not None
    assert completed.update_status is not None
    named = started.update_status.failed_task
    assert named is not None
    assert named in {task.id for task in parse_tasks(golden.swarm_json("tasks"))}
    assert completed.update_status.failed_task is None
    assert completed.update_status.started_at == started.update_status.started_at
    assert completed.update_status.is_over


def test_a_new_service_has_no_status_and_no_previous_spec() -> None:
    service = golden.service("new")
    assert service.update_status is None
    assert service.update_state is None
    assert service.previous_spec is None


def test_tasks_are_told_apart_by_the_spec_that_they_are_of() -> None:
    updating = golden.service("updating")
    assert updating.previous_spec is not None
    digests = {task.spec_digest for task in parse_tasks(golden.swarm_json("tasks"))}
    assert digests == {updating.spec.task_digest, updating.previous_spec.task_digest}


def test_tasks_come_oldest_first_and_a_dead_one_with_its_exit_code() -> None:
    tasks = parse_tasks(golden.swarm_json("tasks"))
    assert [task.created_unix_s for task in tasks] == sorted(t.created_unix_s for t in tasks)
    failed = next(task for task in tasks if task.state == "failed")
    assert failed.is_terminal
    assert failed.exit_code == 137
    assert "137" in failed.error
    alive = next(task for task in tasks if task.state == "running")
    assert alive.exit_code is None
    assert alive.container_id


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, UpdatePolicy()),
        ({}, UpdatePolicy()),
        ({"Monitor": 0}, UpdatePolicy(monitor_s=5.0)),
        ({"Monitor": 1_500_000_000}, UpdatePolicy(monitor_s=1.5)),
        ({"Parallelism": 0}, UpdatePolicy(parallelism=0)),
        ({"Order": "start-first", "FailureAction": "rollback"},
         UpdatePolicy(order="start-first", failure_action="rollback")),
        ({"Delay": 2_000_000_000, "MaxFailureRatio": 0.5},
         UpdatePolicy(delay_s=2.0, max_failure_ratio=0.5)),
    ],
)  # fmt: skip
def test_a_policy_gets_its_defaults(policy: dict[str, Any] | None, expected: UpdatePolicy) -> None:
    def change(service: dict[str, Any]) -> None:
        service["Spec"].pop("UpdateConfig", None)
        if policy is not None:
            service["Spec"]["UpdateConfig"] = policy

    assert parse_service(golden.changed("new", change)).spec.update == expected


@pytest.mark.parametrize(
    ("monitor_s", "delay_s", "hold_s"),
    [(5.0, 0.0, 5.0), (5.0, 4.9, 5.0), (5.0, 5.0, 6.0), (2.0, 15.0, 16.0)],
)
def test_the_server_may_change_its_mind_for_monitor_or_for_delay_and_a_second(
    monitor_s: float, delay_s: float, hold_s: float
) -> None:
    assert UpdatePolicy(monitor_s=monitor_s, delay_s=delay_s).hold_s == hold_s


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ({"Replicated": {"Replicas": 3}}, ("replicated", 3)),
        ({"Replicated": {"Replicas": 0}}, ("replicated", 0)),
        ({"Replicated": {}}, ("replicated", 1)),
        ({"Global": {}}, ("global", None)),
        ({"ReplicatedJob": {"TotalCompletions": 2}}, ("replicated-job", 2)),
        ({"ReplicatedJob": {}}, ("replicated-job", 1)),
        ({"GlobalJob": {}}, ("global-job", None)),
    ],
)
def test_modes(mode: dict[str, Any], expected: tuple[str, int | None]) -> None:
    spec = parse_service(
        golden.changed("new", lambda service: service["Spec"].update(Mode=mode))
    ).spec
    assert (spec.mode, spec.replicas) == expected


def test_real_services_of_every_mode_are_read() -> None:
    listed = parse_services(golden.swarm_json("modes"))
    assert {service.spec.mode for service, _ in listed} == {
        "replicated",
        "global",
        "replicated-job",
        "global-job",
    }
    for service, raw in listed:
        assert parse_service(raw) == service
    assert parse_tasks(golden.swarm_json("modes-tasks"))


def test_a_status_without_a_state_is_no_status() -> None:
    raw = golden.changed("new", lambda service: service.update(UpdateStatus={}))
    assert parse_service(raw).update_status is None


@pytest.mark.parametrize(
    ("message", "task"),
    [
        ("update rolled back due to failure or early termination of task abc123", "abc123"),
        ("update paused due to failure or early termination of task abc123", "abc123"),
        ("rollback paused due to failure or early termination of task abc123", "abc123"),
        ("update in progress", None),
        ("rollback completed", None),
        ("", None),
    ],
)
def test_the_task_that_a_message_blames(message: str, task: str | None) -> None:
    status = {"State": "paused", "Message": message}
    raw = golden.changed("new", lambda service: service.update(UpdateStatus=status))
    named = parse_service(raw).update_status
    assert named is not None
    assert named.failed_task == task


NO_SERVICE = (b"", b"{}", b"[]", b'{"ID": "x", "Spec": 7}', b"\xff\xfe")
NO_SERVICES = (b"", b"{", b"null", b'{"message": "page not found"}')
NO_TASKS = (b"", b"{}", b'[{"ID": "x"}]', b"null")


@pytest.mark.parametrize(
    ("parse", "raw", "message"),
    [
        *((parse_service, raw, "described a service") for raw in NO_SERVICE),
        *((parse_services, raw, "listed services") for raw in NO_SERVICES),
        *((parse_tasks, raw, "(described a task|listed tasks)") for raw in NO_TASKS),
    ],
)
def test_no_answer_is_said(parse: Callable[[bytes], object], raw: bytes, message: str) -> None:
    with pytest.raises(LabError, match=f"{message} in a way not understood"):
        parse(raw)


def test_timestamps_are_read_to_the_microsecond() -> None:
    assert unix_seconds("1970-01-01T00:00:01.123456789Z") == pytest.approx(1.123456)


def test_real_policies_with_and_without_what_the_engine_leaves_out() -> None:
    specs = {s.name: s.spec for s, _ in parse_services(golden.swarm_json("modes"))}
    assert specs["modes_plain"].update == specs["modes_plain"].rollback == UpdatePolicy()
    assert specs["modes_none"].update == UpdatePolicy(
        parallelism=0, delay_s=7.0, max_failure_ratio=0.3
    )
    assert specs["modes_none"].update.hold_s == 8.0
    assert specs["modes_everywhere"].update == UpdatePolicy(
        order="start-first", failure_action="continue"
    )
    assert specs["modes_everywhere"].rollback == UpdatePolicy(order="start-first", parallelism=2)


def task_with(**status: Any) -> Task:
    listed = json.loads(golden.swarm_json("tasks"))[:1]
    listed[0]["Status"] = {"Timestamp": "2026-11-24T00:42:44Z", "State": "new", **status}
    return parse_tasks(json.dumps(listed).encode())[0]


@pytest.mark.parametrize("status", [{}, {"ContainerStatus": {"ContainerID": "", "ExitCode": 0}}])
def test_a_task_that_never_had_a_container_has_no_exit_code(status: dict[str, Any]) -> None:
    task = task_with(State="shutdown", **status)
    assert (task.container_id, task.exit_code) == (None, None)


@pytest.mark.parametrize(("state", "exit_code"), [("running", None), ("failed", 3)])
def test_only_a_task_that_has_ended_has_an_exit_code(state: str, exit_code: int | None) -> None:
    task = task_with(State=state, ContainerStatus={"ContainerID": "c", "ExitCode": 3})
    assert (task.container_id, task.exit_code) == ("c", exit_code)


def test_tasks_are_listed_oldest_first_whatever_the_engines_order() -> None:
    listed = json.loads(golden.swarm_json("tasks"))
    forwards = parse_tasks(json.dumps(listed).encode())
    assert parse_tasks(json.dumps(listed[::-1]).encode()) == forwards


@pytest.mark.parametrize("time", ["", "yesterday", "2026-99-99T00:00:00Z"])
def test_a_time_that_is_none_is_said_in_a_sentence(time: str) -> None:
    with pytest.raises(LabError, match="described a task in a way not understood"):
        task_with(Timestamp=time)


def test_go_s_zero_time_is_a_time() -> None:
    assert task_with(Timestamp="0001-01-01T00:00:00Z").status_unix_s < 0


@pytest.mark.parametrize("without", ["Name", "TaskTemplate", "Mode"])
def test_a_spec_without_its_essentials_is_said_in_a_sentence(without: str) -> None:
    raw = golden.changed("updating", lambda service: service["PreviousSpec"].pop(without))
    with pytest.raises(
        LabError, match=rf"described a service in a way not understood: .*{without}"
    ):
        parse_service(raw)


def test_text_that_is_not_utf_8_is_said_in_a_sentence() -> None:
    raw = golden.swarm_json("new").replace(b"shop_web", b"shop_\xff")
    with pytest.raises(LabError, match="described a service in a way not understood"):
        parse_service(raw)
