"""One table of a service's fields: what a client, a swarm and a compose file are given by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stamplab.harness.ci.policy import Policy
from stamplab.lab.model import docker_json
from stamplab.lab.model.history import PolicyRead
from stamplab.lab.model.service_request import (
    ABSENT,
    START_FIRST,
    HealthCheck,
    ServiceRequest,
    changed,
    next_version,
)
from stamplab.lab.model.service_spec import FIELDS, SpecField, create_flags, to_compose, to_json
from stamplab.lab.model.swarm import ServiceSpec, UpdatePolicy
from stamplab.lab.recipe.compose import overlay_text
from stamplab.lab.recipe.resolver import Resolver
from stamplab.lab.recipe.workload_overlay import Timing
from stamplab.lab.world import Stack

GIB = 1 << 30
ALL: dict[str, object] = {
    "name": "shop_app",
    "labels": {"stamp": "1"},
    "mode": None,
    "replicas": 3,
    "restart.condition": "on-failure",
    "restart.delay_s": 2.5,
    "restart.max_attempts": 4,
    "environment": ("A=1", "B=2"),
    "health.test": "probe",
    "health.interval_s": 0.25,
    "health.timeout_s": 3.0,
    "health.start_period_s": 9.0,
    "health.retries": 7,
    "stop_grace_s": 90.0,
    "reserved_bytes": GIB // 2,
    "constraints": ("node.role==manager",),
    "image": "app:1",
    "arguments": ("serve", "it"),
    **{
        f"{kind}.{name}": value
        for kind in ("update", "rollback")
        for name, value in {
            "order": "start-first",
            "failure_action": "pause",
            "monitor_s": 7.5,
            "delay_s": 1.5,
            "parallelism": 2,
            "max_failure_ratio": 0.25,
        }.items()
    },
}
"""Every field of the table, none of them at its default."""


@pytest.fixture(scope="module")
def resolver(stackspec: Path) -> Iterator[Resolver]:
    with Resolver(stackspec) as resolver:
        yield resolver


# Nothing is missing anywhere.


def test_every_field_has_a_value_here() -> None:
    assert ALL.keys() == FIELDS.keys()


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_a_field_is_written_in_each_of_the_three_languages(field: SpecField) -> None:
    value = "global" if field.name == "mode" else ALL[field.name]
    spec = to_json({field.name: value}, {})
    assert at(spec, field.json) is not None
    if field.compose:
        assert at(to_compose({field.name: value}), field.compose) is not None
    flags = create_flags({field.name: value})
    assert (field.flag in flags) is not field.is_argument
    assert field.flag.startswith("--")


def test_only_the_name_is_no_field_of_a_compose_files_service() -> None:
    assert [field.name for field in FIELDS.values() if not field.compose] == ["name"]


def test_no_two_fields_are_written_to_one_place() -> None:
    for column in ("flag", "json", "compose"):
        places = [getattr(field, column) for field in FIELDS.values()]
        assert len(places) == len(set(places))


@pytest.mark.parametrize("kind", ["update", "rollback"])
def test_the_table_has_all_of_a_policy(kind: str) -> None:
    names = {name.partition(".")[2] for name in FIELDS if name.startswith(f"{kind}.")}
    assert names == {*UpdatePolicy.__struct_fields__}


def test_whoever_gives_values_gives_them_by_the_tables_names() -> None:
    request = ServiceRequest(replicas=2).values("shop", "app:1", GIB)
    assert request.keys() <= FIELDS.keys()
    assert len(Policy().values) == len(Policy.__struct_fields__)
    assert Policy().values.keys() <= FIELDS.keys()
    # A monitor is both that of the update and that of the rollback.
    assert len(Timing().values) == len(Timing.__struct_fields__) + 1
    assert Timing().values.keys() <= FIELDS.keys()


def test_a_name_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError, match=r"is called update\.speed"):
        to_json({"update.speed": 1})


def test_what_a_commit_states_is_called_as_in_the_table() -> None:
    keys = {field.compose.rpartition(".")[2] for field in FIELDS.values()}
    about = {"commit", "path", "service"}
    assert {*PolicyRead.__struct_fields__} - about <= keys


def at(tree: Any, path: str) -> Any:
    for key in path.split("."):
        tree = tree[key]
    return tree


# Each language says the same, by those who speak it.


def test_the_json_is_read_back_as_what_was_written() -> None:
    raw = msgspec.json.encode({"ID": "s1", "Spec": to_json(ALL)})
    read = docker_json.parse_service(raw).spec
    for kind in ("update", "rollback"):
        policy = getattr(read, kind)
        for name in UpdatePolicy.__struct_fields__:
            assert getattr(policy, name) == ALL[f"{kind}.{name}"], name
    same = {"labels": "labels", "image": "image", "replicas": "replicas"}
    same["restart"] = "restart.condition"
    for attribute, name in same.items():
        assert getattr(read, attribute) == ALL[name]
    read_by_other_names = {"mode", "update", "rollback", "digest", "task_digest", "is_probed"}
    assert {*ServiceSpec.__struct_fields__} == {*same, *read_by_other_names}
    assert read.is_probed


def test_docker_reads_the_compose_file_as_the_same_json(resolver: Resolver, tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    file.write_text(overlay_text("3.8", {"services": {"app": to_compose(ALL)}}))
    stack = Stack(name="shop", directory=tmp_path, compose_files=(file,), environment={})
    (raw,) = resolver.resolve(stack).services
    theirs = msgspec.json.decode(raw, type=dict[str, Any])
    ours = to_json(ALL)
    for field in FIELDS.values():
        if field.name == "mode":
            continue  # replicas say it
        docker_value, meant = at(theirs, field.json), at(ours, field.json)
        if field.name == "labels":
            assert docker_value.items() >= meant.items()
        else:
            assert docker_value == (pytest.approx(meant) if isinstance(meant, float) else meant), (
                field.name
            )


# A service as it is asked for.


def created(request: ServiceRequest) -> str:
    return " ".join(request.create_command("story", "app:1", GIB))


def updated(before: ServiceRequest, after: ServiceRequest) -> str:
    return " ".join(after.update_command(before, "story", "app:1", GIB))


def spec(request: ServiceRequest) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(request.spec_json("story", "app:1", GIB))
    return decoded


def test_a_plain_service_is_waited_for_and_asks_no_registry() -> None:
    command = created(ServiceRequest())
    assert command.startswith("service create --detach=false --no-resolve-image --name story_web")
    assert "--label com.docker.stack.namespace=story --label stamp=1 --replicas 1" in command
    assert "--env STAMPLOAD_VERSION=1" in command
    assert command.endswith("app:1 /bin/stampload serve")
    assert "--reserve-memory" not in command
    assert "--constraint" not in command


def test_all_that_can_be_asked_for_is_said_to_the_client() -> None:
    command = created(
        ServiceRequest(
            app={"EXIT_AT_S": "2"},
            fault_slot=2,
            health=HealthCheck(interval_s=0.25, retries=7),
            replicas=None,
            update=changed(START_FIRST, delay_s=5, max_failure_ratio=0.5),
            restart="on-failure",
            stop_grace_s=90,
            reserve_share=0.5,
            constraint="node.role==worker",
        )
    )
    for words in (
        "--mode global",
        "--env STAMPLOAD_EXIT_AT_S=2 --env STAMPLOAD_FAULT_SLOT=2 "
        "--env STAMPLOAD_SLOT={{.Task.Slot}}",
        "--health-interval 250ms --health-retries 7",
        "--update-delay 5000ms",
        "--update-max-failure-ratio 0.5",
        "--restart-condition on-failure",
        "--stop-grace-period 90000ms",
        f"--reserve-memory {GIB // 2}",
        "--constraint node.role==worker",
    ):
        assert words in command
    assert "--health-cmd" not in created(ServiceRequest(health=None))


def test_an_update_says_what_is_new_and_nothing_else() -> None:
    base = ServiceRequest(app={"READY_S": "9"})
    assert updated(base, base) == "service update --detach=false --no-resolve-image story_web"
    assert updated(base, changed(base, stamp="2")).endswith("--label-add stamp=2 story_web")
    head = changed(base, version="2", app={"EXIT_AT_S": "1"})
    assert "--env-rm STAMPLOAD_READY_S" in updated(base, head)
    assert "--env-add STAMPLOAD_EXIT_AT_S=1 --env-add STAMPLOAD_VERSION=2" in updated(base, head)
    assert f"--image {ABSENT}" in updated(base, changed(base, absent=True))
    assert "--replicas 0" in updated(base, changed(base, replicas=0))
    pausing = changed(base, update=changed(START_FIRST, failure_action="pause"))
    assert updated(base, pausing).endswith("--update-failure-action pause story_web")
    bound = changed(base, constraint="a==b")
    assert "--constraint-add a==b" in updated(base, bound)
    assert "--constraint-rm a==b" in updated(bound, base)
    forbidden = changed(base, constraint="a!=b")
    moved = updated(bound, forbidden)
    assert "--constraint-rm a==b --constraint-add a!=b" in moved


@pytest.mark.parametrize("change", [{"replicas": None}, {"health": None}, {"name": "other"}])
def test_a_change_that_no_update_can_make_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="does not change"):
        updated(ServiceRequest(), changed(ServiceRequest(), **change))


def test_a_stamp_alone_makes_no_other_tasks_and_a_version_does() -> None:
    template = spec(ServiceRequest())["TaskTemplate"]
    assert spec(changed(ServiceRequest(), stamp="2"))["TaskTemplate"] == template
    assert spec(next_version(ServiceRequest()))["TaskTemplate"] != template
