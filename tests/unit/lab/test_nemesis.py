"""A second operator's operations: what each makes of the present spec, and nothing besides."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stamplab.lab.faults.operator import (
    Act,
    Deed,
    LoseSight,
    NextVersion,
    Operation,
    Recreate,
    Redeploy,
    Remove,
    Restamp,
    RollBack,
    Scale,
    SetLimit,
    edited,
    in_words,
)
from stamplab.lab.model.docker_json import parse_service
from stamplab.lab.virtual.recorder import spec_in
from tests.unit.lab.golden import swarm_json

SPEC = spec_in(msgspec.Raw(swarm_json("updating")))
"""A real engine's."""
LABELS = {"stamp": "theirs", "added": "1"}
CHANGING: tuple[Operation, ...] = (
    Restamp(labels=LABELS),
    NextVersion(version="9.9.9", labels=LABELS),
    Scale(replicas=3),
)
LEAVING: tuple[Operation, ...] = (Redeploy(), RollBack(), Remove(), Recreate())


def decoded(spec: bytes) -> dict[str, Any]:
    return msgspec.json.decode(spec, type=dict[str, Any])


def after(operation: Operation, spec: bytes = SPEC) -> dict[str, Any]:
    return decoded(edited(spec, operation))


def paths(value: object, path: str = "") -> dict[str, object]:
    """Every leaf of a JSON value by its path; in the order in which they stand there."""
    if isinstance(value, dict):
        parts = ((f"{path}.{key}", part) for key, part in value.items())
        return {name: leaf for at, part in parts for name, leaf in paths(part, at).items()}
    return {path: value}


def changes(operation: Operation) -> set[str]:
    """The paths that an operation adds, removes or changes."""
    before, now = paths(decoded(SPEC)), paths(after(operation))
    return {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}


@pytest.mark.parametrize("operation", LEAVING)
@pytest.mark.parametrize("spec", [SPEC, b'{ "Name" : "x",\n "any": "thing" }', b"not even JSON"])
def test_what_changes_no_spec_sends_it_to_the_letter(operation: Operation, spec: bytes) -> None:
    assert edited(spec, operation) is spec


def test_a_restamp_changes_labels_of_the_service_and_nothing_else() -> None:
    assert changes(Restamp(labels=LABELS)) == {".Labels.stamp", ".Labels.added"}
    assert after(Restamp(labels=LABELS))["Labels"] == {**decoded(SPEC)["Labels"], **LABELS}


def test_a_next_version_changes_labels_and_what_its_tasks_answer_with() -> None:
    operation = NextVersion(version="9.9.9", labels=LABELS)
    environment = ".TaskTemplate.ContainerSpec.Env"
    assert changes(operation) == {".Labels.stamp", ".Labels.added", environment}
    before, now = paths(decoded(SPEC))[environment], paths(after(operation))[environment]
    assert isinstance(before, list)
    others = [variable for variable in before if variable != "STAMPLOAD_VERSION=2"]
    assert len(others) == len(before) - 1
    assert now == [*others, "STAMPLOAD_VERSION=9.9.9"]


def test_a_variable_whose_name_only_begins_so_stays() -> None:
    spec = decoded(SPEC)
    spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["STAMPLOAD_VERSIONS=3", "STAMPLOAD_VERSION=1"]
    changed = after(NextVersion(version="2", labels={}), msgspec.json.encode(spec))
    assert changed["TaskTemplate"]["ContainerSpec"]["Env"] == [
        "STAMPLOAD_VERSIONS=3",
        "STAMPLOAD_VERSION=2",
    ]


@pytest.mark.parametrize("replicas", [0, 1, 3])
def test_to_scale_changes_the_replicas_alone(replicas: int) -> None:
    expected = set() if replicas == 1 else {".Mode.Replicated.Replicas"}
    assert changes(Scale(replicas=replicas)) == expected
    assert after(Scale(replicas=replicas))["Mode"] == {"Replicated": {"Replicas": replicas}}


@pytest.mark.parametrize("operation", CHANGING, ids=lambda operation: type(operation).__name__)
def test_keys_stay_in_their_order(operation: Operation) -> None:
    before, now = list(paths(decoded(SPEC))), list(paths(after(operation)))
    assert [path for path in now if path in set(before)] == before


@pytest.mark.parametrize("operation", CHANGING, ids=lambda operation: type(operation).__name__)
def test_an_engine_would_understand_what_comes_out(operation: Operation) -> None:
    service = decoded(swarm_json("updating"))
    service["Spec"] = after(operation)
    parsed = parse_service(msgspec.json.encode(service)).spec
    before = parse_service(swarm_json("updating")).spec
    assert parsed.digest != before.digest
    touches_tasks = isinstance(operation, NextVersion)
    assert (parsed.task_digest != before.task_digest) is touches_tasks


@pytest.mark.parametrize("absent", ["null", "missing"])
def test_a_spec_without_labels_and_environment_gets_them(absent: str) -> None:
    spec = decoded(SPEC)
    container = spec["TaskTemplate"]["ContainerSpec"]
    if absent == "null":
        spec["Labels"] = container["Env"] = None
    else:
        del spec["Labels"], container["Env"]
    raw = msgspec.json.encode(spec)
    assert after(Restamp(labels=LABELS), raw)["Labels"] == LABELS
    changed = after(NextVersion(version="2", labels=LABELS), raw)
    assert changed["Labels"] == LABELS
    assert changed["TaskTemplate"]["ContainerSpec"]["Env"] == ["STAMPLOAD_VERSION=2"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(unknown=st.dictionaries(st.text(), json_values, max_size=4))
def test_what_an_operation_does_not_know_it_leaves_as_it_is(unknown: dict[str, object]) -> None:
    spec = {**unknown, **decoded(SPEC)}
    raw = msgspec.json.encode(spec)
    for operation in CHANGING:
        changed = after(operation, raw)
        assert list(changed) == list(spec)
        known = {"Labels", "TaskTemplate", "Mode"}
        assert {k: v for k, v in changed.items() if k not in known} == {
            k: v for k, v in spec.items() if k not in known
        }


@pytest.mark.parametrize(
    ("what", "description"),
    [
        (SetLimit(limit_bytes=1, reason="the pulse begins"), "the pulse begins"),
        (Restamp(labels=LABELS), "a second operator changed labels only"),
        (Redeploy(), "a second operator deployed the same spec again"),
        (NextVersion(version="9.9.9", labels={}), "a second operator deployed version 9.9.9"),
        (RollBack(), "a second operator rolled the service back"),
        (Scale(replicas=0), "a second operator scaled the service to 0"),
        (Remove(), "a second operator removed the service"),
        (Recreate(), "a second operator removed the service and created it anew"),
        (LoseSight(), "sight is lost of the swarm"),
    ],
)
def test_each_is_said_in_words(what: Deed, description: str) -> None:
    assert in_words(what) == description


def test_every_operation_has_its_words_and_its_edit_here() -> None:
    every = set(Operation.__args__)
    assert every == {type(operation) for operation in (*CHANGING, *LEAVING)}


@pytest.mark.parametrize("deed", [*CHANGING, *LEAVING, LoseSight()])
def test_an_act_is_read_back_as_it_was_written(deed: Deed) -> None:
    act = Act(after_s=0.5, what=deed)
    assert msgspec.json.decode(msgspec.json.encode(act), type=Act) == act
