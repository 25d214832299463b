"""What clients of the virtual application see: who is led to, who answers, and with what."""

from __future__ import annotations

import msgspec

from stamplab.lab.model.history import ClientProbe
from stamplab.lab.virtual.clients import VirtualClients
from stamplab.lab.virtual.mirror import Mirror
from stamplab.lab.virtual.sim_events import ContainerEvent, StoreCommit
from tests.unit.lab.virtual.made import NAME, commit, container_event, service, spec, task


def clients_of(*events: StoreCommit | ContainerEvent) -> VirtualClients:
    mirror = Mirror()
    clients = VirtualClients(mirror)
    for event in events:
        if isinstance(event, StoreCommit):
            mirror.feed(event)
        clients.feed(event)
    return clients


SERVICE = commit(0, services=(service(),))


def answers(clients: VirtualClients, times: int = 1) -> list[str | None]:
    return [clients.probe(NAME).version for _ in range(times)]


def test_a_service_that_is_not_there_leads_nowhere() -> None:
    probe = clients_of().probe(NAME)
    error = f"{NAME} leads nowhere: none of its tasks is running"
    assert probe == ClientProbe(n=1, ok=False, took_ms=0.0, error=error)


def test_a_task_that_does_not_run_is_not_led_to_though_its_port_is_open() -> None:
    clients = clients_of(
        SERVICE, commit(1, task("t1", state="starting")), container_event(1, "ready", "t1")
    )
    assert "leads nowhere" in (clients.probe(NAME).error or "")


def test_a_task_that_runs_but_has_not_opened_its_port_refuses() -> None:
    probe = clients_of(SERVICE, commit(1, task("t1"))).probe(NAME)
    assert probe == ClientProbe(n=1, ok=False, took_ms=0.0, error="task t1 refuses connections")


def test_one_that_runs_and_is_ready_answers_with_its_version() -> None:
    clients = clients_of(SERVICE, commit(1, task("t1", "3.5.0")), container_event(1, "ready", "t1"))
    assert clients.probe(NAME) == ClientProbe(n=1, ok=True, took_ms=0.0, version="3.5.0")


def test_one_that_has_died_does_not_answer_though_the_swarm_still_takes_it_for_running() -> None:
    clients = clients_of(
        SERVICE,
        commit(1, task("t1")),
        container_event(1, "ready", "t1"),
        container_event(2, "die", "t1"),
    )
    assert clients.probe(NAME).error == "task t1 refuses connections"


def test_the_version_is_the_tasks_own_whatever_the_service_is_asked_to_be() -> None:
    clients = clients_of(
        SERVICE,
        commit(1, task("t1", "1")),
        container_event(1, "ready", "t1"),
        commit(2, services=(service(spec("2")),)),
        commit(3, task("t1", "1")),
    )
    assert answers(clients) == ["1"]


def test_several_tasks_are_asked_in_turn() -> None:
    clients = clients_of(
        SERVICE,
        commit(1, task("t1", "1", created_s=1), task("t2", "2", created_s=2)),
        container_event(1, "ready", "t1"),
        container_event(1, "ready", "t2"),
    )
    assert sorted(map(str, answers(clients, 4))) == ["1", "1", "2", "2"]


def test_of_two_one_of_which_is_not_ready_every_other_request_fails() -> None:
    clients = clients_of(
        SERVICE,
        commit(1, task("t1", created_s=1), task("t2", created_s=2)),
        container_event(1, "ready", "t1"),
    )
    assert sorted(clients.probe(NAME).ok for _ in range(4)) == [False, False, True, True]


def test_requests_are_counted() -> None:
    clients = clients_of(SERVICE)
    assert [clients.probe(NAME).n for _ in range(3)] == [1, 2, 3]


def test_a_task_that_says_nothing_of_its_version_is_of_an_unknown_one() -> None:
    silent = msgspec.Raw(bytes(task("t1")).replace(b"STAMPLOAD_VERSION=1", b"NOT_SAID=1"))
    clients = clients_of(SERVICE, commit(1, silent), container_event(1, "ready", "t1"))
    assert answers(clients) == ["unknown"]


def test_other_events_of_a_container_open_and_close_nothing() -> None:
    row = (SERVICE, commit(1, task("t1")), container_event(1, "start", "t1"))
    assert not clients_of(*row).probe(NAME).ok
    assert (
        clients_of(*row, container_event(2, "ready", "t1"), container_event(3, "kill", "t1"))
        .probe(NAME)
        .ok
    )
