"""Somebody's swarm as it is seen: looks, announcements, breaks, blindness; and only GETs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

import pytest

from stamplab.lab.errors import UsageError
from stamplab.lab.model.history import ContainerEnded, Deployed, EngineEvent, ServiceSeen, TasksSeen
from stamplab.lab.model.swarm import Service
from stamplab.lab.remote import Snapshot, watcher
from stamplab.lab.remote.client import Client, NoAnswer, NotAManager
from stamplab.lab.remote.endpoint import Endpoint
from stamplab.lab.remote.watcher import SwarmWatcher
from tests.unit.lab.remote.engine import Engine, Json, container, task

APP, DB = "shop_app", "shop_db"
OF_STACK = {"com.docker.stack.namespace": "shop"}
PATIENCE_S = 30.0
Kind = TypeVar("Kind")


@contextmanager
def watching(engine: Engine, *targets: str) -> Iterator[SwarmWatcher]:
    with closing(Client(Endpoint(host=engine.address, named_by="a test"))) as client:
        swarm = SwarmWatcher(client, targets or (APP,))
        try:
            yield swarm
        finally:
            swarm.close()


@pytest.fixture
def app(engine: Engine) -> Json:
    """The one service that is there, before anything is watched."""
    return engine.put(APP)


@pytest.fixture
def swarm(engine: Engine, app: Json) -> Iterator[SwarmWatcher]:
    """A watcher of that service, which has its baseline."""
    with watching(engine) as swarm:
        swarm.baseline()
        yield swarm


def put_stack(engine: Engine, **what: str) -> list[Json]:
    """Write the two services of a stack."""
    return [engine.put(name, labels=OF_STACK, **what) for name in (APP, DB)]


def of(seen: Snapshot, kind: type[Kind]) -> list[Kind]:
    return [record.what for record in seen.records if isinstance(record.what, kind)]


def services_in(seen: Snapshot) -> dict[str, Service | None]:
    return {what.name: what.service for what in of(seen, ServiceSeen)}


def tasks_in(seen: Snapshot) -> dict[str, tuple[str, ...]]:
    return {what.service: tuple(task.state for task in what.tasks) for what in of(seen, TasksSeen)}


def until(swarm: SwarmWatcher, holds: Callable[[Snapshot], object]) -> Snapshot:
    """Wait until something is seen for which it holds."""
    deadline_s = swarm.now_s() + PATIENCE_S
    while (seen := swarm.next(deadline_s)) is not None:
        if holds(seen):
            return seen
    raise AssertionError("it was never seen")


def test_the_baseline_shows_what_is_there(engine: Engine) -> None:
    app = engine.put(APP)
    engine.tasks = [task("1", app)]
    with watching(engine) as swarm:
        first = swarm.baseline()
        assert services_in(first).keys() == {APP}
        assert tasks_in(first) == {APP: ("running",)}
        assert first.unwatched_s == 0
        assert swarm.node == "node-here"


@pytest.mark.parametrize(
    ("targets", "watched"),
    [((APP,), {APP}), (("shop",), {APP, DB}), (("shop", "alone"), {APP, DB, "alone"})],
)
def test_a_target_is_a_service_by_its_whole_name_or_a_stack(
    engine: Engine, targets: tuple[str, ...], watched: set[str]
) -> None:
    put_stack(engine)
    for name, stack in ((f"{APP}_too", ""), ("alone", ""), ("other_app", "other")):
        engine.put(name, labels={"com.docker.stack.namespace": stack} if stack else {})
    with watching(engine, *targets) as swarm:
        assert services_in(swarm.baseline()).keys() == watched


def test_a_name_that_means_both_is_refused(engine: Engine) -> None:
    engine.put("shop")
    engine.put(APP, labels=OF_STACK)
    with watching(engine, "shop") as swarm, pytest.raises(UsageError, match="a service shop and a"):
        swarm.baseline()


def test_what_is_not_there_yet_is_found_when_it_comes(engine: Engine) -> None:
    with watching(engine, "shop") as swarm:
        assert services_in(swarm.baseline()) == {"shop": None}
        engine.put(APP, labels=OF_STACK)
        seen = until(swarm, lambda seen: APP in services_in(seen))
        assert services_in(seen).keys() == {APP}


def test_an_announced_write_is_seen_at_once(engine: Engine, app: Json, swarm: SwarmWatcher) -> None:
    engine.put(APP, task="head", previous=app, state="updating")
    seen = until(swarm, services_in)
    service = services_in(seen)[APP]
    assert service is not None
    assert service.update_state == "updating"
    assert seen.unwatched_s == 0


def test_events_of_others_are_none_of_ours(engine: Engine, swarm: SwarmWatcher) -> None:
    for name in ("other", f"{APP}_too", "shop"):
        engine.put(name)
    engine.happen("start", "x", "other")
    engine.happen("start", "1", APP)
    seen = until(swarm, lambda seen: seen.records)
    (event,) = of(seen, EngineEvent)
    assert event.attributes["com.docker.swarm.service.name"] == APP


def test_a_removed_service_is_seen_to_be_gone(engine: Engine) -> None:
    engine.tasks = [task(service["ID"], service) for service in put_stack(engine)]
    with watching(engine, "shop") as swarm:
        swarm.baseline()
        engine.remove(DB)
        seen = until(swarm, services_in)
        assert services_in(seen)[DB] is None
        assert services_in(seen)[APP] is not None


def test_the_end_of_the_deploy_has_all_looked_at(engine: Engine, swarm: SwarmWatcher) -> None:
    swarm.deployed(Deployed(stack="shop", exit_code=0, output=""))
    first = until(swarm, lambda _: True)
    assert isinstance(first.records[0].what, Deployed)
    assert services_in(until(swarm, lambda _: True)).keys() == {APP}


def test_a_removal_is_not_lost_where_the_engine_fails_between_two_calls(engine: Engine) -> None:
    put_stack(engine)
    with watching(engine, "shop") as swarm:
        swarm.baseline()
        engine.refuses = "tasks"
        engine.remove(DB)
        until(swarm, lambda seen: seen.no_answer)
        engine.refuses = ""
        seen = until(swarm, services_in)
        assert services_in(seen)[DB] is None


def test_a_task_that_has_died_does_not_run_though_it_is_listed_so(engine: Engine) -> None:
    """Its agent has not reported yet: a hold that ends just then must not end well."""
    app = engine.put(APP)
    engine.tasks = [task("1", app)]
    with watching(engine) as swarm:
        assert tasks_in(swarm.baseline()) == {APP: ("running",)}
        engine.happen("die", "1")
        seen = until(swarm, tasks_in)
        assert tasks_in(seen) == {APP: ()}
        engine.tasks = [task("1", app, "failed")]
        seen = until(swarm, lambda seen: tasks_in(seen) == {APP: ("failed",)})
        assert seen.records


def test_since_when_a_task_runs_is_exact(engine: Engine, app: Json, swarm: SwarmWatcher) -> None:
    engine.happen("start", "1")
    began_s = swarm.now_s()
    engine.tasks = [task("1", app, since_unix_s=time.time())]
    seen = until(swarm, tasks_in)
    (listed,) = [record for record in seen.records if isinstance(record.what, TasksSeen)]
    assert isinstance(listed.what, TasksSeen)
    assert listed.seen_s - began_s >= 0.1
    assert listed.what.running_since_s["1"] - began_s < listed.seen_s - began_s


def test_what_runs_after_blindness_has_to_be_seen_to_run(engine: Engine) -> None:
    app = engine.put(APP)
    engine.containers = {"container-1": container("1")}
    with watching(engine) as swarm:
        swarm.baseline()
        engine.happen("start", "1")
        engine.tasks = [task("1", app, since_unix_s=time.time())]
        until(swarm, tasks_in)
        engine.is_down = True
        time.sleep(0.25)
        assert swarm.confirm().no_answer
        engine.is_down = False
        seen = until(swarm, tasks_in)
        assert [listed.running_since_s for listed in of(seen, TasksSeen)] == [{}]


def test_every_snapshot_shows_the_tasks_too(engine: Engine, app: Json, swarm: SwarmWatcher) -> None:
    for state in (None, "updating", "completed"):
        engine.put(APP, task="head", previous=app, state=state)
        seen = until(swarm, services_in)
        assert tasks_in(seen) == {APP: ()}


def test_tasks_elsewhere_are_seen_too(engine: Engine, app: Json, swarm: SwarmWatcher) -> None:
    engine.tasks = [task("1", app, "failed", node="elsewhere")]
    until(swarm, lambda seen: tasks_in(seen) == {APP: ("failed",)})


@pytest.mark.parametrize("services", [1, 40])
def test_a_snapshot_takes_two_calls_for_any_stack(engine: Engine, services: int) -> None:
    made = [engine.put(f"shop_{number}", labels=OF_STACK) for number in range(services)]
    engine.tasks = [task(f"of-{service['ID']}", service) for service in made]
    with watching(engine, "shop") as swarm:
        swarm.baseline()
        engine.happen("start", "x", "shop_0")
        calls = swarm.calls
        seen = until(swarm, services_in)
        assert len(tasks_in(seen)) == services
        assert swarm.calls == calls + 2


def test_the_last_update_of_a_stack_that_settles_is_seen_at_once(engine: Engine) -> None:
    """The others need no snapshot of their own: nothing is ruled without the last."""
    put_stack(engine)
    with watching(engine, "shop") as swarm:
        swarm.baseline()
        put_stack(engine, task="head", state="updating")
        until(
            swarm,
            lambda seen: all(
                service and service.is_in_update for service in services_in(seen).values()
            ),
        )
        calls = swarm.calls
        put_stack(engine, task="head", state="completed")
        seen = until(swarm, services_in)
        states = {
            name: service.update_state for name, service in services_in(seen).items() if service
        }
        assert states == {APP: "completed", DB: "completed"}
        assert swarm.calls == calls + 2


def test_a_snapshot_is_stale_by_an_event(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "FRESH_S", PATIENCE_S)
    engine.put(APP, state="updating")  # an update says its own end: a start is no cause to look
    with watching(engine) as swarm:
        swarm.baseline()
        assert swarm.confirm() == Snapshot()
        while not services_in(swarm.confirm()):
            assert swarm.now_s() < PATIENCE_S
            engine.happen("start", "1")
            swarm.next(swarm.now_s() + 0.01)


def test_the_end_of_a_task_that_failed_is_looked_into_once(engine: Engine) -> None:
    app = engine.put(APP)
    engine.tasks = [task("1", app)]
    with watching(engine) as swarm:
        swarm.baseline()
        engine.tasks = [task("1", app, "failed", error="task: non-zero exit (137)", exit_code=137)]
        engine.containers = {"container-1": container("1", runs=False, oom=True, exit_code=137)}
        engine.happen("die", "1")
        seen = until(swarm, tasks_in)
        (end,) = of(seen, ContainerEnded)
        assert (end.task_id, end.exit_code, end.oom_killed) == ("1", 137, True)
        assert end.checks_health
        assert end.finished_s - end.started_s == pytest.approx(2.5)
        swarm.confirm()
    assert engine.requests.count(("GET", "containers/container-1/json")) == 1


def test_an_end_is_not_lost_by_a_failure(engine: Engine, app: Json, swarm: SwarmWatcher) -> None:
    engine.tasks = [task(number, app, "failed") for number in ("1", "2")]
    engine.containers = {
        f"container-{number}": container(number, runs=False) for number in ("1", "2")
    }
    engine.refuses = "containers/container-2/json"
    until(swarm, lambda seen: seen.no_answer)
    engine.refuses = ""
    seen = until(swarm, tasks_in)
    assert [end.task_id for end in of(seen, ContainerEnded)] == ["1", "2"]


def test_ends_of_before_and_elsewhere_and_of_told_tasks_are_not_looked_into(engine: Engine) -> None:
    app = engine.put(APP)
    engine.tasks = [task("before", app, "failed")]
    with watching(engine) as swarm:
        swarm.baseline()
        engine.tasks += [task("told", app, "shutdown"), task("else", app, "failed", node="other")]
        swarm.confirm()
        engine.put(APP)
        until(swarm, tasks_in)
    assert [path for _, path in engine.requests if "containers" in path] == []


def test_a_gone_container_says_nothing(engine: Engine, app: Json, swarm: SwarmWatcher) -> None:
    engine.tasks = [task("1", app, "failed")]
    engine.happen("die", "1")
    seen = until(swarm, tasks_in)
    assert of(seen, ContainerEnded) == []


def test_a_fresh_look_is_not_had_twice(engine: Engine, swarm: SwarmWatcher) -> None:
    calls = swarm.calls
    assert swarm.confirm() == Snapshot()
    assert swarm.calls == calls
    time.sleep(0.25)
    assert services_in(swarm.confirm()).keys() == {APP}


# Breaks of the stream.


def test_a_cut_stream_is_taken_up_where_it_ended(engine: Engine, swarm: SwarmWatcher) -> None:
    engine.put(APP)
    until(swarm, services_in)
    engine.cut()
    seen = until(swarm, services_in)
    assert seen.unwatched_s > 0
    deadline_s = time.monotonic() + PATIENCE_S
    while engine.streams_opened < 2 and time.monotonic() < deadline_s:
        swarm.next(swarm.now_s() + 0.05)
    assert engine.since[0] is None
    assert engine.since[1] is not None
    seconds, _, nanoseconds = engine.since[1].partition(".")
    assert seconds.isdecimal()
    assert len(nanoseconds) == 9


def test_cut_twenty_times_it_still_sees_all(engine: Engine, swarm: SwarmWatcher) -> None:
    for version in range(2, 22):
        engine.cut()
        engine.services[APP]["Version"]["Index"] = version  # written, and not announced
        seen = until(
            swarm,
            lambda seen: any(
                service is not None and service.version == version  # noqa: B023 - called at once
                for service in services_in(seen).values()
            ),
        )
        assert seen.unwatched_s > 0


def test_where_events_are_forbidden_it_polls(engine: Engine) -> None:
    engine.put(APP)
    engine.has_events = False
    with watching(engine) as swarm:
        swarm.baseline()
        engine.services[APP]["Version"]["Index"] = 7
        seen = until(swarm, services_in)
        assert services_in(seen)[APP] is not None
        assert 0 < seen.unwatched_s < 5


def test_a_write_that_was_not_announced_tells_of_a_gap(engine: Engine, swarm: SwarmWatcher) -> None:
    """The stream stands, and does not tell everything: an engine drops what is read too slowly."""
    engine.services[APP] = {**engine.services[APP], "Version": {"Index": 9}}
    time.sleep(0.25)
    assert swarm.confirm().unwatched_s >= 0.25


def test_what_is_no_event_only_ends_the_stream(engine: Engine, swarm: SwarmWatcher) -> None:
    engine.say(b'{"Action": 3}\n')
    seen = until(swarm, services_in)
    assert seen.unwatched_s > 0
    engine.say(b"{{{")
    until(swarm, services_in)


# Blindness.


def test_an_engine_that_goes_down_is_said_to_be_away_and_seen_again(engine: Engine) -> None:
    app = engine.put(APP)
    engine.tasks = [task("1", app)]
    engine.containers = {"container-1": container("1")}
    with watching(engine) as swarm:
        swarm.baseline()
        engine.is_down = True
        engine.cut()
        seen = until(swarm, lambda seen: seen.no_answer)
        assert "not a swarm manager" in seen.no_answer
        assert swarm.is_blind
        assert swarm.confirm().no_answer
        engine.is_down = False
        seen = until(swarm, services_in)
        assert seen.unwatched_s > 0
        assert not swarm.is_blind


def test_a_returned_manager_is_believed_of_containers_that_run(engine: Engine) -> None:
    """It lists tasks as running whose containers went with it, until its agent has reported."""
    app = engine.put(APP)
    engine.tasks = [task("1", app)]
    engine.containers = {"container-1": container("1")}
    with watching(engine) as swarm:
        swarm.baseline()
        engine.is_down = True
        engine.cut()
        until(swarm, lambda seen: seen.no_answer)
        engine.containers = {"container-1": container("1", runs=False)}
        engine.is_down = False
        seen = until(swarm, lambda seen: "not all containers" in seen.no_answer)
        assert not seen.records
        engine.tasks = [task("1", app, "failed"), task("2", app)]
        engine.containers["container-2"] = container("2")
        seen = until(swarm, tasks_in)
        assert tasks_in(seen) == {APP: ("failed", "running")}


def test_an_engine_that_is_not_there_at_first_is_an_error() -> None:
    with pytest.raises(NoAnswer, match=r"unix:///no/such\.sock \(a test\) cannot be r"):
        Client(Endpoint(host="unix:///no/such.sock", named_by="a test"))


def test_a_baseline_that_cannot_be_had_is_an_error(engine: Engine) -> None:
    engine.put(APP)
    with watching(engine) as swarm:
        engine.is_down = True
        with pytest.raises(NoAnswer, match="not a swarm manager"):
            swarm.baseline()


@pytest.mark.parametrize(
    ("swarm", "message"),
    [
        ({"LocalNodeState": "inactive"}, "is in no swarm"),
        ({}, "is in no swarm"),
        ({"LocalNodeState": "locked"}, r"\(its node is locked\)"),
        ({"LocalNodeState": "active", "ControlAvailable": False}, "is a worker"),
    ],
)
def test_only_a_manager_will_do(engine: Engine, swarm: dict[str, object], message: str) -> None:
    engine.info = {"Swarm": swarm}
    with pytest.raises(NotAManager, match=message), watching(engine):
        pass


# What it asks.


def test_it_only_looks(engine: Engine) -> None:
    before = engine.put(APP, labels=OF_STACK)
    with watching(engine, "shop", "nothing") as swarm:
        swarm.baseline()
        engine.put(APP, labels=OF_STACK, task="head", previous=before, state="completed")
        until(swarm, services_in)
        engine.cut()
        until(swarm, services_in)
    assert {method for method, _ in engine.requests} == {"GET"}


def test_it_counts_what_it_asks(engine: Engine, swarm: SwarmWatcher) -> None:
    assert swarm.calls == len(engine.requests)


def test_it_asks_at_most_twice_a_second_once_the_deploy_is_paid_for(engine: Engine) -> None:
    """A stack of services whose containers die all the time: each dies, and none waits long."""
    names = [f"shop_{number}" for number in range(20)]
    for name in names:
        engine.put(name, labels=OF_STACK)
    with watching(engine, "shop") as swarm:
        swarm.baseline()
        snapshots, began_s = 0, swarm.now_s()
        for name in names * 2:
            engine.happen("die", f"of-{name}", name)
            while (seen := swarm.next(swarm.now_s() + 0.1)) is not None:
                snapshots += bool(services_in(seen))
        waited_s = swarm.now_s() - began_s
        assert snapshots >= 2
        assert 2 * snapshots / waited_s <= 2
