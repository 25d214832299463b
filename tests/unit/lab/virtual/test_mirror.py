"""The mirror of a virtual swarm: what its commits have left, and what of it is unseen."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.virtual.mirror import Mirror
from stamplab.lab.virtual.sim_events import StoreCommit
from tests.unit.lab.virtual import made
from tests.unit.lab.virtual.made import NAME, SERVICE_ID, commit, service, spec, task


def mirror_of(*commits: StoreCommit) -> Mirror:
    mirror = Mirror()
    for commit_ in commits:
        mirror.feed(commit_)
    return mirror


def ids(mirror: Mirror, name: str = NAME) -> list[str]:
    return [task.id for task in mirror.tasks_of(name) or ()]


def test_at_first_there_is_nothing() -> None:
    mirror = mirror_of()
    assert mirror.named(NAME) is None
    assert mirror.tasks_of(NAME) is None
    assert mirror.task("t1") is None
    assert mirror.names_in(made.STACK) == []
    assert list(mirror.changed_services) == list(mirror.changed_tasks) == []


def test_a_service_is_kept_parsed_and_to_the_letter() -> None:
    raw = service()
    pair = mirror_of(commit(1, services=(raw,))).named(NAME)
    assert pair is not None
    assert pair[0].id == SERVICE_ID
    assert pair[0].name == NAME
    assert bytes(pair[1]) == bytes(raw)


def test_the_last_commit_counts() -> None:
    mirror = mirror_of(
        commit(1, task("t1", state="starting"), services=(service(),)),
        commit(2, task("t1", state="running"), services=(service(spec("2")),)),
    )
    pair, alone = mirror.named(NAME), mirror.task("t1")
    assert pair is not None
    assert pair[0].spec.image == "shop:2"
    assert alone is not None
    assert alone.state == "running"
    assert ids(mirror) == ["t1"]


def test_a_service_without_tasks_is_not_one_that_is_absent() -> None:
    assert mirror_of(commit(1, services=(service(),))).tasks_of(NAME) == ()


def test_tasks_come_oldest_first_and_by_id_within_a_moment() -> None:
    tasks = (task("b", created_s=2), task("a", created_s=2), task("z", created_s=1))
    assert ids(mirror_of(commit(1, *tasks, services=(service(),)))) == ["z", "a", "b"]


def test_a_removed_task_is_gone_and_its_service_has_changed() -> None:
    mirror = mirror_of(commit(1, task("t1"), task("t2"), services=(service(),)))
    mirror.changed_tasks.clear()
    mirror.feed(commit(2, removed_task="t1"))
    assert ids(mirror) == ["t2"]
    assert list(mirror.changed_tasks) == [NAME]
    mirror.changed_tasks.clear()
    mirror.feed(commit(3, removed_task="t1"))
    assert list(mirror.changed_tasks) == []


def test_a_removed_service_takes_its_tasks_along_and_is_a_change() -> None:
    mirror = mirror_of(commit(1, task("t1"), services=(service(),)))
    mirror.changed_services.clear()
    mirror.feed(commit(2, removed_service=SERVICE_ID))
    assert mirror.named(NAME) is None
    assert mirror.tasks_of(NAME) is None
    assert mirror.task("t1") is None
    assert list(mirror.changed_services) == [NAME]
    assert list(mirror.changed_tasks) == []


def test_what_becomes_of_a_gone_services_tasks_is_no_change_of_anything() -> None:
    mirror = mirror_of(
        commit(1, task("t1"), services=(service(),)), commit(2, removed_service=SERVICE_ID)
    )
    mirror.changed_services.clear()
    mirror.feed(commit(3, task("t1", state="shutdown")))
    mirror.feed(commit(4, removed_task="t1"))
    assert list(mirror.changed_services) == list(mirror.changed_tasks) == []


def test_a_service_that_is_made_anew_begins_without_tasks() -> None:
    mirror = mirror_of(
        commit(1, task("t1"), services=(service(),)),
        commit(2, removed_service=SERVICE_ID),
        commit(3, services=(service(service_id="service2"),)),
    )
    assert mirror.tasks_of(NAME) == ()


def test_services_are_kept_apart() -> None:
    other = service(spec(name="shop_db"), service_id="service2")
    mirror = mirror_of(
        commit(1, services=(service(),)),
        commit(2, task("t2", service_id="service2"), services=(other,)),
    )
    assert ids(mirror) == []
    assert ids(mirror, "shop_db") == ["t2"]
    assert list(mirror.changed_services) == [NAME, "shop_db"]
    assert list(mirror.changed_tasks) == ["shop_db"]
    assert mirror.names_in(made.STACK) == [NAME, "shop_db"]
    assert mirror.names_in("another") == []


@pytest.mark.parametrize(
    "commit_",
    [
        StoreCommit(at_s=1, services=(msgspec.Raw(b'{"ID": "x"}'),)),
        StoreCommit(at_s=1, tasks=(msgspec.Raw(b'{"ID": "x"}'),)),
    ],
)
def test_what_is_no_engines_json_is_an_error(commit_: StoreCommit) -> None:
    with pytest.raises(LabError, match="not understood"):
        mirror_of(commit_)
