"""One service as wanted: what is said to a docker client, and what is sent to a swarm."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from scenarios.record.registry import ENTRIES
from scenarios.record.step import Create, Deploy, told
from scenarios.record.wanted import (
    ABSENT,
    Probing,
    Wanted,
    changed,
    create_flags,
    spec_of,
    update_flags,
)

from lab import docker_api

GIB = 1 << 30
WANTED = [
    step.wanted
    for entry in ENTRIES.values()
    for step in entry.steps
    if isinstance(step, Create | Deploy)
]


def created(wanted: Wanted) -> str:
    return " ".join(create_flags(wanted, "story", "app:1", GIB))


def updated(before: Wanted, after: Wanted) -> str:
    return " ".join(update_flags(before, after, "story", "app:1"))


def spec(wanted: Wanted) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(spec_of(wanted, "story", "app:1", GIB))
    return decoded


def test_a_plain_service_is_waited_for_and_asks_no_registry() -> None:
    said = created(Wanted())
    assert said.startswith("service create --detach=false --no-resolve-image --name story_web")
    assert "--label com.docker.stack.namespace=story --label stamp=1 --replicas 1" in said
    assert "--env STAMPLOAD_VERSION=1" in said
    assert said.endswith("app:1 /bin/stampload serve")
    assert "--reserve-memory" not in said
    assert "--constraint" not in said


def test_all_that_can_be_wanted_is_said_to_the_client() -> None:
    said = created(
        Wanted(
            app={"EXIT_AT_S": "2"},
            health=Probing(interval_s=0.25, retries=7),
            replicas=None,
            delay_s=5,
            restart="on-failure",
            stop_grace_s=90,
            reserve_share=0.5,
            constraint="node.role==worker",
        )
    )
    for words in (
        "--mode global",
        "--env STAMPLOAD_EXIT_AT_S=2",
        "--health-retries 7 --health-interval 250ms",
        "--update-delay 5000ms",
        "--restart-condition on-failure",
        "--stop-grace-period 90000ms",
        f"--reserve-memory {GIB // 2}",
        "--constraint node.role==worker",
    ):
        assert words in said
    assert "--health-cmd" not in created(Wanted(health=None))


def test_an_update_says_what_is_new_and_nothing_else() -> None:
    base = Wanted(app={"READY_S": "9"})
    assert updated(base, base) == "service update --detach=false --no-resolve-image story_web"
    assert updated(base, changed(base, stamp="2")).endswith("--label-add stamp=2 story_web")
    head = changed(base, version="2", app={"EXIT_AT_S": "1"})
    assert "--env-rm STAMPLOAD_READY_S" in updated(base, head)
    assert "--env-add STAMPLOAD_EXIT_AT_S=1 --env-add STAMPLOAD_VERSION=2" in updated(base, head)
    assert f"--image {ABSENT}" in updated(base, changed(base, absent=True))
    assert "--replicas 0" in updated(base, changed(base, replicas=0))
    bound = changed(base, constraint="a==b")
    assert "--constraint-add a==b" in updated(base, bound)
    assert "--constraint-rm a==b" in updated(bound, base)


@pytest.mark.parametrize("change", [{"order": "stop-first"}, {"health": None}, {"name": "other"}])
def test_a_change_that_no_entry_needs_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="does not change"):
        update_flags(Wanted(), changed(Wanted(), **change), "story", "app:1")


def test_a_spec_reads_as_what_was_wanted() -> None:
    read = docker_api.parse_service(
        msgspec.json.encode({"ID": "s1", "Spec": spec(Wanted(delay_s=5, parallelism=0))})
    ).spec
    assert (read.labels["stamp"], read.replicas, read.restart) == ("1", 1, "any")
    assert read.is_probed
    assert (read.update.delay_s, read.update.monitor_s, read.update.parallelism) == (5, 5, 0)
    assert (read.update.order, read.update.failure_action) == ("start-first", "rollback")
    assert (read.rollback.order, read.rollback.monitor_s) == ("stop-first", 1)


def test_a_stamp_alone_makes_no_other_tasks_and_a_version_does() -> None:
    template = spec(Wanted())["TaskTemplate"]
    assert spec(changed(Wanted(), stamp="2"))["TaskTemplate"] == template
    assert spec(changed(Wanted(), version="2"))["TaskTemplate"] != template


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_every_deploy_of_an_entry_can_be_said_and_is_told(entry: Any) -> None:
    present: dict[str, Wanted] = {}
    for step in entry.steps:
        assert told(step)
        match step:
            case Create(wanted=wanted):
                assert create_flags(wanted, entry.name, "app:1", GIB)
                present[wanted.name] = wanted
            case Deploy(wanted=wanted):
                assert update_flags(present[wanted.name], wanted, entry.name, "app:1")
                present[wanted.name] = wanted
            case _:
                pass
