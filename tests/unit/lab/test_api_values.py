"""Values of the Docker API at their edges: digests, timestamps, and tasks without a container."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.model.docker_json import parse_service, parse_services, parse_tasks
from stamplab.lab.model.swarm import ServiceSpec, Task, UpdatePolicy
from tests.unit.lab import golden

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a document that holds a value and no container."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list) and inner:
            yield from leaves(inner, (*path, key))
        else:
            yield (*path, key)


def other(value: Any) -> Any:
    """A value of the same kind that is not the same."""
    match value:
        case None:
            return {}
        case str():
            return value + "x"
        case int() | float():
            return value + 1
        case dict():
            return {"New": 1}
        case _:
            return [*value, "new"]


def spec_with(path: Path) -> ServiceSpec:
    service = json.loads(golden.swarm_json("new"))
    place = service["Spec"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = other(place[path[-1]])
    return parse_service(json.dumps(service).encode()).spec


SPEC = json.loads(golden.swarm_json("new"))["Spec"]
PATHS = list(leaves(SPEC))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_a_change_anywhere_in_a_spec_changes_its_digest(path: Path) -> None:
    before, after = golden.service("new").spec, spec_with(path)
    assert after.digest != before.digest
    touches_tasks = path[0] == "TaskTemplate" and path[1] != "Runtime"
    assert (after.task_digest != before.task_digest) == touches_tasks


def shuffled(value: Any) -> Any:
    """The same document with all keys in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["new", "updating", "rollback_started", "completed"])
def test_no_order_of_keys_at_any_depth_makes_another_service(name: str) -> None:
    raw = json.dumps(shuffled(json.loads(golden.swarm_json(name)))).encode()
    assert parse_service(raw) == golden.service(name)


def test_an_item_more_or_less_is_another_spec() -> None:
    service = json.loads(golden.swarm_json("new"))
    digests = {golden.service("new").spec.digest}
    for key in list(service["Spec"]):
        if key not in {"Name", "TaskTemplate", "Mode"}:
            less = copy.deepcopy(service)
            del less["Spec"][key]
            digests.add(parse_service(json.dumps(less).encode()).spec.digest)
    assert len(digests) == 1 + len(service["Spec"]) - 3


def test_the_tasks_of_every_mode_are_of_their_services_spec() -> None:
    digests = {s.id: s.spec.task_digest for s, _ in parse_services(golden.swarm_json("modes"))}
    tasks = parse_tasks(golden.swarm_json("modes-tasks"))
    assert {task.service_id: task.spec_digest for task in tasks} == {
        service: digest for service, digest in digests.items() if service != nobody()
    }


def nobody() -> str:
    """The service that wants no tasks."""
    listed = parse_services(golden.swarm_json("modes"))
    return next(service.id for service, _ in listed if service.spec.replicas == 0)


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


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b'{"message": "page not found"}'])
def test_what_is_no_list_of_services_is_said_in_a_sentence(raw: bytes) -> None:
    with pytest.raises(LabError, match="listed services in a way not understood"):
        parse_services(raw)


@pytest.mark.parametrize("without", ["Name", "TaskTemplate", "Mode"])
def test_a_spec_without_its_essentials_is_said_in_a_sentence(without: str) -> None:
    service = json.loads(golden.swarm_json("updating"))
    del service["PreviousSpec"][without]
    with pytest.raises(
        LabError, match=rf"described a service in a way not understood: .*{without}"
    ):
        parse_service(json.dumps(service).encode())


def test_text_that_is_not_utf_8_is_said_in_a_sentence() -> None:
    raw = golden.swarm_json("new").replace(b"shop_web", b"shop_\xff")
    with pytest.raises(LabError, match="described a service in a way not understood"):
        parse_service(raw)
