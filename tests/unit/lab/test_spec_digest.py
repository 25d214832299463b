"""The digests of a service's spec: every change makes another, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stamplab.lab.model.docker_json import parse_service, parse_services, parse_tasks
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


PATHS = list(leaves(json.loads(golden.swarm_json("new"))["Spec"]))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_a_change_anywhere_in_a_spec_changes_its_digest(path: Path) -> None:
    def change(service: dict[str, Any]) -> None:
        place = service["Spec"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = other(place[path[-1]])

    before, after = golden.service("new").spec, parse_service(golden.changed("new", change)).spec
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
    keys = service["Spec"].keys() - {"Name", "TaskTemplate", "Mode"}
    digests = {golden.service("new").spec.digest}
    for key in keys:
        spec = {name: value for name, value in service["Spec"].items() if name != key}
        digests.add(parse_service(json.dumps({**service, "Spec": spec}).encode()).spec.digest)
    assert len(digests) == 1 + len(keys)


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
