"""The Docker API's JSON, read.

Real answers, defaults, modes, digests, and what is no answer at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.model.docker_json import parse_service, parse_services, parse_tasks, unix_seconds
from stamplab.lab.model.swarm import UpdatePolicy
from tests.unit.lab import golden

Change = Callable[[dict[str, Any]], None]


def changed(name: str, change: Change) -> bytes:
    service = json.loads(golden.swarm_json(name))
    change(service)
    return json.dumps(service).encode()


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
def test_a_policy_is_filled_with_swarmkits_defaults(
    policy: dict[str, Any] | None, expected: UpdatePolicy
) -> None:
    def change(service: dict[str, Any]) -> None:
        service["Spec"].pop("UpdateConfig", None)
        if policy is not None:
            service["Spec"]["UpdateConfig"] = policy

    assert parse_service(changed("new", change)).spec.update == expected


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
    spec = parse_service(changed("new", lambda service: service["Spec"].update(Mode=mode))).spec
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


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    def reverse(service: dict[str, Any]) -> None:
        service["Spec"] = dict(reversed(service["Spec"].items()))

    assert parse_service(changed("new", reverse)).spec == golden.service("new").spec


def test_a_label_changes_the_spec_but_not_its_tasks() -> None:
    def relabel(service: dict[str, Any]) -> None:
        service["Spec"]["Labels"]["stamp"] = "another"

    before, after = golden.service("new").spec, parse_service(changed("new", relabel)).spec
    assert after.digest != before.digest
    assert after.task_digest == before.task_digest


def test_an_environment_variable_changes_the_tasks() -> None:
    def redefine(service: dict[str, Any]) -> None:
        service["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] = ["NEW=1"]

    before, after = golden.service("new").spec, parse_service(changed("new", redefine)).spec
    assert after.task_digest != before.task_digest


def test_a_status_without_a_state_is_no_status() -> None:
    raw = changed("new", lambda service: service.update(UpdateStatus={}))
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
    raw = changed("new", lambda service: service.update(UpdateStatus=status))
    named = parse_service(raw).update_status
    assert named is not None
    assert named.failed_task == task


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"ID": "x", "Spec": 7}', b"\xff\xfe"])
def test_what_is_no_service_is_said_in_a_sentence(raw: bytes) -> None:
    with pytest.raises(LabError, match="described a service in a way not understood"):
        parse_service(raw)


@pytest.mark.parametrize("raw", [b"", b"{}", b'[{"ID": "x"}]', b"null"])
def test_what_are_no_tasks_is_said_in_a_sentence(raw: bytes) -> None:
    with pytest.raises(LabError, match=r"(described a task|listed tasks) in a way not understood"):
        parse_tasks(raw)


def test_timestamps_are_read_to_the_microsecond() -> None:
    assert unix_seconds("1970-01-01T00:00:01.123456789Z") == pytest.approx(1.123456)
