"""What has to be looked at for what was written, and what need not be yet."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.lab.model.history import EngineEvent
from stamplab.lab.model.swarm import Service
from stamplab.lab.remote.service_writes import Written
from tests.builders import BASE, HEAD, service

IN_UPDATE = service(HEAD, BASE, "updating")
COMPLETED = service(HEAD, BASE, "completed")
NEVER_UPDATED = service()


def of_service(name: str, state: str | None = None) -> EngineEvent:
    attributes = {"name": name} | ({"updatestate.new": state} if state else {})
    return EngineEvent(kind="service", action="update", actor_id="x", attributes=attributes)


def written(*events: EngineEvent) -> Written:
    made = Written()
    for event in events:
        made.see(event)
    return made


@pytest.mark.parametrize("state", ["updating", "rollback_started"])
def test_while_an_update_is_in_course_its_tasks_do_not_count(state: str) -> None:
    services = {"app": service(HEAD, BASE, state)}
    assert not written(of_service("app")).tasks_count(services)


@pytest.mark.parametrize(
    "state", [None, "completed", "paused", "rollback_completed", "rollback_paused"]
)
def test_where_no_further_word_will_come_the_tasks_count(state: str | None) -> None:
    assert written(of_service("app")).tasks_count({"app": service(HEAD, BASE, state)})


def test_what_was_not_written_does_not_count_before_the_deploys_end() -> None:
    made = written(of_service("app"))
    services = {"app": IN_UPDATE, "db": NEVER_UPDATED}
    assert not made.tasks_count(services)
    made.see_deployed()
    assert made.tasks_count(services)
    made.forget()
    assert not made.tasks_count(services)


def test_a_service_that_is_not_there_does_not_count() -> None:
    assert not written(of_service("app")).tasks_count({})


def test_one_that_is_completed_is_not_looked_at_before_the_last_one() -> None:
    services = {"app": IN_UPDATE, "db": IN_UPDATE}
    first, second = of_service("app", "completed"), of_service("db", "completed")
    made = written(first)
    assert made.awaits_others(first, services)
    made.see(second)
    assert not made.awaits_others(second, services)


def test_one_alone_awaits_nobody() -> None:
    event = of_service("app", "completed")
    assert not written(event).awaits_others(event, {"app": IN_UPDATE})
    assert not written(event).awaits_others(event, {"app": IN_UPDATE, "db": COMPLETED})


@pytest.mark.parametrize(
    "state", [None, "updating", "paused", "rollback_started", "rollback_completed"]
)
def test_whatever_else_is_said_is_looked_at(state: str | None) -> None:
    event = of_service("app", state)
    services = {"app": IN_UPDATE, "db": IN_UPDATE}
    assert not written(of_service("app", "completed"), event).awaits_others(event, services)


def test_a_write_that_no_event_told_of() -> None:
    before = {"app": NEVER_UPDATED}
    after: dict[str, Service] = {"app": msgspec.structs.replace(NEVER_UPDATED, version=99)}
    assert Written().is_incomplete(before, after)
    assert not written(of_service("app")).is_incomplete(before, after)
    assert not Written().is_incomplete(before, before)
    assert not Written().is_incomplete({}, after)
